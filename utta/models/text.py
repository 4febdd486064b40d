"""A DSPy language-model engine over the local engine: text, whole or streamed, for the programs that write."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from dspy.lm15 import (
    Message,
    Request,
    Response,
    StreamDeltaEvent,
    StreamEndEvent,
    StreamStartEvent,
    TextDelta,
    TextPart,
    Usage,
)

from utta.models.engine import Engine, Text
from utta.models.text_rows import conversation_row, turns
from utta.models.writing import TextSettings


class TextEngine:
    """Answers `dspy.LM` requests; batching, adapters and weights are the local engine's. The adapter is the one that the
    request's model names, so that an LM and its copies with other adapters share one engine."""

    supports_response_schema = True
    supported_params = ("temperature", "max_tokens", "top_p", "stop", "seed", "response_format")

    def __init__(self, engine: Engine):
        self.engine = engine

    def __deepcopy__(self, memo: object) -> "TextEngine":
        return self

    def complete(self, request: Request) -> Response:
        """One answer to one request."""
        done = self.engine.generate(self.prompt(request), settings(request), adapter_of(request.model))
        text, stopped = cut(done.text, request.config.stop)
        return Response(
            id=uuid.uuid4().hex,
            model=request.model,
            message=Message.assistant([TextPart(text)]),
            finish_reason="stop" if stopped else done.finish_reason,
            usage=Usage(input_tokens=done.input_tokens, output_tokens=done.output_tokens),
        )

    def stream(self, request: Request) -> Iterator[Any]:
        """The answer in pieces as they are written, ending early at a stop string."""
        yield StreamStartEvent(id=uuid.uuid4().hex, model=request.model)
        stops = request.config.stop
        read, sent, end = "", 0, StreamEndEvent(finish_reason="stop")
        for piece in self.engine.stream(self.prompt(request), settings(request), adapter_of(request.model)):
            if isinstance(piece, Text):
                read, held, end = piece.text, 0, _end(piece)
            else:
                read += piece
                held = _half_a_stop(read, stops)
            text, stopped = cut(read, stops)
            ready = len(text) - (0 if stopped else held)
            if ready > sent:
                yield StreamDeltaEvent(delta=TextDelta(text=text[sent:ready]))
                sent = ready
            if stopped:
                end = StreamEndEvent(finish_reason="stop")
                break
        yield end

    def log_probabilities(self, model: str, messages: Sequence[Mapping[str, str]]) -> list[list[float]]:
        """For each assistant message of a chat the log-probabilities of its tokens, the end of the turn included, if the
        model of that name (an LM's `model`, with its adapter) had written it there."""
        row = conversation_row(self.engine.renderer, messages)
        coming = iter(self.engine.log_probabilities(row, adapter_of(model)) if row.ids else ())
        return [list(islice(coming, end - start)) for start, end in turns(row)]

    def close(self) -> None:
        """Nothing to close: the weights belong to the engine."""

    def prompt(self, request: Request) -> str:
        """The request as the model's chat template writes it, without control tokens that came in with the text."""
        clean = self.engine.renderer.neutralise
        system = [{"role": "system", "content": clean(_text(request.system))}] if request.system else []
        turns = [{"role": m.role, "content": clean(_text(m.parts))} for m in request.messages]
        return self.engine.renderer.chat(system + turns, add_generation_prompt=True)


def adapter_of(model: str) -> str:
    """The fingerprint of the adapter in a model's name (`Located.with_adapter`), empty where there is none."""
    _, at, adapter = model.rpartition("@")
    return adapter if at else ""


def settings(request: Request) -> TextSettings:
    """The request's sampling settings, with the engine's defaults for what it leaves open."""
    asked = {name: getattr(request.config, name) for name in ("max_tokens", "temperature", "top_p", "seed")}
    return TextSettings(
        **{k: v for k, v in asked.items() if v is not None}, schema=_schema(request.config.response_format)
    )


def _schema(response_format: Mapping[str, Any] | None) -> str | None:
    """The JSON schema that a request asks for; one that asks for JSON alone gets an object."""
    return json.dumps(response_format.get("schema", {"type": "object"})) if response_format else None


def cut(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """`text` up to the stop string that was complete first, and whether one was there."""
    places = [(text.index(stop) + len(stop), text.index(stop)) for stop in stops if stop in text]
    return (text[: min(places)[1]], True) if places else (text, False)


def _half_a_stop(text: str, stops: tuple[str, ...]) -> int:
    """The number of characters at the end of `text` that may be the beginning of a stop string."""
    return max((n for stop in stops for n in range(len(stop)) if text.endswith(stop[:n])), default=0)


def _end(done: Text) -> StreamEndEvent:
    usage = Usage(input_tokens=done.input_tokens, output_tokens=done.output_tokens)
    return StreamEndEvent(finish_reason=done.finish_reason, usage=usage)


def _text(parts: Any) -> str:
    return parts if isinstance(parts, str) else "".join(getattr(part, "text", "") for part in parts)
