"""Whether an exported judge still decides as the program does: the same rows through both, read-out by read-out.

A form is compared with the program as UTTA runs it here (often in bf16, whose rounding alone moves probabilities) and
with the program in float32, so that a fault of the export can be told from rounding. A difference is one of the
log-probability of a level among the levels of its criterion, in nats.
"""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from metrics.levels import apply_weights
from utta.core.files import sha256
from utta.distill.rows import render
from utta.evaluate.open import read, unchanged
from utta.models import tree
from utta.models.catalogue import Located
from utta.models.engine import best_dtype, load_weights, most_tokens
from utta.models.probe import Probe
from utta.models.render import DecisionRow, Renderer
from utta.programs.evaluator import THREADS
from utta.programs.folder import Program
from utta.records.review import Review

# What an export may differ by: 8-bit activations over 4-bit weights (llama.cpp) stay within it, a fault does not.
LEVELS = 0.95  # the least share of decisions with the level that the program has in float32; one may always differ
MEAN = 0.1  # the largest mean difference from the program in float32
WEIGHT = 1e-3  # the largest difference of a weight, as a share of the largest of its tensor (f16 rounds by 5e-4)
BOUNDS = {"same_level_in_float32": LEVELS, "mean_difference_in_float32": MEAN, "weight_difference": WEIGHT}

Logs = list[NDArray[np.float64]]  # per decision the log-probabilities of its levels


@dataclass(frozen=True)
class Reference:
    """What the program itself says: `rows` of responses, and for each decision of them in order the log-probabilities that
    its model gives, `as_run` by UTTA here and `exact` in float32; by criterion its level weights, and its probe, if it has
    one. `file` is where the responses come from."""

    file: Path
    rows: list[DecisionRow]
    weights: dict[str, list[float]]
    probe: Probe | None
    as_run: Logs
    exact: Logs

    def about(self) -> dict[str, Any]:
        """What was compared, and how far the program as UTTA runs it is from itself in float32."""
        return {
            "data": {"file": str(self.file), "sha256": sha256(self.file), "records": len(self.rows)},
            "decisions": len(self.as_run),
            "utta_runs_in": str(best_dtype()).removeprefix("torch."),
            "rounding": self.compare(self.as_run, self.exact),
        }

    def compare(self, ours: Logs, theirs: Logs) -> dict[str, Any]:
        """How many decisions have the same level, by the program's probe and weights with either, and the largest and mean
        difference of a log-probability."""
        same = sum(a == b for a, b in zip(self._levels(ours), self._levels(theirs), strict=True))
        differences = np.abs(np.concatenate(ours) - np.concatenate(theirs))
        return {
            "n": len(ours),
            "same_level": same,
            "agreement": round(same / len(ours), 4),
            "largest_difference": round(float(differences.max()), 6),
            "mean_difference": round(float(differences.mean()), 6),
        }

    def _levels(self, logs: Logs) -> list[int]:
        """The level of each decision."""
        left, levels = iter(logs), []
        for row in self.rows:
            told = [np.exp(next(left)).tolist() for _ in row.criteria]
            both = self.probe.beside(row, told) if self.probe else told
            levels += [
                int(apply_weights([p], self.weights[name])[0]) for name, p in zip(row.criteria, both, strict=True)
            ]
        return levels


def reference(program: Program, located: Located, data: Path | None, count: int) -> Reference | None:
    """The program's own answers on the first `count` responses of `data`, or by default of the validation or training file
    that it was made from; None when neither is there unchanged."""
    from peft import PeftModel

    file = data or unchanged(program, "validation") or unchanged(program, "train")
    if file is None:
        return None
    model = program.load_model(cache=False)
    engine, adapter = model.decisions.engine, model.decisions.adapter
    rows = render(
        program.module, first_responses(read(file, program.rubric, "evaluate").reviews, count), engine.renderer
    )
    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(lambda row: engine.decide(row, adapter), rows))
    exact = PeftModel.from_pretrained(load_weights(located, torch.float32), str(program.adapter)).eval()
    return Reference(
        file,
        rows,
        level_weights(program),
        engine.probe(adapter),
        [np.log(np.maximum(p, 1e-30)) for answer in answers for p in answer],
        read_rows(exact, rows),
    )


def first_responses(reviews: Sequence[Review], count: int) -> list[Review]:
    """One review of each of the first `count` responses."""
    first: dict[str, Review] = {}
    for review in reviews:
        first.setdefault(review.response_id, review)
    return list(first.values())[:count]


