import pytest

from utta.reports.results import check_results
from utta.reports.verdict import verdict, warnings


def difference(value, low, high):
    return {"value": value, "low": low, "high": high}


def test_one_sentence_says_what_the_intervals_say(results):
    assert verdict(check_results(results)) == (
        "On 1,188 decisions about 31 problems the judge agrees with the experts at a mean macro-F1 of .61 [.56 .65] "
        "(1 is full agreement); it is above the TF-IDF baseline on 3 of 4 criteria, but the interval of the mean "
        "difference, +.01 [-.02 +.04], does not exclude 0; it is above runs/base-test on 4 of 4 criteria, and the "
        "interval of the mean difference, +.20 [+.15 +.24], excludes 0."
    )


@pytest.mark.parametrize(
    ("above", "mean", "says"),
    [
        (4, (0.1, 0.05, 0.15), "4 of 4 criteria, and the interval of the mean difference, +.10 [+.05 +.15], excludes"),
        (1, (0.1, 0.05, 0.15), "1 of 4 criteria, but the interval of the mean difference, +.10 [+.05 +.15], excludes"),
        (0, (-0.1, -0.15, -0.05), "0 of 4 criteria, and the interval of the mean difference, -.10 [-.15 -.05], lies"),
        (1, (-0.01, -0.05, 0.03), "1 of 4 criteria, and the interval of the mean difference, -.01 [-.05 +.03], does"),
        (4, (0.02, 0.0, 0.05), "4 of 4 criteria, but the interval of the mean difference, +.02 [.00 +.05], does not"),
        (4, (0.02, None, None), "4 of 4 criteria, without an interval"),
    ],
)
def test_baseline_in_words(results, above, mean, says):
    results["comparison"] = None
    for position, name in enumerate(results["criteria"]):
        results["against_tfidf"]["criteria"][name] = difference(0.02 if position < above else -0.02, None, None)
    results["against_tfidf"]["mean"] = difference(*mean)
    assert says in verdict(check_results(results))


def test_a_criterion_without_a_difference_is_not_counted(results):
    results["against_tfidf"]["criteria"]["Tutor_Tone"] = difference(None, None, None)
    assert "above the TF-IDF baseline on 2 of 3 criteria" in verdict(check_results(results))


def test_nothing_scored(results):
    results["counts"] = {"decisions": 1200, "scored": 0, "unscored": 0, "errors": 1200}
    assert verdict(check_results(results)).startswith("None of the 1,200 decisions was scored, so nothing can be said")
    assert verdict(check_results(results)).endswith("; the judge's levels are in runs/judge-test/predictions.jsonl.")


def test_warnings_only_where_there_is_something(results):
    said = " ".join(warnings(check_results(results)))
    assert "2 tuned programs were scored" in said
    assert "3 decisions of 1,200 failed and stand in no figure; runs/judge-test/errors.jsonl says why." in said
    assert "Gate failed: kappa >= 0.6, seen .41." in said and ">= 0.5" not in said
    results["counts"] |= {"errors": 0, "rejects": 1}
    results["gates"] = []
    results["times_scored"] = 1
    results["data"]["problems"] = 3
    assert "the data is about 3 problems only" in warnings(check_results(results))[0]
    results["data"]["problems"] = 10
    assert warnings(check_results(results)) == [
        "Warning: 1 line of the data file put aside: not a review of this rubric."
    ]


def test_a_comparison_on_fewer_decisions_says_so(results):
    scored, name = results["counts"]["scored"], results["comparison"]["run"]
    results["comparison"]["n"] = {"Mistake_Location": 5, "Tutor_Tone": 1}
    said = f"{name} holds 6 of these {scored:,} decisions; the difference to it rests on those alone."
    assert said in " ".join(warnings(check_results(results)))
    results["comparison"]["n"] = {"Mistake_Location": scored}
    assert "rests on those alone" not in " ".join(warnings(check_results(results)))
