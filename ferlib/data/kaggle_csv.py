"""Kaggle's ``fer2013.csv``: the pixels of all images as text and FER2013's own label, one row each.

Kaggle has two editions with the same rows: ``fer2013.csv`` (columns emotion, pixels, Usage) inside
``fer2013.tar.gz``, and ``icml_face_data.csv`` (columns "emotion", " Usage", " pixels", with the blanks). Both are read.
"""

import csv
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ferlib.data.label_files import USAGE, Entry, other_separator, readable
from ferlib.data.labels import KAGGLE_EMOTIONS, MEANT_INDEX
from ferlib.data.row_order import check_agreement
from ferlib.errors import FerlibError

IMAGE_SIZE = 48
"""Width and height of an image, in pixels."""

KAGGLE_COLUMNS = ("emotion", "pixels", "Usage")
"""Columns of ``fer2013.csv`` in their order."""

_MEANT_OF_CODE = {str(code): MEANT_INDEX[emotion] for code, emotion in enumerate(KAGGLE_EMOTIONS)} | {"": -1}


def read_rows(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield ``(emotion, pixels, usage)`` of each row as text; usage is None when the file lacks that column.

    Args:
        path: ``fer2013.csv`` or ``icml_face_data.csv``.

    Raises:
        FerlibError: the file is damaged or has no pixels.
    """
    with readable(path.name), open(path, newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle, skipinitialspace=True)
        if "pixels" not in (reader.fieldnames or []):
            other_separator(reader.fieldnames, path.name)
            raise FerlibError(f"{path.name} lacks the column pixels; get the file from Kaggle again.")
        for row in reader:
            yield row.get("emotion") or "", row["pixels"] or "", row.get("Usage")


def read_matched(path: Path, entries: list[Entry]) -> list[tuple[str, str]]:
    """Read the columns emotion and pixels, after a check that the rows are those of ``fer2013new.csv``.

    Args:
        path: ``fer2013.csv`` or ``icml_face_data.csv``.
        entries: all rows of ``fer2013new.csv`` in order.

    Returns:
        ``(emotion, pixels)`` of each row as text, for `to_meant` and `to_image`.

    Raises:
        FerlibError: another number of rows, a row of another split, or labels that do not agree with the votes.
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
    check_agreement([emotion for emotion, _, _ in rows], entries, path.name)
    return [(emotion, pixels) for emotion, pixels, _ in rows]


def to_meant(text: str, line: int) -> int:
    """Parse the text of the column emotion.

    Args:
        text: a number from 0 to 6, or nothing.
        line: line of the file, which errors name.

    Returns:
        Index into `labels.MEANT_EMOTIONS`; -1 for nothing.

    Raises:
        FerlibError: the text holds anything else.
    """
    index = _MEANT_OF_CODE.get(text.strip())
    if index is None:
        raise FerlibError(
            f"fer2013.csv, line {line}: the emotion {text!r} is no whole number from 0 to {len(KAGGLE_EMOTIONS) - 1}; "
            "get the file again."
        )
    return index


def to_image(text: str, line: int) -> np.ndarray:
    """Parse the text of the column of pixels.

    Args:
        text: 2304 numbers from 0 to 255, separated by blanks.
        line: line of the file, which errors name.

    Returns:
        (48, 48) uint8.

    Raises:
        FerlibError: the text holds anything else.
    """
    try:
        with warnings.catch_warnings(action="error", category=DeprecationWarning):  # older numpy only warns
            values = np.fromstring(text, dtype=np.int32, sep=" ")
    except (ValueError, DeprecationWarning):
        values = np.empty(0, dtype=np.int32)
    if values.size != IMAGE_SIZE * IMAGE_SIZE or values.min() < 0 or values.max() > 255:
        raise FerlibError(
            f"fer2013.csv, line {line} does not hold {IMAGE_SIZE * IMAGE_SIZE} whole numbers from 0 to 255; "
            "get the file again."
        )
    return values.astype(np.uint8).reshape(IMAGE_SIZE, IMAGE_SIZE)
