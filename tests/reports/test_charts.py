import copy

from hypothesis import given
from hypothesis import strategies as st

from utta.reports.charts import criteria_chart, group_charts, interval_chart, learning_chart, reliability_chart
from utta.reports.results import Confidence, Figure, Group, LearningCurve, check_results

shares = st.floats(0, 1, allow_nan=False)
figures = st.builds(Figure, value=shares, low=shares | st.none(), high=shares | st.none()) | st.just(Figure())


def inside(chart):
    """Every shape stands on its chart."""
    across = [x for line in chart.lines for x in (line.x1, line.x2)] + [m.x for m in (*chart.marks, *chart.words)]
    down = [y for line in chart.lines for y in (line.y1, line.y2)] + [m.y for m in (*chart.marks, *chart.words)]
    return all(0 <= x <= 100 for x in across) and all(0 <= y <= chart.height for y in down)


@given(st.lists(figures, max_size=6), st.floats(-1, -0.01), st.floats(0.01, 1))
def test_figures_stand_on_the_chart_one_mark_each(values, low, high):
    rows = [(f"row {i}", {"judge": value}) for i, value in enumerate(values)]
    chart = interval_chart("A chart", rows, {"judge": "Judge"}, low, high)
    assert inside(chart)
    assert len(chart.marks) == sum(value.known for value in values)


@given(st.lists(st.tuples(st.integers(0, 10**9), figures, figures | st.none()), max_size=6), st.integers(1, 10**9))
def test_any_learning_curve_stands_on_its_chart(points, forecast):
    rows = [{"reviews": n, "problems": 1, "tfidf": tfidf, "judge": judge} for n, tfidf, judge in points]
    curve = LearningCurve.model_validate({"points": rows, "forecast": {"reviews": forecast, "value": 0.7}})
    chart = learning_chart(curve)
    assert chart and inside(chart) and chart.series["forecast"] == "Forecast for TF-IDF"


def test_the_charts_of_a_run_show_its_figures(results):
    checked = check_results(results)
    chart = criteria_chart(checked)
    assert len(chart.marks) == 3 * 5 and "Mean, TF-IDF: .60 [.56 .64]" in [mark.words for mark in chart.marks]
    reliability = reliability_chart(checked.confidence)
    assert inside(reliability) and len(reliability.marks) == 7
    assert reliability.marks[-1].words == "confidence .96, agreement .90, n = 339"
    assert [len(each.marks) for each in group_charts("responder", checked.slices["responder"])] == [4, 4]


def test_a_higher_figure_stands_further_right_and_higher_up(results):
    chart = criteria_chart(check_results(results))
    judged = {mark.words.split(",")[0]: mark.x for mark in chart.marks if mark.series == "judge"}
    assert judged["Providing_Guidance"] < judged["Mistake_Location"] < judged["Mean"] < judged["Tutor_Tone"]
    points = learning_chart(check_results(results).learning_curve).marks
    judge = [mark for mark in points if mark.series == "judge"]
    assert [m.x for m in judge] == sorted(m.x for m in judge) and [m.y for m in judge] == sorted(
        (m.y for m in judge), reverse=True
    )


def test_nothing_to_draw_is_no_chart(results):
    assert reliability_chart(Confidence()) is None
    assert learning_chart(LearningCurve(points=[])) is None
    assert group_charts("responder", [Group(value="a", n=3, problems=1, few=True)]) == []
    bare = copy.deepcopy(results)
    bare["mean"]["baselines"] = {}
    assert set(criteria_chart(check_results(bare)).series) == {"judge"}
