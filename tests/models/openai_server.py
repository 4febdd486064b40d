"""A small server on this machine that speaks as much of OpenAI's protocol as a client needs to chat.

`GET /v1/models` and `POST /v1/chat/completions`, not streamed. What it says is a function's: `of_engine` lets a local
model answer, a test may give one that reads from a script.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "test-key"

Answer = Callable[[dict[str, Any]], dict[str, Any]]
"""From a request's body to {"content", "finish_reason", "usage"}."""


def of_engine(writer: Any) -> Answer:
    """The answers of a local model, through its chat template as every text request goes."""
    from dspy.lm15 import Config, Message, Request

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        said = [(m["role"], m["content"]) for m in body["messages"]]
        stop = body.get("stop") or ()
        config = Config(
            max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
            temperature=body.get("temperature"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
        )
        turns = {"user": Message.user, "assistant": Message.assistant}
        system = "\n".join(content for role, content in said if role == "system")
        messages = tuple(turns[role](content) for role, content in said if role != "system")
        done = writer.complete(Request(body["model"], messages=messages, system=system or None, config=config))
        used = {"prompt_tokens": done.usage.input_tokens, "completion_tokens": done.usage.output_tokens}
        text = "".join(part.text for part in done.message.parts)
        return {"content": text, "finish_reason": done.finish_reason, "usage": used}

    return answer


@contextmanager
def serve(answer: Answer, models: tuple[str, ...] = ("test",)) -> Iterator[str]:
    """Serve on a free port of 127.0.0.1 as long as the block lasts; gives the base address, which ends in /v1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self.reply(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in models]})
            else:
                self.fail(404, f"there is no {self.path}")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["Authorization"] != f"Bearer {KEY}":
                self.fail(401, "this is not the key")
            elif self.path != "/v1/chat/completions":
                self.fail(404, f"there is no {self.path}")
            elif body["model"] not in models:
                self.fail(404, f"there is no model {body['model']}")
            else:
                try:
                    said = answer(body)
                except Exception as error:  # the client must hear of it and the server must live on
                    self.fail(400, str(error))
                else:
                    self.complete(body["model"], said)

        def complete(self, model: str, said: dict[str, Any]) -> None:
            usage = {"prompt_tokens": 0, "completion_tokens": 0, **said.get("usage", {})}
            usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
            message = {"role": "assistant", "content": said["content"]}
            choice = {"index": 0, "message": message, "finish_reason": said.get("finish_reason", "stop")}
            reply = {"id": "1", "object": "chat.completion", "created": 0, "model": model, "choices": [choice]}
            self.reply(200, {**reply, "usage": usage})

        def fail(self, status: int, message: str) -> None:
            self.reply(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}})

        def reply(self, status: int, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests' output is for the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
