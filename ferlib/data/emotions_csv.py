"""``emotions.csv``: FER2013's own labels as a file, for data whose form has the FER+ votes alone.

It has one row an image and the columns ``image`` (name in the FER+ folders, with or without ``.png``), ``split``
(``train``, ``valid`` or ``test``) and ``emotion`` (one of `labels.MEANT_EMOTIONS`, or empty where the label is not
known). Images without a row have no label.
"""

import csv
import os
from pathlib import Path

from ferlib import paths
from ferlib.data.label_files import other_separator, readable
from ferlib.data.labels import MEANT_EMOTIONS, MEANT_INDEX
from ferlib.data.readers import SPLITS
from ferlib.data.rows import Rows
from ferlib.errors import FerlibError

FILE_NAME = "emotions.csv"

COLUMNS = ("image", "split", "emotion")
"""Columns that the file must have, in any order."""


def find_emotions(root: Path) -> Path | None:
    """Find the file for a data folder: ``emotions.csv`` in it, else the one that `FERLIB_EMOTIONS` names.

    The folder's own file comes first, so that the environment variable changes no drawn data.

    Args:
        root: the data folder.

    Returns:
        Path of the file, None when there is none.

    Raises:
        FerlibError: `FERLIB_EMOTIONS` names no file.
    """
    if (root / FILE_NAME).is_file():
        return root / FILE_NAME
    named = os.environ.get("FERLIB_EMOTIONS")
    if not named:
        return None
    path = Path(named).expanduser()
    if not path.is_file():  # notebooks run in their own folder
        path = paths.ROOT / path
    if not path.is_file():
        raise FerlibError(f"FERLIB_EMOTIONS names {named!r}, which is not a file; set it to {FILE_NAME}, or unset it.")
    return path


def read_emotions(path: Path) -> dict[str, tuple[str, int]]:
    """Read the file.

    Args:
        path: the csv file.

    Returns:
        ``{image name without .png: (split, index into labels.MEANT_EMOTIONS)}`` in the order of the file; the index is
        -1 where the emotion is empty.

    Raises:
        FerlibError: the file is damaged, lacks columns, names a split or an emotion that does not exist, or
            has two rows of one image.
    """
    labels: dict[str, tuple[str, int]] = {}
    with readable(path.name), open(path, newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
        if lacking:
            other_separator(reader.fieldnames, path.name)
            raise FerlibError(
                f"{path.name} lacks the column(s) {', '.join(lacking)}; give it the columns {', '.join(COLUMNS)}."
            )
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            image, split, index = _parse_row(row, where)
            if image in labels:
                raise FerlibError(f"{where}: {image} stands there twice; keep one of its rows.")
            labels[image] = split, index
    return labels


def add_emotions(rows: Rows, path: Path) -> None:
    """Give rows that have no label of FER2013 the one in the file; labels that the data has itself stay.

    Args:
        rows: rows of a data folder, which are changed; rows that stay and differ from the file are noted as a problem.
        path: the csv file.

    Raises:
        FerlibError: the file cannot be used, see `read_emotions`, or does not belong to these rows.
    """
    labels = read_emotions(path)
    row_of = {name: row for row, name in enumerate(rows.ids)}
    advice = f"use the {FILE_NAME} that was made for this data"
    unknown = [name for name in labels if name not in row_of]
    if unknown:
        raise FerlibError(f"{path.name} names {len(unknown):,} images that the data lacks ({unknown[0]}); {advice}.")
    moved = [name for name, (split, _) in labels.items() if rows.splits[row_of[name]] != split]
    if moved:
        raise FerlibError(
            f"{path.name} has {len(moved):,} images in another split than the data ({moved[0]} in "
            f"{labels[moved[0]][0]} instead of {rows.splits[row_of[moved[0]]]}); {advice}."
        )
    conflicts = 0
    for name, (_, index) in labels.items():
        row = row_of[name]
        conflicts += -1 not in (index, rows.meant[row]) and index != rows.meant[row]
        if rows.meant[row] == -1:
            rows.meant[row] = index
    if conflicts:
        rows.problems.append(
            f"{path.name}: {conflicts:,} images have another emotion than in the data, whose own label counts"
        )


def _parse_row(row: dict[str, str | None], where: str) -> tuple[str, str, int]:
    """Image name, split and index of the emotion."""
    image, split, emotion = (row[name] for name in COLUMNS)
    if image is None or split is None or emotion is None:
        raise FerlibError(f"{where} is cut off; get the file again.")
    if split not in SPLITS:
        raise FerlibError(f"{where}: unknown split {split!r}; use {', '.join(SPLITS)}.")
    if emotion and emotion not in MEANT_INDEX:
        raise FerlibError(f"{where}: unknown emotion {emotion!r}; use {', '.join(MEANT_EMOTIONS)}, or leave it empty.")
    return image.removesuffix(".png"), split, MEANT_INDEX.get(emotion, -1)
