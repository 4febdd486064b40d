import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from utta.reports.plots import render_plots
from utta.reports.results import check_results


class Ascii(io.StringIO):
    encoding = "ascii"


def plots(results, width=80, file=None):
    console = Console(file=file or io.StringIO(), width=width, highlight=False, force_terminal=True, no_color=True)
    render_plots(check_results(results), console, "runs/judge-test")
    return console.file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize("width", [50, 80, 140])
def test_three_plots_inside_the_width_and_without_colour(results, width):
    shown = plots(results, width)
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    assert "\x1b[3" not in shown
    for title in (
        "Agreement with the experts: macro-F1",
        "Agreement by confidence",
        "Macro-F1 by the number of reviews",
    ):
        assert title in shown
    assert shown.startswith("utta report runs/judge-test\n\nOn 1,188 decisions")


def test_a_figure_stands_where_it_belongs(results):
    row = next(line for line in plots(results).splitlines() if "Tutor_Tone" in line)
    axis = next(line for line in plots(results).splitlines() if "0.00 " in line)
    zero, one = axis.index("0.00"), axis.rindex("1.00") + 3
    assert (row.index("o", row.index("┤")) - zero) / (one - zero) == pytest.approx(0.742, abs=0.04)


def test_plain_ascii_where_the_encoding_has_no_more(results):
    results["criteria"] = {"Ein_sehr_langer_Name_für_ein_Kriterium": results["criteria"]["Tutor_Tone"]}
    below = plots(results, file=Ascii()).split("Agreement with the experts", 1)[1]
    assert set(below) <= set(map(chr, range(32, 127))) | {"\n", "ü"}


def test_a_hostile_name_is_no_command(results):
    results["criteria"]["\x1b[31mred\u202e"] = results["criteria"].pop("Tutor_Tone")
    assert "\x1b[31m" not in plots(results) and "\u202e" not in plots(results)


def test_a_plot_without_figures_is_left_out(results):
    for key in ("confidence", "learning_curve"):
        results[key] = None
    results["criteria"]["Tutor_Tone"]["metrics"] = {}
    shown = plots(results)
    assert "Agreement by confidence" not in shown and "number of reviews" not in shown
    results["counts"] = {"decisions": 3, "scored": 0, "unscored": 3, "errors": 0}
    assert "┌" not in plots(results)
