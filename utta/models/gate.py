"""The gate: what leaves for a model that is not local goes with surrogates, and nothing turns that off.

`load` gives an API model as a `Gated` one. DSPy's programs hand a model all they have to say by calling it: instructions,
demonstrations, inputs. The call replaces before DSPy looks into its cache, so that cache and history hold what the model was
shown, and another key or roster never meets an old answer. A server of one's own counts as not local. What a model
answers is not looked at. `UTTA_ROSTER` names a roster, `UTTA_ENTITIES` a named-entity model to ask besides.
"""

import os
import sys
from collections import Counter
from copy import copy
from functools import lru_cache
from typing import Any, NoReturn

import dspy

from utta.core.errors import UttaError
from utta.core.surrogates import Persons, Surrogates

NO_TEXT = ("role", "type", "id", "url", "data")  # of a message: its form, and pictures


class Gated(dspy.LM):
    """A `dspy.LM` that is shown surrogates; its copies share the counts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.surrogates = Surrogates.of_this_machine(persons=_entities(os.environ.get("UTTA_ENTITIES")))

    def __deepcopy__(self, memo: object) -> "Gated":
        return self

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        prompt, messages = self._replaced(prompt, messages, kwargs)
        return super().__call__(prompt, messages=messages, **kwargs)

    async def acall(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        prompt, messages = self._replaced(prompt, messages, kwargs)
        return await super().acall(prompt, messages=messages, **kwargs)

    def shown(self, messages: Any) -> Any:
        """The messages as this model is shown them, and not counted."""
        uncounted = copy(self.surrogates)
        uncounted.counts = Counter()
        return uncounted.inside(messages, NO_TEXT)

    def finetune(self, *_: Any, **__: Any) -> NoReturn:
        raise UttaError("Training data would leave this machine as it is; train a local model with 'utta distill'.")

    def say(self) -> None:
        """Say on standard error how many of each type were replaced since the last time; counts, and never a text."""
        counts = self.surrogates.counts
        if counts:
            said = ", ".join(f"{n:,} {type_}" for type_, n in sorted(counts.items()))
            print(f"Replaced by surrogates in what {self.model} was asked: {said}.", file=sys.stderr)
        counts.clear()

    def _replaced(self, prompt: Any, messages: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        if "request" in kwargs or not isinstance(prompt, str | None):
            raise TypeError("A model that is not local takes a prompt or messages, in which the gate can replace.")
        prompt, messages = self.surrogates.inside([prompt, messages], NO_TEXT)
        return prompt, messages


@lru_cache(maxsize=1)
def _entities(name: str | None) -> Persons | None:
    """The named-entity model of that name, if there is one; it is loaded once."""
    if not name:
        return None
    from utta.models.entities import entities

    return entities(name)
