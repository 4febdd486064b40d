"""A program that `utta optimize` or `utta distill` wrote: its manifest in brief.

    utta report PROGRAM

How well the program agrees with the experts is an evaluation's business; this shows what the program was made from,
the agreement on validation data by epoch (`history`), what was learnt from a teacher, and what calibration changed, where
the manifest has them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from utta.reports.layout import heading, note, pairs, ruled_table
from utta.reports.numbers import MISSING, counted, number
from utta.reports.text import text

SCORED = ("before", "after", "gain")
TABLED = ("kind", "schema_version", "history", "candidates", "calibration", "teacher", "strategies", *SCORED)
HASH_SHOWN = 12


def render_program(manifest: dict[str, Any], console: Console, folder: Path) -> None:
    """Draw `manifest` as names and values, and what it says of teachers, epochs, candidates and calibration as tables."""
    console.print(text(f"utta report {folder}", style="bold"))
    console.print()
    pairs(console, [(_title(key), _brief(value)) for key, value in manifest.items() if key not in TABLED])
    _teacher(manifest.get("teacher"), console)
    _epochs(_rows(manifest.get("history")), console)
    if manifest.get("probe"):
        note(console, "This is the adapter alone; below, the probe of the response's words decides with it.")
    _candidates(_rows(manifest.get("candidates")), console)
    _strategies(_rows(manifest.get("strategies")), console)
    _scores(manifest, console)
    _calibration(manifest.get("calibration"), console)


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _brief(value: Any) -> str:
    """A value on one line: a file with its hash and size, other pairs as `name value`, a list with commas."""
    if isinstance(value, dict) and {"file", "sha256"} <= value.keys():
        records = value.get("records")
        size = f", {counted(records, 'record')}" if isinstance(records, int) else ""
        return f"{value['file']} ({str(value['sha256'])[:HASH_SHOWN]}{size})"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(key, inner)}" for key, inner in value.items()) or MISSING
    if isinstance(value, list):
        return ", ".join(_brief(inner) for inner in value) or MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return MISSING if value is None or value == "" else str(value)


def _short(key: str, value: Any) -> str:
    return _brief(value)[:HASH_SHOWN] if key in ("hash", "sha256") else _brief(value)


def _figure(value: Any) -> str:
    return number(value) if isinstance(value, int | float) else MISSING


def _table(console: Console, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of words first, then figures; a column without a header holds remarks."""
    table = ruled_table(console)
    for position, header in enumerate(headers):
        table.add_column(Text(header), justify="right" if position and header else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(cell) for cell in row))
    console.print(table)


def _teacher(teacher: Any, console: Console) -> None:
    """By criterion how sure the teacher had to be, how many of its decisions were learnt, and its agreement on validation."""
    criteria = teacher.get("criteria") if isinstance(teacher, dict) else None
    if not isinstance(criteria, dict) or not criteria:
        return
    pool = teacher.get("unlabelled") or {}
    heading(console, "Learnt from a teacher")
    pairs(
        console,
        [
            ("Programs", ", ".join(_brief(each.get("program")) for each in _rows(teacher.get("programs")))),
            ("Replies", _brief(pool)),
            ("Left out", _brief(pool.get("left_out"))),
            ("Weight", _brief(teacher.get("weight"))),
            ("Blend", _brief(teacher.get("blend"))),
        ],
    )
    console.print()
    rows = []
    for name, found in criteria.items():
        found = found if isinstance(found, dict) else {}
        on: dict[str, Any] = found.get("validation") or {}
        shown = [_figure(found.get("threshold")), _brief(found.get("decisions")), _brief(found.get("kept"))]
        rows.append([name, *shown, _figure(on.get("agreement")), _figure(on.get("agreement_kept"))])
    _table(console, ["Criterion", "kept from", "decisions", "kept", "agreement", "of those kept"], rows)


