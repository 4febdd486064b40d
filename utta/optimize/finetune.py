"""Fine-tuning on what a program wrote itself: the optimiser, and what it is used for.

    Finetune(objective).compile(program, trainset, valset=valset)      good answers, by the objective
    distill_prompt(long, short, examples, validation)                  the answers of a longer prompt
    BetterTogether(objective, p=…, w=Finetune(objective)).compile(…)   prompts and weights in turn

A program's predictors must all run on one model of `utta.optimize.provider.trainable`. DSPy's own `BootstrapFinetune` works on
it as well; this one keeps all rows with their scores, holds them against a threshold, and learns the prompt of the program that
is tuned whoever wrote the answers.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dspy
from dspy.clients.utils_finetune import TrainDataFormat
from dspy.teleprompt import Teleprompter

from utta.core.errors import UttaError
from utta.optimize.objectives import Objective
from utta.optimize.traces import attempt, quiet, rows, sampled
from utta.records.chats import Row, passing, read_rows, write_rows


class Finetune(Teleprompter):
    """Tunes the weights of a program on its own good answers, or on a teacher's.

    `samples` answers are tried for each example, the first one as the model writes it and the others drawn at random. With
    `out`, a folder, the rows are written to `rows.jsonl` and the training goes on there after a kill; a file of rows that is
    there already is used as it is. `given` rows take the place of those of the training examples.
    """

    def __init__(
        self,
        objective: Objective | None = None,
        train_kwargs: Mapping[str, Any] | None = None,
        samples: int = 1,
        out: Path | None = None,
        given: Sequence[Row] = (),
    ):
        super().__init__()
        self.objective, self.samples, self.out, self.given = objective, samples, out, given
        self.train_kwargs = dict(train_kwargs or {})
        self.rounds = 0  # of training; each has its own rows and its own folder

    def compile(
        self, student: Any, *, trainset: list[Any], teacher: Any = None, valset: list[Any] | None = None
    ) -> Any:
        """The student with tuned weights; its prompts stay as they are. `UttaError` where nothing is good enough to learn
        from, and whatever ended the training."""
        lm = one_model(student)
        self.rounds += 1
        writer = teacher[0] if isinstance(teacher, list) else teacher or student
        learned = self.given or self._rows("rows", writer, student, trainset, self.samples)
        held_out = self._rows("validation-rows", writer, student, valset, 1) if valset else []
        kept = self._kept(learned)
        settings = dict(self.train_kwargs)
        if validation := self._passing(held_out):
            settings["validation"] = _chats(validation)
        if self.out:
            settings["out"] = self.out / self._named("training")
        student.set_lm(tuned(lm, kept, settings))
        return student

    def _named(self, name: str) -> str:
        return name if self.rounds == 1 else f"{name}-{self.rounds}"

    def _rows(self, name: str, writer: Any, learner: Any, examples: Sequence[Any], samples: int) -> list[Row]:
        file = self.out and self.out / f"{self._named(name)}.jsonl"
        if file and file.is_file():  # of an interrupted call
            return read_rows(file)
        found: list[Row] = []
        for number in range(samples):
            title = "Writing" if samples == 1 else f"Writing, {number + 1} of {samples}"
            with sampled(writer, number):
                found += rows(attempt(writer, examples, self.objective, title), writer, learner)
        if file:
            write_rows(file, found)
        return found

    def _passing(self, found: Sequence[Row]) -> list[Row]:
        return passing(found, self.objective.threshold if self.objective else 0.0)

    def _kept(self, found: Sequence[Row]) -> list[Row]:
        kept = self._passing(found)
        if not kept:
            scores = [row.score for row in found if row.score is not None]
            seen = f"the best score is {max(scores):.2f}" if scores else "no answer is whole"
            threshold = self.objective.threshold if self.objective else 0.0
            raise UttaError(
                f"Nothing of what the program wrote is good enough to learn from ({seen}, and {threshold:g} is asked); lower "
                "--threshold, or try more with --samples."
            )
        return kept


class BetterTogether(dspy.BetterTogether):
    """DSPy's, but for one thing: what goes wrong in a step is raised, and not logged and left. A prompt that does not fit some
    examples counts as 0 there; one that fits none is such a fault."""

    def _run_and_evaluate_step(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super()._run_and_evaluate_step(*args, **kwargs)
        except Exception as error:
            raise _Broken(error) from error

    def compile(self, student: Any, *, valset: list[Any], **told: Any) -> Any:
        """As DSPy's, with the student's model also the one for programs whose own was reset."""
        try:
            with dspy.context(lm=one_model(student), max_errors=len(valset)), quiet():
                return super().compile(student, valset=valset, **told)
        except _Broken as broken:
            raise broken.error from None


class _Broken(BaseException):
    """An error on its way past `except Exception`."""

    def __init__(self, error: Exception):
        self.error = error


def distill_prompt(
    teacher: Any,
    student: Any,
    examples: list[Any],
    validation: list[Any],
    train_kwargs: Mapping[str, Any] | None = None,
    samples: int = 1,
    out: Path | None = None,
) -> Any:
    """The student, which has a short prompt, with weights that make it write what the teacher writes with its long one
    (instructions, demonstrations), both on the same model. They have the same predictors, and only the prompts differ."""
    return Finetune(None, train_kwargs, samples, out).compile(
        student, trainset=examples, teacher=teacher, valset=validation
    )


def tuned(lm: Any, learned: Sequence[Row], settings: Mapping[str, Any]) -> Any:
    """The language model trained on rows; raises what ended the training. Ctrl-C stops it after the present step."""
    with quiet():
        job = lm.finetune(_chats(learned), TrainDataFormat.CHAT, dict(settings))
        try:
            found = job.result()
        except BaseException:
            lm.provider.cancel()
            raise
        job.thread.join()
    if isinstance(found, Exception):
        raise found
    return found


def one_model(program: Any) -> Any:
    """The language model of all of a program's predictors; `UttaError` where one has none or another."""
    models = [predictor.lm for predictor in program.predictors()]
    names = sorted({lm.model if lm else "none" for lm in models})
    if names == ["none"] or len(names) != 1:
        raise UttaError(
            f"All predictors of a program are tuned together, and theirs are {', '.join(names)}; set one for all."
        )
    return models[0]


def _chats(found: Sequence[Row]) -> list[dict[str, Any]]:
    return [{"messages": row.messages} for row in found]
