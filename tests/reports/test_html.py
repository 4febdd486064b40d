import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utta.reports.html import page
from utta.reports.layout import NO_BREAK
from utta.reports.results import check_results
from utta.reports.terminal import render
from utta.reports.verdict import verdict, warnings

FIGURE = re.compile(r"[-+]?\d?\.\d+ \[[-+.\d]+ [-+.\d]+\]")
VOID = {"meta", "br", "input", "link", "img"}


class Page(HTMLParser):
    """What a browser would make of the page: its elements, its text, and the text of each article."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.words, self.articles = [], [], [], []
        self.feed(markup)
        self.close()
        self.text = " ".join(" ".join(self.words).replace(NO_BREAK, " ").split())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "article":
            self.articles.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)
        if "article" in self.open:
            self.articles[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def made(results, run="run"):
    return Page(page(check_results(results), Path(run)))


def test_every_figure_of_the_terminal_stands_on_the_page(results, run, printed):
    shown = made(results).text
    for full in (False, True):
        terminal = " ".join(printed(render, results, width=200, full=full).split())
        figures = set(FIGURE.findall(terminal))
        assert len(figures) > 40
        assert not [figure for figure in figures if figure not in shown]
    for sentence in (
        "Gate failed: kappa >= 0.6, seen .41.",
        "Forecast for TF-IDF, if its curve goes on as it did: .64",
        "smollm2-135m-q4@",
    ):
        assert sentence in shown


def test_the_page_loads_nothing(results, run):
    markup = page(check_results(results), run)
    found = Page(markup)
    for _, attributes in found.elements:
        for name in ("src", "action", "data", "poster", "srcset", "xlink:href"):
            assert name not in attributes
        assert attributes.get("href", "#").startswith("#")
    policy = next(each for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy")["content"]
    assert policy.startswith("default-src 'none'; ") and "script-src 'sha256-" in policy
    mine = markup.replace("https://example.org", "")  # stands in a made-up reply
    assert "//" not in re.sub(r"^// .*$", "", mine, flags=re.MULTILINE)
    assert "url(" not in mine and "@import" not in mine


def test_all_disagreements_with_what_the_filters_need(results, run):
    found = made(results)
    articles = found.all("article")
    assert len(articles) == 5
    said = {"criterion": "Mistake_Location", "experts": "To some extent", "judge": "Yes", "responder": "unknown"}
    assert articles[-1] == {f"data-{name}": value for name, value in said.items()}
    offered = [each["value"] for each in found.all("option") if each["value"]]
    assert offered == ["Mistake_Location", "To some extent", "Yes", "No", "Yes", "model 0", "model 1", "unknown"]
    assert "Conversation, 2 turns" in found.articles[0] and "Is it 0?\nOr not?" in found.articles[0]
    assert "worst" not in found.text


def test_without_the_data_the_worst_few_and_a_word_on_it(results, run):
    Path("test.jsonl").unlink()
    found = made(results)
    assert len(found.articles) == 6
    assert "These are the worst 6 alone: test.jsonl is not there, seen from the working folder." in found.text
    assert "So she has 8 apples left" in found.articles[1]


def test_a_reply_that_holds_markup_is_text(results, run):
    found = made(results)
    assert len(found.all("script")) == 1 and not found.all("img")
    assert '<script>document.title = "taken"</script></script><img src=x onerror=alert(1)>' in found.articles[0]
    assert "{{ 7 * 7 }} ]]>" in found.articles[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(said=st.text(max_size=60) | st.sampled_from(["</article>", "<!--", "]]>", "&lt;b&gt;", '" onload="x', "' '>"]))
def test_no_text_changes_the_shape_of_the_page(results, run, said):
    Path("test.jsonl").unlink(missing_ok=True)
    shape = [tag for tag, _ in made(results).elements]
    changed = {
        **results,
        "disagreements": [{**each, "response": said, "student": said} for each in results["disagreements"]],
    }
    changed["learning_curve"] = {**results["learning_curve"], "note": f"x{said}"}
    changed["edge_cases"]["forms"][1]["form"] = changed["slices"]["responder"][0]["value"] = said
    markup = page(check_results(changed), run)
    found = Page(markup)
    assert [tag for tag, _ in found.elements] == shape
    assert {unicodedata.category(c) for c in markup.replace("\n", "")}.isdisjoint({"Cc", "Cs"})


def test_tables_and_charts_can_be_read_aloud(results, run):
    found = made(results)
    assert all(each.get("scope") in ("col", "row") for each in found.all("th"))
    assert found.all("html") == [{"lang": "en"}]
    ids = [each["id"] for _, each in found.elements if "id" in each]
    assert len(ids) == len(set(ids))
    pictures = [each for each in found.all("svg") if each.get("role") == "img"]
    assert len(pictures) == 8 and all(each["aria-labelledby"] in ids for each in pictures)
    assert (
        {each["for"] for each in found.all("label")}
        == {"criterion", "experts", "judge", "responder", "text"}
        <= set(ids)
    )
    assert all(each["href"][1:] in ids for each in found.all("a")) and all(
        each["href"][1:] in ids for each in found.all("use")
    )


def test_the_script_stays_short(results, run):
    script = re.search(r"<script>(.*?)</script>", page(check_results(results), run), re.DOTALL)[1]
    assert 0 < len(script.splitlines()) <= 60


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_words_and_marks_stand_out_as_wcag_aa_asks(results, run):
    """4.5 to 1 for words, 3 to 1 for marks, in light and dark; on the darkest shade of a confusion table as well."""
    roots = re.findall(r":root \{(.*?)\}", page(check_results(results), run), re.DOTALL)
    assert len(roots) == 2
    for root in roots:
        colours = dict(re.findall(r"--(\w+): (#\w{6}|\d+, \d+, \d+);", root))
        paper = [int(colours["paper"][i : i + 2], 16) for i in (1, 3, 5)]
        shade = [int(part) for part in colours["shade"].split(",")]
        darkest = "#" + "".join(f"{round(0.35 * s + 0.65 * p):02x}" for s, p in zip(shade, paper, strict=True))
        for words, ground in (
            ("ink", "paper"),
            ("soft", "paper"),
            ("link", "paper"),
            ("ink", "panel"),
            ("ink", "warning"),
        ):
            assert contrast(colours[words], colours[ground]) >= 4.5, (words, ground)
        assert contrast(colours["ink"], darkest) >= 4.5
        for mark in ("judge", "tfidf", "commonest", "forecast"):
            assert contrast(colours[mark], colours["paper"]) >= 3, mark


def test_an_older_run_and_one_with_nothing_scored(results, run):
    for key in ("slices", "confidence", "reviewers", "edge_cases", "learning_curve"):
        del results[key]
    assert "Groups of responses" not in made(results).text
    results["counts"] = {"decisions": 1200, "scored": 0, "unscored": 1200, "errors": 0}
    bare = made(results)
    assert "1,200 unscored" in bare.text and not bare.articles and not bare.all("form")


def test_a_run_without_intervals_or_confusion(results, run):
    for criterion in results["criteria"].values():
        criterion["confusion"], criterion["baselines"] = [], {}
        criterion["metrics"] = {name: {"value": 0.5} for name in criterion["metrics"]}
    results["mean"]["baselines"] = {}
    assert ".50 [–]" in made(results).text


def test_the_page_begins_with_the_verdict_and_the_warnings(results, run):
    checked = check_results(results)
    assert len(warnings(checked)) == 3
    for line in (verdict(checked), *warnings(checked)):
        assert line in made(results).text
