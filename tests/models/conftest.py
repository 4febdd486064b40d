"""Models and tokenizers that the tests of this folder share."""

from typing import Any

import pytest

from tests.models import tiny as make


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny model on disk, as `locate` finds one."""
    from utta.models.catalogue import locate

    folder = tmp_path_factory.mktemp("models") / "tiny"
    make.save_tiny(folder)
    return locate(str(folder))


@pytest.fixture(scope="session")
def tiny_engine(tiny: Any) -> Any:
    """The tiny model's engine in float32; tests add no adapters to it."""
    import torch

    from utta.models.engine import Engine

    return Engine(tiny, torch.float32)


@pytest.fixture(scope="session", params=["tiny", "embedded"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """The tiny model's tokenizer, and the embedded model's where it has been pulled."""
    if request.param == "tiny":
        return make.byte_tokenizer()
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(request.getfixturevalue("embedded").folder, local_files_only=True)


@pytest.fixture(scope="session")
def renderer(tokenizer: Any) -> Any:
    from utta.models.render import Renderer

    return Renderer(tokenizer, "test", 4096)


@pytest.fixture(scope="session")
def sample_rows(embedded_model: Any) -> list[Any]:
    """What the embedded model is asked about eight responses of the sample set, to two students: two short criteria."""
    from utta.core.paths import data_dir
    from utta.records.read import read_reviews

    questions = {
        "Help": {
            "instructions": "Does the teacher help?",
            "criteria": {"No": "not at all", "Some": "a bit", "Yes": "well"},
        },
        "Tone": {"instructions": "How does the teacher sound?", "criteria": {"Cold": "curt", "Warm": "kind"}},
    }
    rows = []
    for review in read_reviews(data_dir() / "samples" / "reviews.jsonl").reviews[:8]:
        inputs = {"conversation": review.conversation[-1].utterance, "teacher_response": review.response}
        state = {"instructions": "Judge the response.", "inputs": inputs}
        rows.append(embedded_model.decisions.engine.renderer.render(state, questions))
    return rows
