"""Data sets of Hugging Face `datasets`, both ways: a folder of `save_to_disk`, or an id of the hub.

    FOLDER, FOLDER:train, owner/name:train          a split is named after a colon

Columns are as `utta.sources.rows` says. Nothing is kept in the library's cache, which would hold on to what students
wrote: a set of the hub is read as it streams in, and what is made on the way to a folder lies in a temporary one.
No code of a data set is run.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from utta.core.errors import UttaError, shorten
from utta.core.files import replacing
from utta.records.read import Fault
from utta.records.record import Record
from utta.sources import parquet, rows
from utta.sources.table import Table

if TYPE_CHECKING:
    import pyarrow

R = TypeVar("R", bound=Record)

HUB_SECONDS = 10  # how long the hub may take to answer


def read(path: Path, record: type[R], layout: Table) -> Iterator[list[R | Fault]]:
    """One list per row: its record, or what is wrong with it.

    Raises `UttaError` when there is no such set or split, or when it cannot be read.
    """
    found = _rows(path)
    columns = next(found)
    yield from rows.records(found, columns, path, record, layout)


def _rows(path: Path) -> Iterator[Any]:
    """First the names of the columns, then each row."""
    folder, split = _parted(path)
    if folder.is_file():
        raise UttaError(f"{folder} is a file; give the folder that save_to_disk wrote, or import it as parquet or csv.")
    try:
        found = _folder(folder) if folder.is_dir() else _hub(str(folder))
        chosen = _chosen(found, split, path)
        yield list(chosen.features or next(iter(chosen), {}))
        for batch in chosen.with_format("arrow").iter(rows.BATCH):
            yield from batch.to_pylist()
    except UttaError:
        raise
    except Exception as error:  # the library raises many kinds: no such id, a missing file, a damaged one
        raise UttaError(
            f"The data set {path} cannot be read ({type(error).__name__}: {shorten(error, 200)})."
        ) from None


def _parted(path: Path) -> tuple[Path, str]:
    """A folder or id, and the split that is named after it."""
    if path.exists():
        return path, ""
    before, _, split = str(path).rpartition(":")
    return (Path(before), split) if before else (path, "")


def _folder(folder: Path) -> Any:
    from datasets import load_from_disk

    return load_from_disk(str(folder))


def _hub(name: str) -> Any:
    from datasets import load_dataset
    from huggingface_hub import HfApi

    try:
        # Asked here because reading itself would wait for ever for a hub that does not answer.
        HfApi().dataset_info(name, timeout=HUB_SECONDS)
    except Exception as error:  # no such id, no access, no network
        raise UttaError(
            f"There is no folder {name}, and the hub gave no data set of that name ({type(error).__name__}); check the name."
        ) from None
    with tempfile.TemporaryDirectory() as cache:
        return load_dataset(name, streaming=True, cache_dir=cache)


def _chosen(found: Any, split: str, path: Path) -> Any:
    """The split asked for, or the only one."""
    splits = dict(found) if isinstance(found, dict) else {str(found.split or ""): found}
    if split in splits:
        return splits[split]
    if split:
        raise UttaError(f"The data set {path} has no split {split!r}; it has {', '.join(splits) or 'none'}.")
    if len(splits) != 1:
        raise UttaError(
            f"{path} has {len(splits)} splits; name one of {', '.join(splits)} after a colon, as in {path}:train."
        )
    return next(iter(splits.values()))


def write(out: Path, records: Iterable[Record], schema: "pyarrow.Schema") -> None:
    """Write records of one kind as a folder that `datasets.load_from_disk` opens, whole or not at all."""
    import datasets

    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise UttaError(f"{out} is there already; name another folder with --out, or remove it.")
    datasets.disable_progress_bars()
    with replacing(out) as made, tempfile.TemporaryDirectory(dir=made.parent) as cache:
        parquet.write(Path(cache) / "rows.parquet", records, schema)
        whole = datasets.Dataset.from_parquet(str(Path(cache) / "rows.parquet"), cache_dir=cache)
        whole.save_to_disk(str(made))
