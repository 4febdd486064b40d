import errno
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import utta
from utta.cli.main import COMMANDS, cli, explain
from utta.core.errors import GateFailed, UttaError

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "samples" / "reviews.jsonl"
MAIN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from utta.cli.main import main; "


def leaves(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, name
        yield from leaves(found, (*path, name))


def examples(path: tuple[str, ...]) -> list[list[str]]:
    """The arguments of each example in a command's help, without what the shell would do with the output."""
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="utta")
    assert result.exit_code == 0, result.output
    _, found, block = result.output.partition("Example:\n")
    assert found, f"no example in the help of {' '.join(path)}"
    block = block.split("\n\n")[0].replace("\\\n", " ")
    lines = [re.split(r" [|>] ", line.strip())[0] for line in block.splitlines() if line.strip().startswith("utta ")]
    assert lines, block
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.fixture
def command(monkeypatch):
    """Put a command `probe`, which does what the given function does, in place of all others, and run it."""

    def run(action, *args):
        monkeypatch.setattr(sys.modules["utta.cli.main"], "COMMANDS", {"probe": ("probe_module", "Probes.")})
        module = type(sys)("probe_module")
        module.probe = click.command("probe")(action)
        monkeypatch.setitem(sys.modules, "probe_module", module)
        return CliRunner().invoke(cli, ["probe", *args], prog_name="utta")

    return run


def fails_with(error):
    def action():
        raise error

    return action


def test_help_lists_every_command_and_imports_no_heavy_library():
    code = MAIN + (
        "import atexit; sys.argv = ['utta', '--help']; "
        "heavy = {'torch', 'transformers', 'datasets', 'dspy', 'sklearn', 'scipy', 'pydantic', 'rich'}; "
        "atexit.register(lambda: print('heavy:', heavy & set(sys.modules))); main()"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "heavy: set()" in done.stdout
    assert re.findall(r"^  (\w+)  ", done.stdout, re.MULTILINE) == list(COMMANDS)
    # The processor's time, which other programs on the machine do not lengthen as they do the clock's.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_help_of_every_command_imports_no_heavy_library():
    calls = [[*path, "--help"] for path, _ in leaves()]
    code = MAIN + (
        "from click.testing import CliRunner; from utta.cli.main import cli; "
        f"[CliRunner().invoke(cli, call) for call in {calls!r}]; "
        "print({'torch', 'transformers', 'datasets', 'dspy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_and_explains_itself(name):
    result = CliRunner().invoke(cli, [name, "--help"], prog_name="utta")
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: utta {name}")


def test_examples_of_every_command_parse(monkeypatch):
    commands = dict(leaves())
    for leaf in commands.values():
        monkeypatch.setattr(leaf, "callback", lambda *_, **values: None)
    for path in commands:
        calls = examples(path)
        assert any(tuple(call[: len(path)]) == path for call in calls), f"no example calls {' '.join(path)}"
        for call in calls:
            result = CliRunner().invoke(cli, call, prog_name="utta")
            assert result.exit_code == 0, (call, result.output)


def test_version():
    assert CliRunner().invoke(cli, ["--version"]).output == f"utta {utta.__version__}\n"


def test_an_error_of_the_user_is_one_sentence(command):
    result = command(fails_with(UttaError("The file x has no reviews; give another.")))
    assert (result.exit_code, result.stderr) == (1, "utta: The file x has no reviews; give another.\n")
    assert command(fails_with(GateFailed("macro_f1 is 0.4, not >= 0.5."))).exit_code == 100


def test_an_error_cannot_play_with_the_terminal(command):
    result = command(fails_with(UttaError("The label '\x1b[2J\u202e' is not in the rubric.")))
    assert result.stderr == "utta: The label '\\x1b[2J\\u202e' is not in the rubric.\n"


def test_a_full_disk_is_one_sentence(command):
    result = command(fails_with(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/a")))
    assert result.exit_code == 1
    assert result.stderr.startswith("utta: Writing runs/a failed (No space left on device); make room")
    assert explain(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).startswith("Writing failed")


def test_a_path_that_cannot_be_used_is_one_sentence(command, tmp_path):
    result = command((tmp_path / "none" / "x").read_text)
    assert result.exit_code == 1
    assert "none/x cannot be used (No such file or directory)" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_fault_of_the_program_keeps_its_traceback(command):
    for fault in (ValueError("x"), ConnectionResetError(104, "reset")):
        assert command(fails_with(fault)).exception is fault


def test_a_wrong_call_exits_with_2(command):
    assert CliRunner().invoke(cli, ["evalute"]).exit_code == 2
    assert CliRunner().invoke(cli, ["report", "--nonsense"]).exit_code == 2


def test_exit_codes_of_commands_go_through(command):
    result = command(lambda: click.get_current_context().exit(7))
    assert (result.exit_code, result.output) == (7, "")


def test_interrupt_says_that_the_same_command_goes_on(tmp_path):
    (tmp_path / "probe_module.py").write_text(
        "import click, time\n@click.command()\ndef probe():\n    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    code = MAIN + (
        # A shell may have told its background jobs to ignore it.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.path.insert(0, {str(tmp_path)!r}); from utta.cli import main as m; "
        "m.COMMANDS['probe'] = ('probe_module', ''); sys.argv = ['utta', 'probe']; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout.readline() == "ready\n"
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert said == "utta: Interrupted; nothing is lost, and the same command goes on where it was.\n"


def test_a_closed_pipe_is_quiet():
    code = MAIN + f"sys.argv = ['utta', 'data', 'check', {str(SAMPLE)!r}, '--json']; main()"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert done.stderr == ""


def test_a_disk_that_fills_up_loses_nothing(tmp_path):
    """A limit on the size of files stands for a full disk: both refuse a write in its middle."""
    out = tmp_path / "reviews.jsonl"
    out.write_text("what was here before\n")
    call = ["utta", "data", "import", "utta", str(SAMPLE), "--out", str(out)]
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    run = {"capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run([sys.executable, "-c", MAIN + limit + f"sys.argv = {call!r}; main()"], **run)
    assert done.returncode == 1
    assert re.fullmatch(r"utta: Writing.* failed \(File too large\); make room and run the same .*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.jsonl"]
    assert out.read_text() == "what was here before\n"
    done = subprocess.run([sys.executable, "-c", MAIN + f"sys.argv = {call!r}; main()"], **run)
    assert done.returncode == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(SAMPLE.read_text(encoding="utf-8").splitlines())


def test_libraries_are_told_to_be_quiet_unless_the_user_says_otherwise():
    code = MAIN + (
        "import atexit, os; sys.argv = ['utta', '--version']; "
        "names = 'TRANSFORMERS_VERBOSITY', 'HF_HUB_DISABLE_TELEMETRY'; "
        "atexit.register(lambda: print(*(os.environ[name] for name in names))); main()"
    )
    env = {**os.environ, "TRANSFORMERS_VERBOSITY": "info"}
    env.pop("HF_HUB_DISABLE_TELEMETRY", None)
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "info 1"
