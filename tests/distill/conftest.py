import pytest

from tests.evaluate.conftest import own_home  # noqa: F401 — a fixture
from tests.evaluate.scripted import grid, put_down
from tests.models.tiny import save_tiny
from utta.distill.recipe import Recipe
from utta.distill.run import Asked
from utta.models.catalogue import Located, locate

TRAIN = grid(["ants", "bees", "cats", "dogs"], 2)
VALIDATION = grid(["eels", "foxes"], 2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Located:
    """A model of random weights that trains in a moment."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny(folder)
    return locate(str(folder))


@pytest.fixture
def asked(tmp_path, tiny):
    """A request to distil the tiny model on the small rubric; keywords change it."""
    train, rubric = put_down(tmp_path, TRAIN, "train.jsonl")
    validation, _ = put_down(tmp_path, VALIDATION, "validation.jsonl")
    settings = {
        "program": "evaluator",
        "train": train,
        "validation": validation,
        "out": tmp_path / "judge",
        "model": str(tiny.folder),
        "rubric": str(rubric),
        "recipe": Recipe(epochs=1, rank=4),
    }
    return lambda **more: Asked(**settings | more)


@pytest.fixture
def in_float32(monkeypatch) -> None:
    """Train in float32, in which two runs can be held against each other."""
    import torch

    monkeypatch.setattr("utta.distill.training.best_dtype", lambda: torch.float32)


@pytest.fixture
def learnt_model(tiny, in_float32):
    """Makes a model and its tokenizer whose adapter on the `upper` layers has learnt something: fresh ones begin with zeros."""
    import torch

    from utta.distill.training import with_adapter

    def make(upper):
        torch.manual_seed(0)
        model, tokenizer = with_adapter(tiny, Recipe(rank=4, upper=upper))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        return model, tokenizer

    return make
