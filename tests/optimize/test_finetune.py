"""Rows, thresholds and the optimisers of weights, on a tiny model that really writes and really trains."""

import json

import dspy
import pytest
from dspy.teleprompt import LabeledFewShot
from hypothesis import given
from hypothesis import strategies as st

from tests.optimize.conftest import Chain, questions, variety
from utta.core.errors import UttaError
from utta.models.text import adapter_of
from utta.optimize.finetune import BetterTogether, Finetune, distill_prompt, one_model
from utta.optimize.objectives import Objective
from utta.optimize.traces import attempt, rows, sampled
from utta.programs.adapters import BoundedJSON
from utta.programs.careful import Careful
from utta.records.chats import Row, passing, read_rows, write_rows

QUICK = {"epochs": 1, "rank": 4, "learning_rate": 0.02}


def chat(answer, user="What is 1?"):
    return [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]


def test_the_prompt_of_a_row_is_what_the_engine_was_asked(chain, lm, monkeypatch):
    asked = []
    generate = lm.engine.engine.generate
    monkeypatch.setattr(
        lm.engine.engine, "generate", lambda prompt, *rest: asked.append(prompt) or generate(prompt, *rest)
    )
    with sampled(chain, 1) as writer:
        found = rows(attempt(writer, questions(*range(12)), variety, "Writing"), writer, chain)
    chatted = lm.engine.engine.renderer.chat
    assert found and {chatted(row.messages[:-1], add_generation_prompt=True) for row in found} <= set(asked)
    assert {row.predictor for row in found} == {"first", "second"}
    assert {row.record_id for row in found} <= {f"r{n}" for n in range(12)}
    assert all(predictor.lm is lm for predictor in chain.predictors())


def test_what_was_cut_off_is_not_learned(chain, lm):
    chain.set_lm(lm.copy(max_tokens=2))
    tried = attempt(chain, questions(1, 2), variety, "Writing")
    assert [each.score is not None for each in tried] == [True, True]
    assert rows(tried, chain, chain) == []


class Advice(dspy.Signature):
    question: str = dspy.InputField()
    advice: str = dspy.OutputField(max_length=30)


class Careless(Careful):
    """Says the second of two tries; `most` is the tokens of each."""

    adapter = BoundedJSON()

    def __init__(self, *most):
        super().__init__(2)
        self.advise, self.most = dspy.Predict(Advice), most

    def _settings(self, number):
        return {"max_tokens": self.most[number]}

    def forward(self, question):
        faults = iter((1, 0))
        return self.say(lambda said: next(faults), question=question)


@pytest.mark.parametrize(("most", "learned"), [((20, 200), 1), ((200, 20), 0)])
def test_of_several_tries_the_one_that_is_said_must_have_come_to_its_own_end(most, learned, lm, monkeypatch):
    program = Careless(*most)
    program.set_lm(lm.copy(stop=None))
    tried = attempt(program, questions(1), None, "Writing")
    assert program.adapter.at_a_bound(Advice, tried[0].prediction) is bool(learned)
    monkeypatch.setattr(program.adapter, "at_a_bound", lambda *_: False)
    assert len(rows(tried, program, program)) == learned
    monkeypatch.undo()
    assert rows(tried, program, program) == []  # what a text of is at its bound is not whole either


def test_a_program_that_asks_in_another_form_than_it_says_is_refused(chain):
    tried = attempt(chain, questions(1), variety, "Writing")
    chain.adapter = dspy.ChatAdapter()
    with pytest.raises(UttaError, match="first asks its model in another form than ChatAdapter's"):
        rows(tried, chain, chain)


def test_an_example_that_fails_is_counted_and_all_of_them_are_a_fault(chain):
    long = questions("1" * 5000)
    tried = attempt(chain, [*questions(1), *long], variety, "Writing")
    assert [bool(each.error) for each in tried] == [False, True] and "tokens" in tried[1].error
    with pytest.raises(UttaError, match="failed on all of 1 examples; the first: The prompt has"):
        attempt(chain, long, variety, "Writing")


def test_good_answers_are_learned_and_all_are_kept_to_look_at(chain, tmp_path):
    objective = Objective("variety", variety, 0.4)
    tuned = Finetune(objective, QUICK, samples=3, out=tmp_path).compile(
        chain, trainset=questions(*range(6)), valset=questions(7, 8, 9)
    )
    found = read_rows(tmp_path / "rows.jsonl")
    good = passing(found, 0.4)
    assert 0 < len(good) < len(found) and min(row.score for row in good) >= 0.4
    (learned,) = one_model(tuned).provider.tuned.values()
    assert learned.rows["learned"] == len(good)
    assert adapter_of(one_model(tuned).model)
    # A second call learns from the rows that are there, and finds the adapter that it trained.
    again = Chain()
    again.set_lm(one_model(chain).copy())
    Finetune(objective, QUICK, samples=3, out=tmp_path).compile(again, trainset=[], valset=questions(7))
    assert one_model(again).model == one_model(tuned).model


