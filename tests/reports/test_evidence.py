import pytest

from utta.reports.terminal import render


def flat(shown):
    return " ".join(shown.split())


def group(value, gap, low, high):
    gap = {"value": gap, "low": low, "high": high}
    agreement = {"value": 0.7, "low": 0.6, "high": 0.8}
    biased = low > 0 or high < 0
    return {"value": value, "n": 30, "problems": 9, "few": False, "agreement": agreement, "gap": gap, "biased": biased}


def test_brief_shows_twelve_groups_and_those_that_stand_out_first(results, printed):
    quiet = [group(f"quiet {i:02}", 0.3 - i / 100, -0.1, 0.7) for i in range(20)]
    results["slices"] = {"responder": [*quiet, group("small but sure", 0.02, 0.01, 0.03)]}
    shown = printed(render, results)
    rows = [line.split("  ")[0] for line in shown.splitlines() if line.startswith("responder: ")]
    assert rows == ["responder: small but sure", *(f"responder: quiet {i:02}" for i in range(11))]
    assert "1 of 21 groups stands out: responder small but sure." in flat(shown)
    assert "12 of 21 groups shown, those with the widest gaps; more with --full." in flat(shown)
    full = printed(render, results, full=True)
    assert sum(line.startswith("quiet ") for line in full.splitlines()) == 20 and "--full." not in full


def test_groups_that_do_not_stand_out_are_said_not_to(results, printed):
    results["slices"] = {"length": [group("short", 0.1, -0.1, 0.3), group("long", -0.1, -0.3, 0.1)]}
    shown = flat(printed(render, results))
    assert "None of 2 groups stands out: the interval of every gap holds 0." in shown
    assert "groups shown" not in shown


def test_a_group_that_is_too_small_has_its_n_and_no_figure(results, printed):
    lines = printed(render, results, full=True).splitlines()
    assert next(line.split() for line in lines if line.startswith("Novice")) == ["Novice", "17", "17", "few", "–"]
    assert "Novice" not in printed(render, results)


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        ((0.05, 0.02, 0.08), "excludes 0"),
        ((0.01, -0.02, 0.04), "does not exclude 0"),
        ((-0.03, -0.05, -0.01), "lies wholly below 0"),
    ],
)
def test_the_sentence_on_deferral_claims_what_the_interval_does(results, printed, gain, says):
    results["confidence"]["deferral"][1]["gain"] = dict(zip(("value", "low", "high"), gain, strict=True))
    shown = flat(printed(render, results))
    assert "With the least confident 20% of the decisions given to a person" in shown
    assert f"{says}. Confidence against agreement" in shown


def test_parts_that_could_not_be_computed(results, printed):
    results["confidence"] = {"bins": [], "deferral": []}
    results["slices"] = {}
    results["edge_cases"] |= {"forms": [], "cost": None, "swapped": None, "fooled_instructions": None}
    results["learning_curve"] = {"points": [], "forecast": None, "note": "Too few problems for a curve."}
    shown = printed(render, results, full=True)
    assert "Too few problems for a curve." in shown and "Groups of responses" not in shown


def test_full_shows_each_reviewer_and_brief_the_range(results, printed):
    assert ".65 to .70" in printed(render, results) and ".65 [.48 .79]" not in printed(render, results)
    assert ".65 [.48 .79]" in printed(render, results, full=True)
