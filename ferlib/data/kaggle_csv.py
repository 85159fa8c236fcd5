"""Kaggle's ``fer2013.csv``: the pixels of all images as text, one row each.

Kaggle has two editions with the same rows: ``fer2013.csv`` (columns emotion, pixels, Usage) inside
``fer2013.tar.gz``, and ``icml_face_data.csv`` (columns "emotion", " Usage", " pixels", with the blanks). Both are read.
"""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ferlib.data.label_files import USAGE, Entry, readable
from ferlib.errors import FerlibError

SIZE = 48
COLUMNS = ("emotion", "pixels", "Usage")


def read_rows(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """``(emotion, pixels, usage)`` of each row as text, usage None where the file lacks that column."""
    with readable(path.name), open(path, newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle, skipinitialspace=True)
        if "pixels" not in (reader.fieldnames or []):
            raise FerlibError(f"{path.name} lacks the column pixels; get the file from Kaggle again.")
        for row in reader:
            yield row.get("emotion") or "", row["pixels"] or "", row.get("Usage")


def read_pixels(path: Path, entries: list[Entry]) -> list[str]:
    """The pixels column, after a check that the rows are those of ``fer2013new.csv`` (`entries`).

    Raises:
        FerlibError: another number of rows, or a row of another split.
    """
    rows = list(read_rows(path))
    if len(rows) != len(entries):
        raise FerlibError(
            f"{path.name} has {len(rows):,} rows but fer2013new.csv has {len(entries):,}, and the two go together "
            "row by row; get the complete files (35,887 rows each)."
        )
    for (_, _, usage), entry in zip(rows, entries, strict=True):
        if usage is not None and USAGE.get(usage) != entry.split:
            raise FerlibError(
                f"{path.name}, line {entry.row + 2} is {usage!r} but fer2013new.csv has {entry.split} there, and the "
                "two go together row by row; get both files again."
            )
    return [pixels for _, pixels, _ in rows]


def to_image(text: str, line: int) -> np.ndarray:
    """(48, 48) uint8 from the text of the pixels column; `line` of the file is named in errors."""
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):  # older numpy only warns
            values = np.fromstring(text, dtype=np.int32, sep=" ")
    except (ValueError, DeprecationWarning):
        values = np.empty(0, dtype=np.int32)
    if values.size != SIZE * SIZE or values.min() < 0 or values.max() > 255:
        raise FerlibError(
            f"fer2013.csv, line {line} does not hold {SIZE * SIZE} whole numbers from 0 to 255; get the file again."
        )
    return values.astype(np.uint8).reshape(SIZE, SIZE)
