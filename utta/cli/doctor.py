"""`utta doctor`: what is here, what is missing, and how to get it.

It looks and changes nothing but for making the user's own folder. It imports no heavy library: versions come from the
installed packages' metadata, so a broken one does not stop it. It does not try whether a model answers.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click

from utta.core import system
from utta.core.errors import EXIT_ERROR, UttaError
from utta.core.paths import answers_folder, home

API_KEYS = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "MISTRAL_API_KEY",
    "GROQ_API_KEY",
    "OPENROUTER_API_KEY",
    "AZURE_API_KEY",
)
GIB = 1 << 30
NEEDED_DISK = GIB  # fetching the embedded model takes half of it for a moment
INSTALL = "run scripts/quickstart, or: pip install -c constraints.txt -e ."


@dataclass(frozen=True)
class Check:
    """One thing looked for. `missing` is needed and not here; `optional` is not here and can be done without."""

    name: str
    status: Literal["ok", "missing", "optional"]
    found: str
    advice: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON, for a script.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Show what is installed, which models and keys are here, and how to get what is missing.

    Exits with 1 when something is missing that UTTA needs. Of an API key only its name is shown.

    \b
    Example:
      utta doctor
      utta doctor --json
    """
    checks = list(examine())
    missing = [check.name for check in checks if check.status == "missing"]
    if as_json:
        import json

        click.echo(json.dumps({"ready": not missing, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _print(checks, missing)
    if missing:
        ctx.exit(EXIT_ERROR)


def examine() -> Iterator[Check]:
    """All checks, in the order in which they are shown."""
    yield _python()
    yield from _packages()
    yield from _folder()
    yield from _models()
    yield from _machine()
    yield _keys()
    yield from _caches()


def _python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info < (3, 15):
        return Check("Python", "ok", f"{version} at {sys.executable}")
    return Check("Python", "missing", version, "install Python 3.11 to 3.14 and run scripts/quickstart with it")


def _packages() -> Iterator[Check]:
    """One check for all required packages that are here in a good version, and one for each that is not."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    try:
        required = [Requirement(line) for line in requires("utta") or []]
    except PackageNotFoundError:
        yield Check("packages", "missing", "utta is not installed", INSTALL)
        return
    good = []
    for requirement in required:
        extra = next(
            (e for e in ("", "gpu") if not requirement.marker or requirement.marker.evaluate({"extra": e})), None
        )
        if extra is None:
            continue
        try:
            seen = version(requirement.name)
        except PackageNotFoundError:
            if extra:
                yield Check(
                    requirement.name, "optional", "not installed", f"for 4-bit weights: pip install 'utta[{extra}]'"
                )
            else:
                yield Check(requirement.name, "missing", "not installed", INSTALL)
            continue
        if requirement.specifier.contains(seen, prereleases=True):
            good.append(f"{requirement.name} {seen}")
        else:
            yield Check(requirement.name, "missing", f"{seen}, not {requirement.specifier}", INSTALL)
    yield Check("packages", "ok", ", ".join(good))


def _folder() -> Iterator[Check]:
    """The user's folder and the room on its disk."""
    try:
        folder = home()
        free = system.free_disk(folder)
    except OSError as error:
        yield Check("UTTA_HOME", "missing", f"{error.filename}: {error.strerror}", "set UTTA_HOME to a folder of yours")
        return
    if os.access(folder, os.W_OK):
        yield Check("UTTA_HOME", "ok", str(folder))
    else:
        yield Check("UTTA_HOME", "missing", f"{folder} cannot be written to", "set UTTA_HOME to a folder of yours")
    room = f"{free / GIB:.1f} GiB free"
    if free >= NEEDED_DISK:
        yield Check("disk", "ok", room)
    else:
        yield Check(
            "disk", "missing", room, f"make room: {NEEDED_DISK / GIB:.0f} GiB is needed, or set UTTA_HOME elsewhere"
        )


def _models() -> Iterator[Check]:
    from utta.models.catalogue import CATALOGUE, DEFAULT, locate

    for name, model in CATALOGUE.items():
        try:
            yield Check(name, "ok", str(locate(name).folder))
        except (UttaError, OSError):
            status: Literal["missing", "optional"] = "missing" if name == DEFAULT else "optional"
            yield Check(name, status, f"not here ({model.about})", f"utta models pull {name}")


def _machine() -> Iterator[Check]:
    yield Check("CPU", "ok", f"{system.cpu_cores()} cores")
    if flags := system.bf16_flags():
        yield Check("bf16", "ok", f"yes ({', '.join(flags)})")
    else:
        yield Check("bf16", "optional", "no: local models run, only slower")
    memory = system.memory()
    yield Check("memory", "ok", "unknown" if memory is None else f"{memory / GIB:.1f} GiB")
    yield _gpu()


def _gpu() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    found = system.gpus()
    if not found:
        return Check("GPU", "optional", "none: the embedded model does not need one")
    try:
        build = version("torch")
    except PackageNotFoundError:
        build = ""
    if build.endswith("+cpu"):
        return Check(
            "GPU", "optional", f"{'; '.join(found)}, not used by torch {build}", "install a CUDA build of torch"
        )
    return Check("GPU", "ok", "; ".join(found))


def _keys() -> Check:
    """Which keys of API models are set. Their values are not read further."""
    present = [name for name in API_KEYS if os.environ.get(name)]
    absent = [name for name in API_KEYS if name not in present]
    named = {"set": present, "not set": absent}
    found = "; ".join(f"{word}: {', '.join(names)}" for word, names in named.items() if names)
    if present:
        return Check("API keys", "ok", found)
    return Check("API keys", "optional", found, "to use an API model, export its provider's key")


def _caches() -> Iterator[Check]:
    """The caches on disk and their sizes: our answers, and the hub's, which other programs share."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE

        answers = answers_folder()
    except (ImportError, OSError):
        return  # said by the checks of the packages and of UTTA_HOME
    off = ", not used: UTTA_CACHE=off" if os.environ.get("UTTA_CACHE") == "off" else ""
    yield Check("answer cache", "ok", f"{answers} ({_size(answers)}{off}); it holds students' texts")
    yield Check("hub cache", "ok", f"{HF_HUB_CACHE} ({_size(Path(HF_HUB_CACHE))}), shared with other programs")


def _size(folder: Path) -> str:
    if not folder.is_dir():
        return "empty"
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return f"{size / (1 << 20):,.0f} MiB"


def _print(checks: list[Check], missing: list[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "missing": "bold red", "optional": "dim"}
    table = Table("check", "status", "found", box=box.SIMPLE_HEAD, pad_edge=False)
    for check in checks:
        advice = f"\n→ {check.advice}" if check.advice else ""
        table.add_row(
            Text(check.name), Text(check.status, styles[check.status]), Text(check.found + advice, overflow="fold")
        )
    console = Console(highlight=False, soft_wrap=False)
    console.print(table)
    verdict = (
        f"Missing: {', '.join(missing)}. See → for how to get it." if missing else "Everything that UTTA needs is here."
    )
    console.print(Text(verdict, "bold red" if missing else "green"))
