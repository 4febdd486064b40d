"""Parquet files, both ways: one record in a row, columns as `utta.sources.rows` says.

Rows are read and written a few hundred at a time, so that a file may be larger than the memory.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from utta.core.errors import UttaError, shorten
from utta.core.files import replacing
from utta.records.read import Fault
from utta.records.record import Record
from utta.sources import rows
from utta.sources.table import Table

if TYPE_CHECKING:
    import pyarrow

R = TypeVar("R", bound=Record)


def read(path: Path, record: type[R], layout: Table) -> Iterator[list[R | Fault]]:
    """One list per row: its record, or what is wrong with it; `UttaError` when it is no whole Parquet file."""
    found = _rows(path)
    columns = next(found)
    yield from rows.records(found, columns, path, record, layout)


def _rows(path: Path) -> Iterator[Any]:
    """First the names of the columns, then each row."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield file.schema_arrow.names
            for batch in file.iter_batches(rows.BATCH):
                yield from batch.to_pylist()
    except FileNotFoundError:
        raise UttaError(f"There is no file {path}; check the path.") from None
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UttaError(
            f"{path} is not a whole Parquet file ({shorten(error)}); it may be cut off, so fetch it anew."
        ) from None


def write(out: Path, records: Iterable[Record], schema: "pyarrow.Schema") -> None:
    """Write records of one kind, whole or not at all; `schema` is that of `utta.sources.rows`."""
    import pyarrow
    from pyarrow import parquet

    left = map(rows.row, records)
    with replacing(out) as made, parquet.ParquetWriter(made, schema) as file:
        while batch := list(islice(left, rows.BATCH)):
            file.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema))