def test_a_score_below_the_threshold_is_no_pass(chain):
    objective = Objective("variety", lambda *_: 0.1)
    assert objective(None, None) == 0.1 and objective(None, None, []) is False and objective.passes(None, None) is False
    with pytest.raises(UttaError, match=r"good enough to learn from \(the best score is 0.10, and 0.5 is asked\)"):
        Finetune(objective, QUICK, samples=3).compile(chain, trainset=questions(1, 2))


def test_a_long_prompt_is_distilled_into_weights(lm, tmp_path):
    long, short = Chain("Answer in very few words, as a friend would who has no time at all."), Chain("Answer.")
    for module in (long, short):
        module.set_lm(lm.copy(temperature=1.0, seed=3))
    tuned = distill_prompt(long, short, questions(*range(6)), questions(7, 8), QUICK, out=tmp_path)
    assert tuned is short and adapter_of(one_model(short).model) and not adapter_of(one_model(long).model)
    found = read_rows(tmp_path / "rows.jsonl")
    assert found and all("Answer." in row.messages[0]["content"] for row in found)
    assert not any("friend" in row.messages[0]["content"] for row in found)


class Demonstrations(LabeledFewShot):
    """Shows examples as they are, as DSPy's does, and resets the models as other optimisers of DSPy do."""

    def compile(self, student, *, trainset):
        return super().compile(
            student, trainset=[dspy.Example(**each, answer="One.", reply="Two.") for each in trainset]
        )


def test_better_together_tunes_prompts_and_weights(chain, tmp_path):
    objective = Objective("variety", variety, 0.0)
    weights = Finetune(objective, QUICK, samples=3, out=tmp_path)
    best = BetterTogether(objective, p=Demonstrations(k=1), w=weights).compile(
        chain, trainset=questions(*range(4)), valset=questions(7, 8), strategy="p -> w", num_threads=2, seed=0
    )
    tried = {each["strategy"]: each["program"] for each in best.candidate_programs}
    assert set(tried) == {"", "p", "p -> w"} and not best.flag_compilation_error_occurred
    assert adapter_of(one_model(tried["p -> w"]).model) and not adapter_of(one_model(tried["p"]).model)
    assert len(tried["p -> w"].first.demos) == 1
    shown = [row.messages for row in read_rows(tmp_path / "rows.jsonl")]
    assert all(
        [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant"] for messages in shown
    )


def test_what_goes_wrong_in_a_step_is_raised(chain):
    objective = Objective("variety", lambda *_: 0.1)
    with pytest.raises(UttaError, match="good enough to learn from"):
        BetterTogether(objective, w=Finetune(objective, QUICK)).compile(
            chain, trainset=questions(1, 2), valset=questions(7), strategy="w", num_threads=1
        )


def test_one_model_is_tuned_for_all(chain, lm):
    chain.second.lm = lm.copy(model="local/other")
    with pytest.raises(UttaError, match="theirs are local/"):
        one_model(chain)
    chain.set_lm(None)
    with pytest.raises(UttaError, match="theirs are none"):
        Finetune(None, QUICK).compile(chain, trainset=questions(1))


@given(
    found=st.lists(
        st.builds(
            Row,
            st.builds(chat, st.text(min_size=1).filter(str.strip), st.text()),
            st.text(),
            st.text(),
            st.none() | st.floats(0, 1),
        ),
        min_size=1,
        max_size=5,
    ),
    threshold=st.floats(0, 1),
)
def test_rows_come_back_as_they_were_and_pass_by_their_score(tmp_path_factory, found, threshold):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_rows(path, found)
    assert read_rows(path) == found
    good = passing(found, threshold)
    assert all(row in found and (row.score is None or row.score >= threshold) for row in good)
    assert len({json.dumps(row.messages) for row in good}) == len(good)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "a row is an object with a list of messages"),
        ("[]", "a row is an object with a list of messages"),
        ('{"messages": [{"role": "user"}]}', "a row is an object with a list of messages"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "a row ends with what the assistant wrote"),
        (json.dumps({"messages": chat(" ")}), "a row ends with what the assistant wrote"),
        (json.dumps({"messages": chat("b"), "score": "good"}), "the score 'good' is no number"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path, line, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"messages": chat("b")}) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(UttaError, match=r"rows\.jsonl:2: ") as caught:
        read_rows(path)
    assert said in str(caught.value)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(UttaError, match="There is no row in"):
        read_rows(path)
