"""The table of a folder, a row a face, written row by row: CSV, or Parquet for what has millions of rows."""

from collections.abc import Iterable, Iterator, Mapping
from csv import writer as csv_writer
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from ferlib.files import atomic_path
from ferlib.packages import need
from ferlib.pipeline import ROW_COLUMNS, Face
from ferlib.text import as_text

CSV_COLUMNS = ("source", "face", *ROW_COLUMNS)
"""Columns of the table: `face` counts from 1, from left to right; `sure` is 1 when the confidence reaches the model's
threshold, else 0; the last eight are probabilities."""

_ROWS_AT_ONCE = 4096  # rows that are written together into a Parquet file, and the most that are in memory


def rows_of(source: str | Path, faces: Iterable[Face | Mapping[str, Any]]) -> Iterator[list]:
    """Make the rows of one picture.

    Args:
        source: the picture.
        faces: its faces from left to right, or what `Face.to_dict` gave of them.

    Yields:
        The values of `CSV_COLUMNS`, a row a face.
    """
    for index, face in enumerate(faces, 1):
        yield [str(source), index, *(face if isinstance(face, Face) else Face.from_dict(face)).row()]


def write_csv(target: Path, rows: Iterable[list], *, bom: bool = False) -> None:
    """Write the table as CSV, whole or not at all.

    Args:
        target: the file.
        rows: values of `CSV_COLUMNS`.
        bom: begin with a byte order mark, by which spreadsheets know UTF-8.
    """
    encoding = "utf-8-sig" if bom else "utf-8"
    with atomic_path(target) as temporary, open(temporary, "w", encoding=encoding, newline="") as handle:
        table = csv_writer(handle)
        table.writerow(CSV_COLUMNS)
        table.writerows([spreadsheet_cell(row[0]), *row[1:]] for row in rows)


def spreadsheet_cell(name: str) -> str:
    """Make a file name safe in a CSV table, which spreadsheets search for formulas.

    Args:
        name: the name; bytes of it that are no text become escapes.

    Returns:
        The name, with an apostrophe before it where it begins like a formula (OWASP, "CSV Injection").
    """
    name = as_text(name)
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else name


def write_parquet(target: Path, rows: Iterable[list]) -> None:
    """Write the table as Parquet, whole or not at all.

    Args:
        target: the file.
        rows: values of `CSV_COLUMNS`.

    Raises:
        FerlibError: pyarrow is missing.
    """
    pyarrow, parquet = need_pyarrow()
    schema, rows = parquet_schema(), iter(rows)
    with atomic_path(target) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        while group := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_batch(pyarrow.record_batch(arrow_columns(group, schema), schema=schema))


def arrow_columns(rows: Iterable[list], schema: Any) -> list[Any]:
    """Turn rows into pyarrow arrays, a column each.

    Args:
        rows: values of the schema's columns, those of `CSV_COLUMNS` first; None where a value is missing.
        schema: `parquet_schema`, perhaps with more columns.
    """
    pyarrow, _ = need_pyarrow()
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in schema]
    source, sure = CSV_COLUMNS.index("source"), CSV_COLUMNS.index("sure")
    columns[source] = [as_text(name) for name in columns[source]]
    columns[sure] = [None if value is None else bool(value) for value in columns[sure]]
    return [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]


def parquet_schema() -> Any:
    """Names and types of the columns as pyarrow has them."""
    pyarrow, _ = need_pyarrow()
    types = dict.fromkeys(CSV_COLUMNS, pyarrow.float32())
    types |= {"source": pyarrow.string(), "face": pyarrow.int32(), "emotion": pyarrow.string(), "sure": pyarrow.bool_()}
    return pyarrow.schema(list(types.items()))


def need_pyarrow() -> tuple[ModuleType, ModuleType]:
    """Import pyarrow and its module for Parquet, which few people need and all would download (50 MB).

    Raises:
        FerlibError: pyarrow is missing.
    """
    return need("pyarrow", "Parquet", "parquet"), need("pyarrow.parquet", "Parquet", "parquet")
