"""A judge without a model, for tests of everything around it; and the command `utta` with that judge, in a process of
its own, for tests that kill it:

    python tests/evaluate/scripted.py '{"seconds": 0.05}' evaluate evaluator --data FILE --out DIR
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from signatures.rubric import Rubric
from utta.models.decisions import DecisionClient
from utta.models.load import Model
from utta.programs.folder import Program
from utta.records.read import write_records
from utta.records.record import Turn
from utta.records.review import Review

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data" / "samples" / "reviews.jsonl"

Answer = Callable[[Mapping[str, Any], str, Sequence[str]], Sequence[float]]


def _levels(*levels: tuple[str, float, bool]) -> list[dict[str, Any]]:
    return [{"label": label, "means": f"it is {label}", "value": value, "good": good} for label, value, good in levels]


RUBRIC = Rubric.parse(
    {
        "id": "small",
        "title": "A small rubric",
        "criteria": [
            {
                "id": "clarity",
                "question": "Is it clear?",
                "scale": "ordinal",
                "weight": 3,
                "levels": _levels(("Poor", 0.0, False), ("Fair", 0.5, False), ("Good", 1.0, True)),
            },
            {
                "id": "tone",
                "question": "How does it sound?",
                "scale": "nominal",
                "weight": 1,
                "levels": _levels(("Cold", 0.0, False), ("Warm", 1.0, True)),
            },
        ],
    }
)


def make_review(
    number: int, problem: str, clarity: str | None = "Good", tone: str | None = "Warm", **more: Any
) -> Review:
    """A review on the small rubric; one problem is one dialogue."""
    levels = {"clarity": clarity, "tone": tone}
    return Review(
        source="test",
        dialogue_id=f"dialogue-{problem}",
        problem=problem,
        conversation=[
            Turn(speaker="teacher", utterance="What do you think?"),
            Turn(speaker="student", utterance=f"I do not know about {problem}."),
        ],
        response=f"Response {number}: look again at {problem}, what is {number} and {number}?",
        rubric="small",
        levels={name: label for name, label in levels.items() if label},
        **more,
    )


def grid(problems: Sequence[str], responses: int) -> list[Review]:
    """`responses` reviews about each problem, with levels that change from one to the next."""
    clarity, tone = (criterion.labels for criterion in RUBRIC.criteria)
    return [
        make_review(100 * p + n, problem, clarity[(p + n) % 3], tone[n % 2])
        for p, problem in enumerate(problems)
        for n in range(responses)
    ]


def put_down(folder: Path, reviews: Sequence[Review], name: str = "reviews.jsonl") -> tuple[Path, Path]:
    """Write the reviews and the small rubric as files; returns both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / name, reviews)
    (folder / "small.yaml").write_text(RUBRIC.dump(), encoding="utf-8")
    return folder / name, folder / "small.yaml"


def hashed(state: Mapping[str, Any], criterion: str, labels: Sequence[str]) -> list[float]:
    """Probabilities that look drawn at random and are the same for the same response."""
    digest = hashlib.sha256(f"{state['inputs']['teacher_response']}/{criterion}".encode()).digest()
    parts = [byte + 1 for byte in digest[: len(labels)]]
    return [part / sum(parts) for part in parts]


def knowing(reviews: Sequence[Review], sure: float = 0.7) -> Answer:
    """An answer that gives the experts' level the probability `sure`."""
    levels = {review.response: review.levels for review in reviews}

    def answer(state: Mapping[str, Any], criterion: str, labels: Sequence[str]) -> list[float]:
        gold = levels[state["inputs"]["teacher_response"]].get(criterion)
        return [sure if label == gold else (1 - sure) / (len(labels) - 1) for label in labels]

    return answer


class ScriptedJudge(DecisionClient):
    """Answers by a function of the request, one request at a time, and keeps what it was asked."""

    def __init__(self, answer: Answer = hashed, *, name: str = "scripted", cache: bool = False, seconds: float = 0.0):
        super().__init__(f"local/{name}", cache)
        self.answer, self.seconds = answer, seconds
        self.states: list[Mapping[str, Any]] = []
        self.cancelled = False
        self.one_at_a_time = threading.Lock()

    @property
    def asked(self) -> list[str]:
        """The responses that it was asked about."""
        return [state["inputs"]["teacher_response"] for state in self.states]

    def cancel(self) -> None:
        self.cancelled = True

    def probabilities(self, state: Mapping[str, Any], questions: Mapping[str, Any]) -> list[list[float]]:
        with self.one_at_a_time:
            time.sleep(self.seconds)
            self.states.append(state)
            return [list(self.answer(state, name, list(asked["criteria"]))) for name, asked in questions.items()]

    def load_model(self) -> Callable[..., Model]:
        """What stands in for `Program.load_model`."""

        def load(program: Program, cache: bool = True) -> Model:
            model = Model(program.model_name, self, None, local=True)
            program.module.use(model)
            return model

        return load


def decisions(run: Path) -> list[str]:
    """The lines of a run's predictions, sorted: they are written in the order in which answers come in."""
    return sorted((run / "predictions.jsonl").read_text(encoding="utf-8").splitlines())


def start(settings: Mapping[str, Any], *arguments: Any, home: Path) -> subprocess.Popen[str]:
    """Start `utta ARGUMENTS` in another process. Settings: `seconds` puts the scripted judge in, taking so long for each
    response; `checkpoint_seconds` saves that often in a training, which is done in float32; `limit` is the largest file
    in bytes, which stands for a full disk."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "UTTA_HOME": str(home), "UTTA_CACHE": "off"}
    command = [sys.executable, __file__, json.dumps(settings), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something has happened while the process runs; fails with what the process said when it ends before."""
    deadline = time.monotonic() + seconds
    while not happened():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(process.communicate())
        time.sleep(0.005)


def sentence(stderr: str) -> str:
    """The one sentence of an error on standard error; fails when there is more than that besides progress."""
    said = [line for line in stderr.splitlines() if not line.endswith((" to do", " done before", ": done"))]
    assert len(said) == 1 and said[0].startswith("utta: "), stderr
    return said[0]


def main() -> None:
    settings = json.loads(sys.argv.pop(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have told its background jobs to ignore it
    if "seconds" in settings:
        Program.load_model = ScriptedJudge(seconds=settings["seconds"]).load_model()  # type: ignore[method-assign]
    if "checkpoint_seconds" in settings:
        import torch

        from utta.distill import loop, training

        loop.CHECKPOINT_SECONDS = settings["checkpoint_seconds"]
        training.best_dtype = lambda: torch.float32
    if "limit" in settings:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (settings["limit"], resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    from utta.cli.main import main as utta

    utta()


if __name__ == "__main__":
    main()