def level_weights(program: Program) -> dict[str, list[float]]:
    """The program's level weights by criterion, in the order of the levels; 1 where it was not calibrated."""
    fields = program.module.judge.fields
    return {
        c.id: [fields.get(c.id, {}).get("weights", {}).get(label, 1.0) for label in c.labels]
        for c in program.module.rubric.criteria
    }


def read_rows(model: Any, rows: Sequence[DecisionRow]) -> Logs:
    """The log-probabilities that a Transformers or PEFT model gives, row by row, criterion by criterion."""
    found: dict[int, list[Any]] = {}
    with torch.inference_mode():
        for groups in tree.passes(rows):
            logs = iter(tree.log_probabilities(model, groups))
            for row in (row for group in groups for row in group.rows):
                found[id(row)] = [next(logs).double().cpu().numpy() for _ in row.suffixes]
    return [log for row in rows for log in found[id(row)]]


def same_prompts(rows: Sequence[DecisionRow], original: Any, exported: Any) -> dict[str, Any]:
    """How many prompts an exported tokenizer reads as the same tokens, and whether the chat template has the same bytes."""
    prompts = [prompt for row in rows for prompt in row.prompts]
    texts = [original.decode(prompt) for prompt in prompts]
    same = sum(
        exported(text, add_special_tokens=False)["input_ids"] == prompt
        for text, prompt in zip(texts, prompts, strict=True)
    )
    return {"n": len(prompts), "same_tokens": same, "same_template": original.chat_template == exported.chat_template}


def check_folder(reference: Reference, located: Located, folder: Path, adapter: Path | None = None) -> dict[str, Any]:
    """Load a Hugging Face folder, or the PEFT folder `adapter` over it, and compare it in UTTA's precision with the program
    as UTTA runs it, and in float32 with the program in float32."""
    from peft import PeftModel
    from transformers import AutoTokenizer

    read_in = {}
    for dtype in {best_dtype(), torch.float32}:
        model = load_weights(Located(str(folder), folder, ""), dtype)
        if adapter:
            model = PeftModel.from_pretrained(model, adapter, autocast_adapter_dtype=False)
        read_in[dtype] = read_rows(model.eval(), reference.rows)
    original = AutoTokenizer.from_pretrained(located.folder, local_files_only=True)
    exported = AutoTokenizer.from_pretrained(adapter or folder, local_files_only=True)
    return {
        "loaded_by": "transformers and peft" if adapter else "transformers",
        "with_the_program": reference.compare(read_in[best_dtype()], reference.as_run),
        "in_float32": reference.compare(read_in[torch.float32], reference.exact),
        "prompts": same_prompts(reference.rows, original, exported),
    }


def out_of_bounds(forms: dict[str, Any], form: str = "") -> list[str]:
    """The checks whose figures are worse than the bounds above allow, as names like "gguf model llama.cpp in_float32"."""
    found = []
    for name, value in forms.items():
        if not isinstance(value, dict):
            continue
        where = f"{form} {name}".strip()
        match name:
            case "in_float32":
                allowed = max(1, (1 - LEVELS) * value["n"])
                bad = value["n"] - value["same_level"] > allowed or value["mean_difference"] > MEAN
            case "prompts":
                bad = value["same_tokens"] < value["n"] or not value["same_template"]
            case "weights":
                bad = value["missing"] > 0 or value["largest_difference"] > WEIGHT
            case "modelfile":
                bad = value["same_bytes"] < value["conversations"]
            case _:
                bad = False
                found += out_of_bounds(value, where)
        found += [where] if bad else []
    return found


def renderer_of(located: Located) -> tuple[Any, Renderer]:
    """The configuration and the renderer of a model that need not be loaded."""
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(located.folder, local_files_only=True)
    config = AutoConfig.from_pretrained(located.folder, local_files_only=True)
    return config, Renderer(tokenizer, located.name, most_tokens(config))


def check_model_file(reference: Reference, path: Path) -> dict[str, Any]:
    """A whole model's GGUF file as Transformers reads it, in float32: names, order of rows and values are right where this
    agrees, for Transformers undoes llama.cpp's order by itself."""
    from transformers import AutoModelForCausalLM

    from utta.models import attention

    with redirect_stderr(io.StringIO()):  # a progress bar that nothing turns off
        model = AutoModelForCausalLM.from_pretrained(
            str(path.parent), gguf_file=path.name, dtype=torch.float32, attn_implementation=attention.NAME
        )
    logs = read_rows(model.eval(), reference.rows)
    return {"loaded_by": "transformers", "in_float32": reference.compare(logs, reference.exact)}
