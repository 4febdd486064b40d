"""The plan of a training for people: what `utta distill --dry-run` found, drawn with rich.

It computes no figure: all of them come from `utta.distill.plan.plan`.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from utta.reports.layout import heading, note, pairs, ruled_table
from utta.reports.numbers import MISSING, counted
from utta.reports.text import safe, safe_lines, text

SHOWN = 5
ENDS = 24  # characters of a run's text that are shown
SIGNS = {"whole": "#", "own": "\\", "hidden": "."}


def render_plan(planned: dict[str, Any], console: Console) -> None:
    """Draw a plan: the training, its cost, what to mend first, the labels, and one row as the model sees it."""
    console.print(text("A dry run: nothing is trained, nothing is written", style="bold"))
    console.print()
    _training(planned, console)
    _cost(planned["estimate"], planned["epochs"], console)
    _faults(planned, console)
    _labels(planned["criteria"], planned["balance"], console)
    _sight(planned["mask"], console)
    _read_outs(planned["mask"], console)
    heading(console, "One prompt, up to its read-out")
    console.print(text("") + Text(safe_lines(planned["prompt"]), overflow="fold"))


def render_text_plan(planned: dict[str, Any], console: Console) -> None:
    """Draw the plan of a training of a program that writes."""
    console.print(text("A dry run: nothing is trained, nothing is written", style="bold"))
    console.print()
    rows = [("Model", planned["model"])]
    for part in ("train", "validation"):
        told = planned[part]
        rows.append(
            (part.capitalize(), f"{counted(told['rows'], 'row')} of {counted(told['records'], 'record')}; "
                                f"{told['tokens']:,} tokens, of which {told['learned_tokens']:,} are learned; "
                                f"{told['too_long']:,} too long, put aside")
        )  # fmt: skip
        if "chats" in told:
            rows.append(
                (
                    "",
                    f"{told['chats']:,} of these rows are chats that are good enough, of {told['chats_given']:,} given",
                )
            )
    pairs(console, rows)
    _cost(planned["estimate"], planned["epochs"], console)
    heading(console, "The shortest row; what is learned stands in 【 】")
    console.print(text("") + Text(safe_lines(planned["row"]), overflow="fold"))


def _training(planned: dict[str, Any], console: Console) -> None:
    tokens = planned["tokens"]
    withheld = [
        f"{part}: {', '.join(f'{reason} {n:,}' for reason, n in found.items())}"
        for part, found in planned["withheld"].items()
        if found
    ]
    rows = [
        ("Model", planned["model"]),
        ("Training", f"{counted(planned['training_responses'], 'response')} to "
                     f"{counted(planned['conversations'], 'conversation')}"),
        ("Validation", counted(planned["validation_responses"], "response")),
        ("Withheld", "; ".join(withheld) or "none"),
        ("Decisions", f"{planned['decisions_with_a_label']:,} with a label, "
                      f"{planned['decisions_without_a_label']:,} without one, which teach nothing"),
        ("Tokens an epoch", f"{tokens['per_epoch']:,}, {tokens['per_decision']:,} a decision"),
        ("The plain way", f"{tokens['plain_per_epoch']:,}, {tokens['plain_per_decision']:,} a decision; of these "
                          f"{tokens['shared']:.0%} are shared and computed once"),
        ("Longest prompt", f"{tokens['longest_prompt']:,} tokens of {tokens['most_that_the_model_reads']:,}; "
                           "nothing is ever cut"),
    ]  # fmt: skip
    pairs(console, rows)


def _cost(estimate: dict[str, Any], epochs: int, console: Console) -> None:
    heading(console, "What it takes on this machine, measured on a few steps")
    rows = [
        ("Time", f"{duration(estimate['seconds'])} for {counted(epochs, 'epoch')}, if no early one is the best"),
        ("Memory", f"{size(estimate['memory'])} at most, of {size(estimate['memory_here'])}"),
        ("Disk", f"{size(estimate['disk'])} at most, of {size(estimate['disk_free'])} free; {size(estimate['adapter'])} "
                 "are left in the end"),
    ]  # fmt: skip
    if estimate["gpu_memory"] is not None:
        rows.insert(2, ("GPU memory", f"{size(estimate['gpu_memory'])} at most"))
    pairs(console, rows)
    for name, needed, there in (("memory", "memory", "memory_here"), ("disk", "disk", "disk_free")):
        if estimate[needed] and estimate[there] and estimate[needed] > estimate[there]:
            note(console, f"There is too little {name} for this training.", style="bold yellow")


def _faults(planned: dict[str, Any], console: Console) -> None:
    heading(console, "What to look at first")
    long = [f"{each['record_id']} ({each['part']}): {each['tokens']:,} tokens, {each['over']:,} too many"
            for each in planned["too_long"]]  # fmt: skip
    _some(console, "too long for the model, put aside", "No response is too long for the model.", long)
    for part, found in planned["repeats"].items():
        lines = [f"{each['record_id']} says what {each['of']} says" + (", other levels" if each["labels_differ"] else "")
                 for each in found]  # fmt: skip
        _some(console, f"more than once in {part}", f"No reply stands twice in {part}.", lines)
    note(console, "No problem and no dialogue stands in both parts: that would be refused.")
    both = [f"{each['record_id']} stands as {each['in_training']} in training" for each in planned["replies_in_both"]]
    _some(console, "in both parts, word for word", "No reply stands in both parts word for word.", both)


def _some(console: Console, what: str, none: str, lines: Sequence[str]) -> None:
    note(console, f"{counted(len(lines), 'reply', 'replies')} {what}:" if lines else none)
    for line in lines[:SHOWN]:
        note(console, f"  {line}")
    if len(lines) > SHOWN:
        note(console, f"  and {len(lines) - SHOWN:,} more with --json")


def _labels(criteria: Sequence[dict[str, Any]], balance: float, console: Console) -> None:
    heading(console, f"Labels, and what one weighs in training with --balance {balance:g}")
    table = ruled_table(console)
    for name in ("Criterion", "Level"):
        table.add_column(Text(name), overflow="fold")
    for name in ("training", "validation", "weight"):
        table.add_column(Text(name), justify="right", no_wrap=True)
    for each in criteria:
        name = each["criterion"]
        for level in each["levels"]:
            figures = [f"{level['training']:,}", f"{level['validation']:,}", f"{level['weight']:.2f}"]
            table.add_row(text(name), text(level["label"]), *map(Text, figures))
            name = ""
        if each["unlabelled"]:
            table.add_row(text(name), Text("no label"), Text(f"{each['unlabelled']:,}"), Text(""), Text("0.00"))
    console.print(table)


def _sight(mask: dict[str, Any], console: Console) -> None:
    heading(console, "Who sees whom: the shortest conversation as it is trained on")
    shown, there = mask["responses"], mask["responses_of_the_conversation"]
    of = f"{shown} of its {there:,} replies" if shown < there else counted(there, "reply", "replies")
    note(console, f"{mask['tokens']:,} tokens, with {of}. A row for each run of tokens, a sign for each run that it may "
                  "see: # it sees it whole, \\ it sees itself up to each token, . it does not see it.")  # fmt: skip
    table = ruled_table(console)
    table.add_column(Text(""), justify="right")
    table.add_column(Text("Run"), overflow="fold")
    table.add_column(Text("sees"), no_wrap=True)
    for name in ("tokens", "from"):
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.add_column(Text("its text"), no_wrap=True)
    for row, run in enumerate(mask["runs"], start=1):
        signs = "".join(SIGNS["whole" if n in run["sees"] else "hidden"] for n in range(1, row)) + SIGNS["own"]
        signs = signs.ljust(len(mask["runs"]), SIGNS["hidden"])
        figures = [f"{run['tokens']:,}", f"{run['first_position']:,}"]
        table.add_row(str(row), text(run["name"]), Text(signs), *map(Text, figures), Text(_ends(run["text"])))
    console.print(table)


def _ends(words: str) -> str:
    """A run's text, its middle left out."""
    words = safe(words)
    half = (ENDS - 3) // 2
    return words if len(words) <= ENDS else f"{words[:half]}...{words[-half:]}"


def _read_outs(mask: dict[str, Any], console: Console) -> None:
    heading(console, "Where it is read, and its target: the weight of each level")
    table = ruled_table(console)
    table.add_column(Text("run"), justify="right")
    table.add_column(Text("Criterion"), overflow="fold")
    table.add_column(Text("Target"), overflow="fold")
    for each in mask["read_outs"]:
        target = each["target"]
        words = [f"{each['codes'][label]} {label} {weight:.2f}" for label, weight in (target or {}).items()]
        table.add_row(str(each["run"]), text(each["criterion"]), text(", ".join(words) or "no label, no loss"))
    console.print(table)


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02} min"


def size(amount: int | None) -> str:
    """Bytes as `20 MB` or `3.1 GB`."""
    if amount is None:
        return MISSING
    return f"{amount / 1e9:.1f} GB" if amount >= 1e9 else f"{amount / 1e6:.1f} MB"
