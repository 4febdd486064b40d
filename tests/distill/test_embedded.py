"""The whole way with the embedded model, once: two conversations, one epoch."""

import json
import subprocess
import sys
from pathlib import Path

from tests.evaluate.scripted import ROOT, SAMPLES
from utta.distill.recipe import Recipe
from utta.distill.run import Asked, distill
from utta.records.read import read_reviews, write_records

JUDGE = """
import json, sys
from utta.programs.folder import open_program
from utta.programs.inputs import judge_inputs
from utta.records.read import read_reviews

program = open_program(sys.argv[1])
model = program.load_model()
told = program.module(**judge_inputs(read_reviews(sys.argv[2]).reviews[0]))
print(json.dumps([model.version, told["engagement"].probabilities, told["engagement"].value, told.effectiveness]))
"""


def test_an_adapter_for_the_embedded_model_is_trained_and_judges_in_a_fresh_process(embedded, own_home, tmp_path):
    own_home.mkdir(exist_ok=True)
    (own_home / "models").symlink_to(Path(embedded.folder).parent)
    reviews = read_reviews(SAMPLES).reviews
    for name, part in (("train", reviews[:2] + reviews[4:6]), ("validation", reviews[8:9])):
        write_records(tmp_path / f"{name}.jsonl", part)
    out = tmp_path / "judge"
    manifest = distill(
        Asked(
            "evaluator",
            tmp_path / "train.jsonl",
            tmp_path / "validation.jsonl",
            out,
            criteria=("engagement",),
            recipe=Recipe(epochs=1),
        )
    )
    assert manifest["model"] == "smollm2-135m-q4" and manifest["base_fingerprint"] == embedded.fingerprint
    assert manifest["rubric"]["criteria"] == ["engagement"]
    assert (out / "adapter" / "adapter_model.safetensors").stat().st_size > 1_000_000
    lines = (out / "validation" / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    by_record = {line["record_id"]: line for line in map(json.loads, lines)}

    done = subprocess.run(
        [sys.executable, "-c", JUDGE, str(out), str(tmp_path / "validation.jsonl")],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    version, probabilities, value, effectiveness = json.loads(done.stdout.splitlines()[-1])
    assert version == f"smollm2-135m-q4:{embedded.fingerprint}@{manifest['adapter']}"
    here = by_record[reviews[8].id]
    assert value == here["label"]
    assert max(abs(probabilities[label] - p) for label, p in here["probabilities"].items()) < 0.05
    assert 0 <= effectiveness <= 1
