"""The page in a real browser: it draws, it filters by link, and nothing that a reply holds is run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from utta.reports.html import page
from utta.reports.results import check_results

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium or google-chrome is on the PATH")


@pytest.fixture
def browse(results, run, tmp_path):
    """Open the page, with what stands after it in the address, and give back what the browser printed."""
    address = tmp_path / "report.html"
    address.write_text(page(check_results(results), run), encoding="utf-8")

    def open_page(fragment="", *options):
        command = [
            CHROMIUM,
            *OPTIONS,
            f"--user-data-dir={tmp_path / 'browser'}",
            *options,
            f"{address.as_uri()}{fragment}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return open_page


def shown(dom):
    """The attributes of the articles that are not hidden, and what the page says of their number."""
    articles = re.findall(r"<article([^>]*)>", dom)
    said = re.search(r'<output id="shown"[^>]*>([^<]*)<', dom)[1]
    return [each for each in articles if "hidden" not in each], said


def test_without_a_filter_all_are_shown_and_no_reply_is_run(browse):
    dom = browse("", "--dump-dom")
    articles, said = shown(dom)
    assert len(articles) == 5 and said == "5 of 5 shown"
    assert "<title>utta report run</title>" in dom and '<form id="filters">' in dom


@pytest.mark.parametrize(
    ("fragment", "number"),
    [
        ("#criterion=Mistake_Location&experts=Yes&judge=No&responder=model+1", 2),
        ("#text=RESPONSE%202", 1),
        ("#judge=No&responder=unknown", 0),
    ],
)
def test_a_link_names_a_view(browse, fragment, number):
    articles, said = shown(browse(fragment, "--dump-dom"))
    assert len(articles) == number and said == f"{number} of 5 shown"


def test_it_is_drawn(browse, tmp_path):
    picture = Path(tmp_path / "page.png")
    browse("", f"--screenshot={picture}", "--window-size=1200,2400")
    raw = picture.read_bytes()
    assert raw.startswith(b"\x89PNG") and len(raw) > 50_000  # an empty page has under 20 kB
