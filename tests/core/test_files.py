"""Files must survive a kill and a full disk; both are tried on real processes."""

import hashlib
import json
import math
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from utta.core.errors import UttaError
from utta.core.files import (
    JsonLines,
    atomic,
    read_json,
    replacing,
    sha256,
    write_json,
    write_lines,
    write_list,
    write_text,
)  # fmt: skip

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def process(code, *args):
    """Python running `code` with the arguments in `sys.argv`; killed without warning when the block ends."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from utta.core.files import *\n{code}"
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def limited(code, size, *args):
    """Run `code` where no file may grow beyond `size` bytes, as on a full disk; gives what it printed."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    with process(limit + code, *args) as child:
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return out


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_written_files_read_back(tmp_path):
    write_text(tmp_path / "a" / "b" / "t.txt", "grün\n")
    assert (tmp_path / "a" / "b" / "t.txt").read_bytes() == "grün\n".encode()
    write_json(tmp_path / "v.json", {"ü": [1, None]})
    assert read_json(tmp_path / "v.json") == {"ü": [1, None]}
    assert write_lines(tmp_path / "l.jsonl", ({"n": n} for n in range(3))) == 3
    assert (tmp_path / "l.jsonl").read_text() == '{"n": 0}\n{"n": 1}\n{"n": 2}\n'
    assert sha256(tmp_path / "l.jsonl") == hashlib.sha256((tmp_path / "l.jsonl").read_bytes()).hexdigest()


def test_written_files_may_be_read_by_others(tmp_path):
    write_text(tmp_path / "t.txt", "x")
    assert (tmp_path / "t.txt").stat().st_mode & 0o777 == 0o644


def fail_halfway(path):
    with atomic(path) as file:
        file.write("new")
        raise ZeroDivisionError


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "t.txt", "old")
    with pytest.raises(ZeroDivisionError):
        fail_halfway(tmp_path / "t.txt")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "t.txt", math.nan)
    with pytest.raises(TypeError):
        write_lines(tmp_path / "t.txt", [1, object()])
    assert (tmp_path / "t.txt").read_text() == "old"
    assert names(tmp_path) == ["t.txt"]


def test_json_that_cannot_be_read_is_one_sentence(tmp_path):
    with pytest.raises(UttaError, match=r"There is no file .*x\.json"):
        read_json(tmp_path / "x.json")
    for content in (b'{"a": ', b"\xff\xfe", b""):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(UttaError, match="is not valid JSON"):
            read_json(tmp_path / "x.json")


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "t.txt", "old")
    code = (
        "import time\n"
        "with atomic(sys.argv[1]) as file:\n"
        "    file.write('new' * 100_000); file.flush(); print('half', flush=True); time.sleep(60)"
    )
    with process(code, tmp_path / "t.txt") as child:
        assert child.stdout.readline() == "half\n"
    assert child.returncode < 0
    assert (tmp_path / "t.txt").read_text() == "old"
    write_text(tmp_path / "t.txt", "newer")
    assert (tmp_path / "t.txt").read_text() == "newer"


def test_a_full_disk_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "t.json", "1")
    code = "try: write_json(sys.argv[1], 'x' * 100_000)\nexcept OSError as error: print(error.strerror)"
    assert limited(code, 4096, tmp_path / "t.json") == "File too large\n"
    assert read_json(tmp_path / "t.json") == 1
    assert names(tmp_path) == ["t.json"]


def test_a_log_goes_on_where_it_was(tmp_path):
    path = tmp_path / "runs" / "log.jsonl"
    with JsonLines(path) as log:
        assert log.done == []
        log.append([{"n": 0}, {"n": 1, "text": "two\nlines\r\u2028ü"}])
    with JsonLines(path) as log:
        assert log.done == [{"n": 0}, {"n": 1, "text": "two\nlines\r\u2028ü"}]
        log.append([{"n": 2}])
    assert [json.loads(line)["n"] for line in path.read_bytes().split(b"\n")[:-1]] == [0, 1, 2]


def test_lines_are_on_disk_as_soon_as_they_are_appended(tmp_path):
    with JsonLines(tmp_path / "log.jsonl") as log:
        log.append([1])
        assert (tmp_path / "log.jsonl").read_text() == "1\n"


@pytest.mark.parametrize("rest", ["{", '{"n": 1', '{"n": 1}', '{"text": "ü'.encode()[:-1]])
def test_an_unfinished_last_line_is_cut_off(rest, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n": 0}\n' + (rest.encode() if isinstance(rest, str) else rest))
    with JsonLines(path) as log:
        assert log.done == [{"n": 0}]
        assert path.read_text() == '{"n": 0}\n'
        log.append([{"n": 1}])
    assert path.read_text() == '{"n": 0}\n{"n": 1}\n'


def test_a_log_that_is_killed_again_and_again_loses_no_line_and_doubles_none(tmp_path):
    """Each process goes on from what the last one left and is killed in the middle of its writing."""
    path = tmp_path / "log.jsonl"
    code = (
        "log = JsonLines(sys.argv[1]); n = len(log.done); print(n, flush=True)\n"
        "while True: log.append([{'n': n, 'text': 'x' * 300_000}]); n += 1"
    )
    seen = []
    for _ in range(4):
        with process(code, path) as child:
            seen.append(int(child.stdout.readline()))
            size = os.path.getsize(path)
            while os.path.getsize(path) < size + 3_000_000:
                time.sleep(0.002)
    with JsonLines(path) as log:
        assert [value["n"] for value in log.done] == list(range(len(log.done)))
        assert all(len(value["text"]) == 300_000 for value in log.done)
    assert seen[0] == 0
    assert sorted(set(seen)) == seen


def test_a_full_disk_while_appending_keeps_every_whole_line(tmp_path):
    path = tmp_path / "log.jsonl"
    code = (
        "try:\n"
        "    with JsonLines(sys.argv[1]) as log:\n"
        "        for n in range(1000): log.append([{'n': n, 'text': 'x' * 100}])\n"
        "except OSError as error: print(n, error.strerror)"
    )
    stopped, reason = limited(code, 10_000, path).split(" ", 1)
    assert reason == "File too large\n"
    with JsonLines(path) as log:
        assert [value["n"] for value in log.done] == list(range(int(stopped)))
        log.append([{"n": int(stopped)}])
    with JsonLines(path) as log:
        assert log.done[-1] == {"n": int(stopped)}


def test_a_folder_takes_its_place_whole_or_not_at_all(tmp_path):
    def spoil():
        with replacing(tmp_path / "new") as made:
            made.mkdir()
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        spoil()
    assert list(tmp_path.iterdir()) == []
    with replacing(tmp_path / "new") as made:
        made.mkdir()
        (made / "a").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["new"] and (tmp_path / "new" / "a").read_text() == "x"


@pytest.mark.parametrize("values", [[], [1], [{"a": "é"}, None]])
def test_a_list_is_json_with_an_entry_a_line(values, tmp_path):
    write_list(tmp_path / "l.json", iter(values))
    text = (tmp_path / "l.json").read_text(encoding="utf-8")
    assert json.loads(text) == values and len(text.splitlines()) == len(values) + 2
