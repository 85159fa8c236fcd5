"""The table of a folder, a row a face, written row by row: CSV, or Parquet for what has millions of rows."""

from collections.abc import Iterable, Iterator
from csv import writer as csv_writer
from itertools import islice
from pathlib import Path
from typing import Any

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path

CSV_COLUMNS = (
    "source", "face", "x1", "y1", "x2", "y2", "detection_confidence", "emotion", "confidence", "sure", *EMOTIONS,
)  # fmt: skip
"""Columns of the table: `face` counts from 1, from left to right; `sure` is 1 when the confidence reaches the model's
threshold, else 0; the last eight are probabilities."""

_GROUP = 4096  # rows that are written together into a Parquet file, and the most that are in memory


def rows_of(source: Path, faces: Iterable[dict[str, Any]]) -> Iterator[list]:
    """The rows of one picture; `faces` as `Face.to_dict` gives them."""
    for index, value in enumerate(faces, 1):
        yield [
            str(source),
            index,
            *value["box"],
            value["detection_confidence"],
            value["emotion"],
            value["confidence"],
            int(value["sure"]),
            *value["probabilities"].values(),
        ]


def write_csv(target: Path, rows: Iterable[list]) -> None:
    """Write the table as CSV, whole or not at all."""
    # surrogateescape: a file name that is not valid text comes back as the bytes that it is
    with (
        atomic_path(target) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle,
    ):
        table = csv_writer(handle)
        table.writerow(CSV_COLUMNS)
        table.writerows(rows)


def write_parquet(target: Path, rows: Iterable[list]) -> None:
    """Write the table as Parquet, whole or not at all.

    Raises:
        FerlibError: pyarrow is missing.
    """
    pyarrow, parquet = need_pyarrow()
    schema, rows = parquet_schema(), iter(rows)
    with atomic_path(target) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        while group := list(islice(rows, _GROUP)):
            columns = [list(column) for column in zip(*group, strict=True)]
            columns[0] = [text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for text in columns[0]]
            columns[9] = [bool(value) for value in columns[9]]
            arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pyarrow.record_batch(arrays, schema=schema))


def parquet_schema() -> Any:
    """Names and types of the columns as pyarrow has them."""
    pyarrow, _ = need_pyarrow()
    kinds = dict.fromkeys(CSV_COLUMNS, pyarrow.float32())
    kinds |= {"source": pyarrow.string(), "face": pyarrow.int32(), "emotion": pyarrow.string(), "sure": pyarrow.bool_()}
    return pyarrow.schema(list(kinds.items()))


def need_pyarrow() -> tuple[Any, Any]:
    """pyarrow and its module for Parquet, which few people need and all would download (50 MB).

    Raises:
        FerlibError: it is missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise FerlibError("Parquet needs the package pyarrow; pip install 'ferlib[parquet]', or use --csv.") from error
    return pyarrow, parquet
