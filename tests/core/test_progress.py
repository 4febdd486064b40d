import io
import re

import pytest

from utta.core.progress import progress


class Terminal(io.StringIO):
    """What a terminal was told to draw."""

    def isatty(self):
        return True


def test_without_a_terminal_it_is_a_line_at_the_start_for_each_note_and_at_the_end(capsys):
    with progress("Judging", 10, done=4) as advance:
        advance()
        advance(5, note="loss 0.3")
    said = capsys.readouterr()
    assert said.err == "Judging: 6 to do, 4 done before\nJudging: loss 0.3\nJudging: done\n"
    assert said.out == ""


def test_a_terminal_shows_the_count_and_the_note(monkeypatch):
    drawn = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr", drawn)
    with progress("Judging", 10, done=4) as advance:
        advance(5, note="loss 0.3")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn.getvalue())
    last = text.replace("\r", "\n").strip().splitlines()[-1]
    assert last.startswith("Judging ")
    assert "9/10" in last
    assert "loss 0.3" in last


def stop():
    with progress("Judging", 2):
        raise KeyboardInterrupt


def test_an_interrupt_goes_through_and_is_not_called_done(capsys):
    with pytest.raises(KeyboardInterrupt):
        stop()
    assert capsys.readouterr().err == "Judging: 2 to do\n"
