"""One progress bar with the time left, on standard error, so that standard output stays clean for `--json` and pipes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(title: str, total: int, *, done: int = 0) -> Iterator[Callable[..., None]]:
    """Show a bar while the block runs; yields `advance(step=1, note="")`.

    `done` is what an earlier, interrupted run had finished: it counts in the bar and not in the speed.
    Without a terminal a line is printed at the start, for each note, and at the end.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    if not console.is_terminal:
        console.print(f"{title}: {total - done} to do" + (f", {done} done before" if done else ""))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, completed=done, note="")

        def advance(step: int = 1, note: str | None = None) -> None:
            bar.update(task, advance=step)
            if note is not None:
                bar.update(task, note=note)
                if not console.is_terminal:
                    console.print(f"{title}: {note}")

        yield advance
    if not console.is_terminal:
        console.print(f"{title}: done")
