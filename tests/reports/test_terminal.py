import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len

from utta.core.errors import UttaError
from utta.reports.layout import open_console
from utta.reports.terminal import command_lines, render

HERE = Path(__file__).parent


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("full", [False, True], ids=["brief", "full"])
def test_the_whole_report_is_as_expected(results, printed, width, full):
    """To renew after a wanted change: write what `printed` gives into the file, and read it before you keep it."""
    expected = HERE / f"expected_{'full_' if full else ''}{width}.txt"
    assert printed(render, results, width=width, full=full) == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("full", [False, True], ids=["brief", "full"])
@pytest.mark.parametrize("width", [50, 60, 80, 100, 140, 200])
def test_no_line_is_longer_than_the_width(results, printed, width, full):
    lines = printed(render, results, width=width, full=full).splitlines()
    assert max(cell_len(line) for line in lines) <= width


def test_an_older_run_has_none_of_the_newer_sections(results, printed):
    for key in ("slices", "confidence", "reviewers", "edge_cases", "learning_curve"):
        del results[key]
    shown = printed(render, results, full=True)
    assert "What was judged" in shown and "\n\n\n" not in shown
    for title in ("Groups of responses", "confidence is worth", "The reviewers", "Edge cases", "More reviews"):
        assert title not in shown


def test_eight_criteria_with_long_names_fit_at_80(results, printed):
    template = results["criteria"]["Mistake_Location"]
    names = [f"Does_the_reply_of_the_tutor_lead_the_student_on_{i}" for i in range(8)]
    results["criteria"] = dict.fromkeys(names, template)
    results["against_tfidf"]["criteria"] = {name: {"value": 0.1, "low": 0.05, "high": 0.15} for name in names}
    shown = printed(render, results)
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert shown.count(".52 [.46 .58]") == 8
    assert "above the TF-IDF baseline on 8 of 8 criteria" in " ".join(shown.split())


def test_nothing_in_a_record_reaches_the_terminal_as_a_command(results, printed):
    hostile = results["disagreements"][0]["response"]
    for place in ("label", "gold", "record_id", "criterion", "student"):
        results["disagreements"][0][place] = hostile
    results["criteria"][hostile] = results["criteria"].pop("Tutor_Tone")
    results["model"] = results["program"] = results["comparison"]["run"] = hostile
    results["paths"]["predictions"] = f"{hostile}/predictions.jsonl"
    results["gates"][1]["gate"] = hostile
    results["slices"]["responder"][1]["value"] = results["edge_cases"]["forms"][0]["form"] = hostile
    results["reviewers"]["criteria"]["Mistake_Location"]["each"][0]["reviewer"] = hostile
    results["learning_curve"]["note"] = hostile
    shown = printed(render, results, full=True)
    assert {unicodedata.category(c) for c in shown.replace("\n", "")}.isdisjoint({"Cc", "Cf", "Cs"})
    assert "[bold]Well done![/bold]" in shown


def test_what_cannot_be_computed_is_a_dash(results, printed):
    nothing = {"value": None, "low": None, "high": None}
    for criterion in results["criteria"].values():
        criterion["metrics"] = dict.fromkeys(criterion["metrics"], nothing)
    results["mean"]["metrics"] = dict.fromkeys(results["mean"]["metrics"], nothing)
    shown = printed(render, results)
    assert "the judge's mean macro-F1 cannot be\ncomputed" in shown
    row = next(line for line in shown.splitlines() if line.startswith("Mistake_Location"))
    assert row.split()[1] == "–"


def test_brief_shows_the_mean_of_the_other_measures_and_full_shows_them_by_criterion(results, printed):
    assert "Weighted kappa     .45 [.37 .51]" in printed(render, results)
    assert ".43 [.34 .52]" not in printed(render, results)
    assert ".43 [.34 .52]" in printed(render, results, full=True)


def test_a_run_without_baseline_comparison_or_disagreement(results, printed):
    for criterion in results["criteria"].values():
        criterion["baselines"] = {}
    results["mean"]["baselines"] = {}
    for key in ("against_tfidf", "comparison", "baseline_train", "effectiveness"):
        results[key] = None
    results["disagreements"], results["gates"], results["times_scored"] = [], [], 1
    shown = printed(render, results)
    assert "no TF-IDF baseline stands beside it." in " ".join(shown.split())
    assert "No baseline: name the training file" in shown
    assert "None: the judge gave the experts' level everywhere." in shown
    assert "minus" not in shown and "tuned programs were scored" not in shown
    assert "\n\n\n" not in shown


def test_with_nothing_scored_there_are_no_tables_of_agreement(results, printed):
    results["counts"] = {"decisions": 1200, "scored": 0, "unscored": 1200, "errors": 0}
    shown = printed(render, results)
    assert "1,200 unscored" in shown and "utta show" in shown
    for absent in ("macro-F1 [95%", "Other measures", "Worst disagreements", "everywhere", "on this data so far"):
        assert absent not in shown


def test_the_confusion_is_shown_only_where_it_fits(results, printed):
    assert "Who said what" not in printed(render, results, width=80)
    assert "3 Encouraging    0   29  55" in printed(render, results, width=140)
    results["criteria"]["Tutor_Tone"]["confusion"] = []
    assert "3 Encouraging" not in printed(render, results, width=140)
    assert "Who said what" in printed(render, results, width=80, full=True)


def test_thin_levels_that_macro_f1_counts_are_named_as_such(results, printed):
    results["criteria"]["Tutor_Tone"]["left_out"] = []
    shown = " ".join(printed(render, results).split())
    assert "Counted in macro-F1 although they have fewer than 10 expert labels: Tutor_Tone “Offensive”" in shown


def test_a_missing_key_is_one_sentence(results, printed):
    del results["criteria"]["Tutor_Tone"]["n"]
    with pytest.raises(UttaError, match=r"at criteria\.Tutor_Tone\.n .* nothing .*make the run anew"):
        printed(render, results)


def test_long_text_is_cut_between_words(results, printed):
    results["disagreements"][0]["response"] = "word " * 2_000_000
    shown = printed(render, results)
    assert "word word …" in shown and "wor …" not in shown


def test_a_command_is_broken_so_that_a_shell_joins_it():
    lines = command_lines(["utta", "evaluate", "PROGRAM", "--data", "a/long/path.jsonl", "--out", "DIR"], 30)
    assert lines == ["utta evaluate PROGRAM --data \\", "    a/long/path.jsonl --out \\", "    DIR"]
    assert max(map(len, lines)) <= 30


def test_a_folder_with_a_space_is_quoted(results, printed):
    results["paths"]["predictions"] = "my runs/a/predictions.jsonl"
    assert "  utta show 'my runs/a'\n" in printed(render, results)


def test_a_pipe_gets_80_columns_and_no_colour(results, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    render(results, open_console(), Path("runs/judge-test"))
    narrow = capsys.readouterr().out
    assert max(len(line) for line in narrow.splitlines()) == 80
    assert "\x1b" not in narrow and not any("\u2500" <= c <= "\u257f" for c in narrow)
    monkeypatch.setenv("COLUMNS", "140")
    render(results, open_console(), Path("runs/judge-test"))
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) > 100
