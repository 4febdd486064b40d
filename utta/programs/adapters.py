"""From a signature to a prompt that a small model can follow, and from its answer to the outputs.

`PlainText` is for signatures with one text output: the model's whole answer is that text. `BoundedJSON` is for several
outputs: the answer is a JSON object on one line. A local model can write nothing else than one that fits, in which every
text and list has an end and none is empty. A field's own bounds are pydantic's:

    teacher_response: str = dspy.OutputField(desc="...", max_length=400)  # characters
    techniques_used: list[Annotated[str, Field(max_length=60)]] = dspy.OutputField(desc="...", max_length=3)  # items

With both, what a model is trained on (`format_finetune_data`) is what it is shown and should write at run time.
"""

import json
import math
from typing import Annotated, Any

import dspy
from dspy.adapters.utils import serialize_for_json
from dspy.utils.exceptions import AdapterParseError
from pydantic import create_model

from utta.models.text import TextEngine

MOST_CHARACTERS = 600  # of a text without a bound of its own
MOST_ITEMS = 5  # of a list without one
VISIBLE = r"^\S"  # a text begins with something to see

Signature = type[dspy.Signature]


class _Brief:
    """A prompt in few words: what is given and what to do in the system message, then the inputs that are known."""

    def format_field_description(self, signature: Signature) -> str:
        return "You are given:\n" + "\n".join(f"- {n}: {_desc(f)}" for n, f in signature.input_fields.items())

    def format_field_structure(self, signature: Signature) -> str:
        return ""

    def user_message_output_requirements(self, signature: Signature) -> str:
        return ""

    def format_user_message_content(
        self, signature: Signature, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> str:
        lines = [f"{n.replace('_', ' ').capitalize()}: {inputs[n]}" for n in signature.input_fields if inputs.get(n)]
        return "\n\n".join(lines)


class PlainText(_Brief, dspy.ChatAdapter):
    """An adapter for signatures with one text output. An answer without a word is an error, and not asked for again."""

    def __init__(self) -> None:
        super().__init__(use_json_adapter_fallback=False)

    def format_task_description(self, signature: Signature) -> str:
        (output,) = signature.output_fields.values()
        return f"{signature.instructions}\nAnswer with {_desc(output)}, and nothing else."

    def format_assistant_message_content(
        self, signature: Signature, outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        (name,) = signature.output_fields
        return str(outputs.get(name) or missing_field_message or "")

    def parse(self, signature: Signature, completion: str) -> dict[str, Any]:
        (name,) = signature.output_fields
        return _with_words(self, signature, completion, {name: completion.strip()})


class BoundedJSON(_Brief, dspy.JSONAdapter):
    """An adapter for signatures with several outputs. A local model is held to `output_schema` while it writes; a model
    behind an API gets DSPy's own schema, for several providers refuse bounds, and what it answers is checked."""

    def format_task_description(self, signature: Signature) -> str:
        nodes = output_schema(signature)["properties"]
        fields = [f"- {n}: {_desc(f)}{_form(nodes[n])}" for n, f in signature.output_fields.items()]
        return "\n".join(
            [signature.instructions, "Answer with one JSON object, and nothing else. Its fields:", *fields]
        )

    def format_assistant_message_content(
        self, signature: Signature, outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        """The object as `utta.models.grammar` lets a model write it: on one line, with the usual separators."""
        values = {name: outputs.get(name, missing_field_message) for name in signature.output_fields}
        return json.dumps(serialize_for_json(values), ensure_ascii=False)

    def format_finetune_data(
        self, signature: Signature, demos: list[dict[str, Any]], inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> dict[str, list[Any]]:
        return dspy.ChatAdapter.format_finetune_data(self, signature, demos, inputs, outputs)

    def parse(self, signature: Signature, completion: str) -> dict[str, Any]:
        return _with_words(self, signature, completion, super().parse(signature, completion))

    def at_a_bound(self, signature: Signature, outputs: Any) -> bool:
        """Whether a text among the outputs is as long as it may be, or longer: it was cut off, or would be."""
        nodes = output_schema(signature)["properties"]
        return any(_at_its_bound(node, outputs[name]) for name, node in nodes.items())

    def _prepare_response_format(self, lm: Any, lm_kwargs: dict[str, Any], signature: Signature) -> None:
        if isinstance(getattr(lm, "engine", None), TextEngine):
            asked = {"name": "outputs", "schema": output_schema(signature)}
            lm_kwargs["response_format"] = {"type": "json_schema", "json_schema": asked}
        else:
            super()._prepare_response_format(lm, lm_kwargs, signature)


def output_schema(signature: Signature) -> dict[str, Any]:
    """The JSON schema of a signature's outputs, in their order, all required and bounded."""
    fields: dict[str, Any] = {
        name: (Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation, ...)
        for name, field in signature.output_fields.items()
    }
    return _bounded(create_model("Outputs", **fields).model_json_schema())


def _bounded(node: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema in which every text and list has an end and none is empty, and objects hold what they name."""
    node = {key: value for key, value in node.items() if key not in ("title", "description", "default")}
    for key in node.keys() & {"properties", "$defs"}:
        node[key] = {name: _bounded(inner) for name, inner in node[key].items()}
    for key in node.keys() & {"items", "additionalProperties"}:
        node[key] = _bounded(node[key]) if isinstance(node[key], dict) else node[key]
    for key in node.keys() & {"anyOf", "prefixItems"}:
        node[key] = [_bounded(inner) for inner in node[key]]
    if node.get("type") == "string" and not node.keys() & {"enum", "const", "format"}:
        return {"maxLength": MOST_CHARACTERS, "pattern": VISIBLE} | node
    if node.get("type") == "array":
        return {"minItems": 1, "maxItems": MOST_ITEMS} | node
    if "properties" in node:
        return node | {"required": list(node["properties"]), "additionalProperties": False}
    return node


def _at_its_bound(node: dict[str, Any], value: Any) -> bool:
    """A list may be as long as it may be: its last item is whole."""
    if isinstance(value, str):
        return len(value) >= node.get("maxLength", math.inf)
    if isinstance(value, list):
        return len(value) > node["maxItems"] or any(_at_its_bound(node["items"], item) for item in value)
    return False


def _form(node: dict[str, Any]) -> str:
    """What the prompt says of a field's form, for models that are not held to the schema."""
    if "enum" in node:
        return " (one of: " + ", ".join(map(str, node["enum"])) + ")"
    if node.get("type") == "string":
        return f" (at most {node['maxLength']} characters)" if "maxLength" in node else ""
    if node.get("type") == "array":
        return f" (a list of at most {node['maxItems']})"
    return f" ({node['type']})" if "type" in node else ""


def _with_words(adapter: Any, signature: Signature, completion: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, none of whose texts is empty."""
    if empty := [name for name, value in fields.items() if isinstance(value, str) and not value.strip()]:
        raise AdapterParseError(
            adapter_name=type(adapter).__name__,
            signature=signature,
            lm_response=completion,
            message=f"The model wrote nothing for {', '.join(empty)}.",
            parsed_result=fields,
        )
    return fields


def _desc(field: Any) -> str:
    return str(field.json_schema_extra.get("desc", ""))
