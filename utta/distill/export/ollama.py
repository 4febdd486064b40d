"""A Modelfile for Ollama: which GGUF files, the chat template in Go's template language, where an answer ends.

The template is not translated from Jinja: some conversations are rendered, and what stands around the messages is
taken from them. A template that does more than put something around each message is refused. A last message of the
assistant is left open, so that a prompt may end inside it, as a judge's does.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utta.core.errors import UttaError
from utta.core.files import write_text

MARKS = ("\N{OBJECT REPLACEMENT CHARACTER}1", "\N{OBJECT REPLACEMENT CHARACTER}2", "\N{OBJECT REPLACEMENT CHARACTER}3",
         "\N{OBJECT REPLACEMENT CHARACTER}4")  # fmt: skip


@dataclass(frozen=True)
class Pieces:
    """What a chat template writes before a system message, before a first and a later message of the user, and before the
    assistant's."""

    system: str
    first: str
    later: str
    assistant: str

    def render(self, messages: list[dict[str, str]]) -> str:
        """What the Go template makes of messages, the last one of the user or the assistant."""
        text = ""
        for i, message in enumerate(messages):
            before = {"system": self.system, "assistant": self.assistant, "user": self.later if i else self.first}
            text += before[message["role"]] + message["content"]
        return text + (self.assistant if messages[-1]["role"] == "user" else "")

    def go(self) -> str:
        """The template in Go's language."""
        return (
            "{{ range $i, $m := .Messages }}"
            f'{{{{ if eq .Role "system" }}}}{self.system}'
            f'{{{{ else if eq .Role "assistant" }}}}{self.assistant}'
            f"{{{{ else if eq $i 0 }}}}{self.first}"
            f"{{{{ else }}}}{self.later}{{{{ end }}}}{{{{ .Content }}}}"
            '{{ if and (eq (len (slice $.Messages $i)) 1) (eq .Role "user") }}'
            f"{self.assistant}{{{{ end }}}}{{{{ end }}}}"
        )


def pieces(tokenizer: Any) -> Pieces:
    """The pieces of a tokenizer's chat template; `UttaError` for one that they do not describe."""
    from jinja2.exceptions import TemplateError

    def around(*roles: str) -> list[str]:
        messages = [{"role": role, "content": mark} for role, mark in zip(roles, MARKS, strict=False)]
        rest, found = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True), []
        for message in messages:
            before, mark, rest = rest.partition(message["content"])
            found.append(before if mark else "")
        return [*found, rest]

    try:
        system, after_system, answer, later, last = around("system", "user", "assistant", "user")
        first, _ = around("user")
    except TemplateError:
        system = after_system = answer = later = last = first = ""
    if not answer or after_system != later or answer != last or "{{" in "".join((system, first, later, answer)):
        raise UttaError(
            "The model's chat template cannot be written for Ollama; export with --to gguf and write a Modelfile by hand."
        )
    return Pieces(system, first, later, answer)


def write_modelfile(out: Path, model: str, adapter: str | None, tokenizer: Any, context: int) -> None:
    """Write a Modelfile beside the GGUF files `model` and `adapter`; `context` is the number of tokens that are read."""
    lines = [f"FROM ./{model}", *([f"ADAPTER ./{adapter}"] if adapter else [])]
    lines += [f'TEMPLATE """{pieces(tokenizer).go()}"""', f'PARAMETER stop "{tokenizer.eos_token}"']
    lines += [f"PARAMETER num_ctx {context}", "PARAMETER temperature 0"]
    write_text(out, "\n".join(lines) + "\n")
