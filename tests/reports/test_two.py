import json
from pathlib import Path

import pytest

from utta.core.errors import UttaError
from utta.reports.results import same_run
from utta.reports.two import report_two


@pytest.fixture
def runs(results, tmp_path, monkeypatch):
    """Two run folders; the first was compared with the second."""
    monkeypatch.chdir(tmp_path)

    def write(name, **changes):
        Path("runs", name).mkdir(parents=True, exist_ok=True)
        Path("runs", name, "results.json").write_text(json.dumps(results | changes), encoding="utf-8")
        return Path("runs", name)

    write("judge-test")
    write("base-test", comparison=None)
    return write


def test_both_runs_and_the_stored_difference(runs, printed):
    shown = printed(report_two, Path("runs/judge-test"), Path("runs/base-test"))
    assert "A is above B on\n4 of 4 criteria" in shown
    row = next(line for line in shown.splitlines() if line.startswith("Mistake_Identification"))
    assert row.split(None, 1)[1] == ".66 [.59 .72]  .66 [.59 .72]   +.30 [+.23 +.37] above"
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_other_way_round_the_difference_is_named_rightly(runs, printed):
    shown = printed(report_two, Path("runs/base-test"), Path("runs/judge-test"))
    assert "B minus A" in shown and "A minus B" not in shown
    assert "B is above A on" in " ".join(shown.split())


def test_without_a_stored_difference_it_says_how_to_get_one(runs, printed):
    runs("judge-test", comparison=None)
    shown = printed(report_two, Path("runs/judge-test"), Path("runs/base-test"))
    assert "`utta evaluate … --against RUN` gives the paired difference" in " ".join(shown.split())
    assert "minus" not in shown and "\n\n\n" not in shown


def test_runs_on_different_data_are_not_put_side_by_side_in_silence(runs, results, printed):
    runs("base-test", comparison=None, data=results["data"] | {"sha256": "0" * 64})
    shown = printed(report_two, Path("runs/judge-test"), Path("runs/base-test"))
    assert "Warning: the runs judged different data files" in shown


def test_a_program_is_refused(runs, printed):
    Path("judge").mkdir()
    Path("judge/manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UttaError, match="judge holds a program and no evaluation"):
        printed(report_two, Path("runs/judge-test"), Path("judge"))


def test_same_run_from_another_folder(tmp_path):
    folder = tmp_path / "runs" / "base"
    assert same_run("runs/base", folder) and same_run("./runs/base/", folder) and same_run(str(folder), folder)
    assert not same_run("runs/other", folder) and not same_run("base2", folder) and not same_run(".", folder)