def _epochs(history: list[dict[str, Any]], console: Console) -> None:
    """Epochs, the one with the highest figure marked; what chooses is macro-F1 with level weights where it is there."""
    if not history:
        return
    if not any("macro_f1" in row for row in history):
        _losses(history, console)
        return
    weighted = all("macro_f1_weighted" in row for row in history)
    chooser = "macro_f1_weighted" if weighted else "macro_f1"
    known = [value for row in history if isinstance(value := row.get(chooser), int | float)]
    best = known.index(max(known)) if len(known) == len(history) else None
    headers = ["Epoch", "Loss", "Macro-F1", *(["with level weights"] if weighted else []), ""]
    rows = []
    for position, row in enumerate(history):
        figures = [_brief(row.get("loss")), _figure(row.get("macro_f1"))]
        figures += [_figure(row["macro_f1_weighted"])] if weighted else []
        rows.append([_brief(row.get("epoch")), *figures, "best" if position == best else ""])
    heading(console, "Agreement with the experts on validation data, by epoch")
    _table(console, headers, rows)


def _losses(history: list[dict[str, Any]], console: Console) -> None:
    """Epochs of a program that writes, the one with the least loss marked."""
    known = [value for row in history if isinstance(value := row.get("loss"), int | float)]
    best = known.index(min(known)) if len(known) == len(history) else None
    rows = [
        [_brief(r.get("epoch")), _figure(r.get("loss")), "best" if i == best else ""] for i, r in enumerate(history)
    ]
    heading(console, "Loss on validation rows (nats per token), by epoch")
    _table(console, ["Epoch", "Loss", ""], rows)


def _strategies(strategies: list[dict[str, Any]], console: Console) -> None:
    if not strategies:
        return
    heading(console, "Steps tried: mean score on validation data, in percent")
    _table(console, ["Steps", "Score"], [[_brief(row.get("strategy")), _brief(row.get("score"))] for row in strategies])


def _scores(manifest: dict[str, Any], console: Console) -> None:
    """What the objective says of a program that writes, before and after it was tuned."""
    found = {name: manifest[name] for name in SCORED if isinstance(manifest.get(name), dict)}
    if not found:
        return
    objective = manifest.get("objective")
    heading(
        console,
        f"Mean score on validation data: {_brief(objective.get('name') if isinstance(objective, dict) else None)}",
    )
    rows = [
        [
            name,
            _brief(each.get("n")),
            *(_figure(each.get(end)) for end in ("mean", "low", "high")),
            _brief(each.get("errors")),
        ]
        for name, each in found.items()
    ]
    _table(console, ["", "n", "mean", "from", "to", "failed"], rows)
    note(console, "95% intervals by problem. How good the program is, data says that chose nothing of it.")


def _candidates(candidates: list[dict[str, Any]], console: Console) -> None:
    if len(candidates) < 2:
        return
    if "prompt" in candidates[0]:
        heading(console, "Wordings tried: negative log-likelihood per token of real turns, on validation data")
        rows = [[_brief(row.get("prompt")), _brief(row.get("nll"))] for row in candidates]
        _table(console, ["Wording", "NLL"], rows)
        return
    heading(console, "Demonstrations tried: macro-F1 with level weights, on validation data")
    rows = [[_brief(row.get("demonstrations")), _figure(row.get("macro_f1_weighted"))] for row in candidates]
    _table(console, ["Demonstrations", "Macro-F1"], rows)


def _calibration(calibration: Any, console: Console) -> None:
    criteria = calibration.get("criteria") if isinstance(calibration, dict) else None
    if not isinstance(criteria, dict) or not criteria:
        return
    heading(console, f"Calibration on {_brief(calibration.get('on'))} data: macro-F1 by how a level is chosen")
    rows = []
    for name, found in criteria.items():
        found = found if isinstance(found, dict) else {}
        before, after = _figure(found.get("macro_f1_likeliest")), _figure(found.get("macro_f1_weighted"))
        rows.append([name, _brief(found.get("n")), before, after])
    _table(console, ["Criterion", "n", "likeliest", "with weights"], rows)
    if halves := calibration.get("halves"):
        each = {"likeliest": "likeliest level", "reanchor": "ReAnchor", "weights": "level weights"}
        note(
            console,
            "Fitted on one half of the problems and scored on the other: "
            + ", ".join(f"{each.get(key, key)} {_figure(value)}" for key, value in dict(halves).items())
            + ".",
        )
    note(console, "These figures chose the program; how good it is, `utta evaluate` says on data that it has not seen.")
