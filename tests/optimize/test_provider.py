"""The provider: DSPy's own optimisers train a local model in one process."""

import threading

import dspy
import pytest

from tests.optimize.conftest import Chain, questions
from utta.core.errors import UttaError
from utta.models.load import Model
from utta.models.text import adapter_of
from utta.optimize.provider import trainable

CHATS = [
    {"messages": [{"role": "user", "content": f"What is {n}?"}, {"role": "assistant", "content": f"It is {n}."}]}
    for n in range(4)
]


def wait(job):
    found = job.result()
    job.thread.join()
    return found


def test_dspy_s_own_bootstrap_finetune_runs(chain, lm, tmp_path):
    optimizer = dspy.BootstrapFinetune(
        metric=lambda example, prediction, trace=None: True,
        adapter=Chain.adapter,
        train_kwargs={"epochs": 1, "rank": 4, "learning_rate": 0.02, "out": tmp_path / "tuned"},
        num_threads=2,
    )
    before = [chain(**each.inputs()).reply for each in questions(1, 2)]
    tuned = optimizer.compile(chain, trainset=questions(1, 2, 3))
    names = {predictor.lm.model for predictor in tuned.predictors()}
    assert len(names) == 1 and lm.provider.engine.holds(adapter_of(names.pop()))
    copy = tuned.deepcopy()
    after = [copy(**each.inputs()).reply for each in questions(1, 2)]
    assert after != before and copy.first.lm.engine is lm.engine
    assert (tmp_path / "tuned" / "adapter" / "base.json").is_file()
    assert not (tmp_path / "tuned" / "checkpoints").exists()


def test_a_job_tells_how_far_it_is_and_the_same_request_is_not_trained_again(lm, own_home):
    job = lm.finetune(CHATS, None, {"epochs": 1, "rank": 4})
    tuned = wait(job)
    assert (job.status(), job.progress, job.cancel()) == ("done", 1.0, False)
    again = lm.finetune(CHATS, None, {"epochs": 1, "rank": 4})
    assert wait(again).model == tuned.model and again.step == 0
    assert len(list((own_home / "finetuned").iterdir())) == 1
    lm.provider.launch(tuned)
    with pytest.raises(UttaError, match="holds no adapter '0123'"):
        lm.provider.launch(tuned.copy(model=tuned.model.split("@")[0] + "@0123"))


def test_a_cancelled_job_ends_and_the_same_request_goes_on(lm, monkeypatch, tmp_path):
    monkeypatch.setattr("utta.distill.loop.CHECKPOINT_SECONDS", 0)
    settings = {"epochs": 3, "rank": 4, "batch": 1, "out": tmp_path / "out"}
    reached, go_on = threading.Event(), threading.Event()
    job_class = lm.provider.TrainingJob.__func__

    def slow(self, **told):
        job = job_class(self, **told)
        watch = job.watch

        def stop_at_two(step, steps):
            if step == 2:
                reached.set()
                go_on.wait(60)
            watch(step, steps)

        job.watch = stop_at_two
        return job

    monkeypatch.setattr(lm.provider, "TrainingJob", slow.__get__(lm.provider))
    job = lm.finetune(CHATS, None, settings)
    assert reached.wait(60) and job.status() == "training"
    assert job.cancel() is True
    go_on.set()
    assert isinstance(wait(job), UttaError) and job.status() == "cancelled" and 0 < job.progress < 1
    monkeypatch.undo()
    done = lm.finetune(CHATS, None, settings)
    assert adapter_of(wait(done).model) and done.status() == "done"
    assert len((tmp_path / "out" / "losses.jsonl").read_text().splitlines()) == 9


@pytest.mark.parametrize(
    ("chats", "settings", "said"),
    [
        (CHATS, {"rang": 4}, "no setting 'rang'; it has batch, "),
        ([{"prompt": "a", "completion": "b"}], {}, "is a list of messages, not"),
        ([{"messages": [{"role": "user", "content": "Hello?"}]}], {}, "There is no row to learn from"),
        ([{"messages": [{"role": "user", "content": "a" * 5000}, CHATS[0]["messages"][1]]}], {}, "of 1, 1 are longer"),
    ],
)
def test_a_job_s_fault_is_its_result_in_one_sentence(lm, chats, settings, said):
    job = lm.finetune(chats, None, settings)
    fault = wait(job)
    assert isinstance(fault, UttaError) and said in str(fault) and job.status() == "failed"


def test_what_runs_elsewhere_is_not_trained():
    with pytest.raises(UttaError, match="openai/gpt runs elsewhere and cannot be trained here"):
        trainable(Model("openai/gpt", None, None, local=False))
