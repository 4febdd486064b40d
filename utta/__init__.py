"""UTTA: what experts say about good teaching becomes programs that judge teaching, play a student and tutor.

The names below are what a notebook needs; each is imported when it is first used, because DSPy takes a second to
import and PyTorch several.

    from utta import open_program, read_reviews

The stations between a review and a report are the folders of this package; `README.md` maps them.
"""

import importlib
import importlib.util
import logging
import warnings
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

# PEFT asks a model for something by a name that Transformers is about to change; nothing a user could mend.
warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
# bitsandbytes, which comes with PEFT where it is installed, would say that it could have another kernel from a hub.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

_NAMES = {
    "ResponseCoach": "utta.programs.coach",
    "Rubric": "signatures.rubric",
    "StudentSimulator": "utta.programs.student",
    "TeachingEvaluator": "utta.programs.evaluator",
    "Tutor": "utta.programs.tutor",
    "find_profile": "utta.records.profiles",
    "find_rubric": "utta.records.rubrics",
    "load_model": "utta.models.load:load",
    "open_program": "utta.programs.folder",
    "read_reviews": "utta.records.read",
    "trainable": "utta.optimize.provider",
}
__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'utta' has no attribute {name!r}")
    module, _, attribute = _NAMES[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})


def _refuse_namesakes() -> None:
    """Stop when `metrics` or `signatures` is somebody else's: both names are common, and the first one found wins."""
    ours = Path(__file__).resolve().parents[1]
    for name in ("metrics", "signatures"):
        spec = importlib.util.find_spec(name)
        place = spec.origin if spec else None
        if place is None or Path(place).resolve() != ours / name / "__init__.py":
            raise ImportError(
                f"UTTA needs its own package '{name}' in {ours}, but Python finds {place or 'none'}; rename or remove "
                f"that one, or start Python from another folder."
            )


_refuse_namesakes()
