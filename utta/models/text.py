"""A DSPy language-model engine over the local engine: text, whole or streamed, for the programs that write."""

import uuid
from collections.abc import Iterator
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

from utta.models.engine import Engine, TextSettings


class TextEngine:
    """Answers `dspy.LM` requests; batching, adapters and weights are the local engine's."""

    supports_response_schema = False
    supported_params = ("temperature", "max_tokens", "top_p", "stop", "seed")

    def __init__(self, engine: Engine, adapter: str = ""):
        self.engine = engine
        self.adapter = adapter

    def __deepcopy__(self, memo: object) -> "TextEngine":
        return self

    def complete(self, request: Request) -> Response:
        """One answer to one request."""
        done = self.engine.generate(self.prompt(request), settings(request), self.adapter)
        text, stopped = cut(done.text, request.config.stop)
        return Response(
            id=uuid.uuid4().hex,
            model=request.model,
            message=Message.assistant([TextPart(text)]),
            finish_reason="stop" if stopped else done.finish_reason,  # type: ignore[arg-type]
            usage=Usage(input_tokens=done.input_tokens, output_tokens=done.output_tokens),
        )

    def stream(self, request: Request) -> Iterator[Any]:
        """The answer in pieces as they are written, ending early at a stop string."""
        yield StreamStartEvent(id=uuid.uuid4().hex, model=request.model)
        written = ""
        for piece in self.engine.stream(self.prompt(request), settings(request), self.adapter):
            text, stopped = cut(written + piece, request.config.stop)
            if len(text) > len(written):
                yield StreamDeltaEvent(delta=TextDelta(text=text[len(written) :]))
            written = text
            if stopped:
                break
        yield StreamEndEvent(finish_reason="stop")

    def close(self) -> None:
        """Nothing to close: the weights belong to the engine."""

    def prompt(self, request: Request) -> str:
        """The request as the model's chat template writes it, without control tokens that came in with the text."""
        clean = self.engine.renderer.neutralise
        system = [{"role": "system", "content": clean(_text(request.system))}] if request.system else []
        turns = [{"role": m.role, "content": clean(_text(m.parts))} for m in request.messages]
        template = self.engine.tokenizer.apply_chat_template
        return template(system + turns, tokenize=False, add_generation_prompt=True)


def settings(request: Request) -> TextSettings:
    """The request's sampling settings, with the engine's defaults for what it leaves open."""
    asked = {name: getattr(request.config, name) for name in ("max_tokens", "temperature", "top_p", "seed")}
    return TextSettings(**{k: v for k, v in asked.items() if v is not None})


def cut(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """`text` up to the first stop string, and whether one was there."""
    places = [text.index(stop) for stop in stops if stop in text]
    return (text[: min(places)], True) if places else (text, False)


def _text(parts: Any) -> str:
    return parts if isinstance(parts, str) else "".join(getattr(part, "text", "") for part in parts)
