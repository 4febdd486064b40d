"""`load(name)`: a model for programs that decide and for programs that write, local or behind an API.

A name that is on this machine (catalogue, folder, pulled hub id) is local; anything else is a LiteLLM string such as
`openai/gpt-4o-mini`, whose provider's key and address come from the environment as LiteLLM reads them. What goes to such
a model passes the gate (`utta.models.gate`), which puts surrogates in the place of names, e-mails, phones and the like.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy

from utta.core.errors import UttaError
from utta.core.paths import answers_folder
from utta.models.catalogue import CATALOGUE, locate

# LiteLLM would fetch a list of prices when it is imported, and print warnings where there is no network.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@dataclass(frozen=True)
class Model:
    """A loaded model: `decisions` answers signatures of decisions, `lm` writes text; both share one set of weights."""

    name: str
    decisions: Any
    lm: Any
    local: bool

    @property
    def version(self) -> str:
        """The name with the fingerprints of the weights and the adapter, as reports show it."""
        return self.decisions.model.removeprefix("local/")

    def say_replaced(self) -> None:
        """Say on standard error what the gate replaced since the last time, as counts; a local model has no gate."""
        if not self.local and self.lm is not None:
            self.lm.say()


def load(name: str, adapter: Path | None = None, cache: bool = True) -> Model:
    """The model of that name, with LoRA weights from the folder `adapter` (local models only); `UttaError` when unknown."""
    use_own_cache()
    if is_api(name):
        from utta.models.gate import Gated

        lm = Gated(name, engine="litellm", cache=cache)
        return Model(name, lm, lm, local=False)
    from utta.models.decisions import LocalDecisions
    from utta.models.engine import engine
    from utta.models.text import TextEngine

    running = engine(name)
    active = running.add_adapter(adapter) if adapter else ""
    decisions = LocalDecisions(running, active, cache)
    return Model(name, decisions, dspy.LM(decisions.model, engine=TextEngine(running), cache=cache), local=True)


def is_api(name: str) -> bool:
    """Whether a name is a LiteLLM string: not on this machine, and with a provider that LiteLLM knows."""
    if name in CATALOGUE or Path(name).expanduser().is_dir():
        return False
    try:
        locate(name)
        return False
    except UttaError:
        import litellm

        return name.split("/")[0] in {str(getattr(p, "value", p)) for p in litellm.provider_list} and "/" in name


def use_own_cache() -> None:
    """Keep DSPy's answers in our own folder, as data that cannot run code; `UTTA_CACHE=off` keeps them in memory only."""
    dspy.configure_cache(
        disk_cache_dir=str(answers_folder()),
        enable_disk_cache=os.environ.get("UTTA_CACHE", "on") != "off",
        restrict_pickle=True,
    )
