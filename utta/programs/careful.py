"""A program that reads what it has written before it says it, and writes anew what has a fault.

A small model does not do all that its prompt asks for; some faults are plain to see in the text. How the program writes
(the settings of its predictor, and `tries`) is saved with it.
"""

from collections.abc import Callable
from typing import Any, Self

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError

from utta.core.errors import Cancelled, UttaError
from utta.models.gate import Gated
from utta.models.load import Model
from utta.models.text import TextEngine

AGAIN = 0.8  # the temperature of a draw, where neither the model nor the program has one
DRAWS = 1000  # more than anybody's tries: the draws of one seed are not those of another


class Careful(dspy.Module):
    """A module with one predictor, which is asked up to `tries` times; `adapter` is the DSPy adapter that it writes with.

    `drawn` says that a local model without a temperature of its own draws its first try, too: a small one that always takes
    the likeliest token says the same again and again in a long text.
    """

    adapter: dspy.Adapter
    drawn = False

    def __init__(self, tries: int):
        super().__init__()
        self.tries = tries

    def use(self, model: Model) -> Self:
        """Answer with `model` from now on."""
        self._predictor.lm = model.lm
        return self

    @property
    def cancel(self) -> Callable[[], None] | None:
        """What drops the requests under way, where the model is local."""
        engine = getattr(self._lm, "engine", None)
        return engine.engine.cancel if isinstance(engine, TextEngine) else None

    def dump_state(self, *args: Any, **told: Any) -> dict[str, Any]:
        """DSPy's state, and how the program writes, which DSPy leaves out."""
        return super().dump_state(*args, **told) | {"settings": self._predictor.config | {"tries": self.tries}}

    def load_state(self, state: dict[str, Any], **told: Any) -> None:
        super().load_state(state, **told)
        settings = dict(state["settings"])
        self.tries = settings.pop("tries")
        self._predictor.config = settings

    def say(self, faults: Callable[[dspy.Prediction], int], **inputs: Any) -> dspy.Prediction:
        """What is written with the fewest faults, the first of several. A try without a fault is the last one, and so is one
        that fails after something has been written."""
        best, fewest, calls = None, 0, []
        for number in range(self.tries):
            try:
                with dspy.context(adapter=self.adapter, trace=[]):
                    said = self._predictor(**inputs, config=self._settings(number))
                    trace = list(dspy.settings.trace)
            except (AdapterParseError, LMError, UttaError) as error:
                if best is None or isinstance(error, Cancelled) or isinstance(error.__cause__, Cancelled):
                    raise
                break
            found = faults(said)
            if best is None or found < fewest:
                best, fewest, calls = said, found, trace
            if not found:
                break
        if dspy.settings.trace is not None:
            dspy.settings.trace.extend(calls)  # of what is said, and of nothing else
        return best

    def _settings(self, number: int) -> dict[str, Any]:
        """The settings of a try: the first one as the program writes, each of the others another draw. An API model may know
        no `seed`; there DSPy's `rollout_id` passes its cache by."""
        set_by, local = self._lm.kwargs | self._predictor.config, not isinstance(self._lm, Gated)
        temperature = set_by.get("temperature")
        if not number and not (self.drawn and local and temperature is None):
            return {}
        draw = {"seed": DRAWS * (set_by.get("seed") or 0) + number} if local else {"rollout_id": number}
        return draw | {"temperature": temperature or AGAIN}

    @property
    def _lm(self) -> Any:
        """The predictor's own model, or DSPy's: its optimisers reset the models of the programs that they try."""
        return self._predictor.lm or dspy.settings.lm

    @property
    def _predictor(self) -> dspy.Predict:
        (predictor,) = self.predictors()
        return predictor
