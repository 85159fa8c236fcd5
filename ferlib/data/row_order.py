"""Check of the order of ``fer2013new.csv``, which must be that of Kaggle's ``fer2013.csv``.

The two files go together row by row, so a spreadsheet that sorts one of them gives each picture another one's votes.
Two things betray it: the file itself (splits, names, and rows without a name), and the labels of Kaggle's file, which
agree with the votes of the same row about two times in three.
"""

from collections.abc import Sequence

import numpy as np

from ferlib.data.label_files import Entry
from ferlib.data.labels import EMOTIONS, KAGGLE_EMOTIONS
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError

MIN_AGREEMENT = 0.4
"""Least share of rows whose label and votes agree; FER2013 has 0.68, and other rows' votes agree in about 0.2."""

_SORT_BACK = "its rows belong to Kaggle's fer2013.csv one by one, so get the original with 'ferlib data fetch'"
_STRAY_NAMES = 4  # of the official file, whose repeated names stand out of order
_MAX_STRAYS = 0.01  # share of the names that may stand out of order beyond these
_MIN_TOGETHER = 3  # rows without a name in a split, from which on they must not stand all together
_ROWS_TOGETHER, _MIN_LABELLED = 500, 50  # rows that are compared at a time, and the least number with both labels


def check_order(entries: Sequence[Entry], where: str) -> None:
    """Check that the rows of ``fer2013new.csv`` were neither sorted nor shuffled.

    Args:
        entries: all rows.
        where: name of the file, for the sentence.

    Raises:
        FerlibError: the splits are mixed or in another order, names are out of order, equal names follow each other,
            or the rows without a name stand together.
    """
    splits = [entry.split for entry in entries]
    order = [split for split, before in zip(splits, [None, *splits], strict=False) if split != before]
    if order != [split for split in ("train", "valid", "test") if split in order]:
        raise FerlibError(f"{where} has been sorted or shuffled: its splits are not in Kaggle's order; {_SORT_BACK}.")
    numbers = np.array([number for entry in entries if (number := _number(entry.name)) is not None])
    steps = np.diff(numbers)
    if (steps < 0).sum() > _STRAY_NAMES + _MAX_STRAYS * len(numbers):
        raise FerlibError(f"{where} has been sorted or shuffled: its image names are out of order; {_SORT_BACK}.")
    if (steps == 0).any() or any(_stand_together(entries, split) for split in set(splits)):
        raise FerlibError(f"{where} has been sorted by its image names; {_SORT_BACK}.")


def check_agreement(emotions: Sequence[str], entries: Sequence[Entry], where: str) -> None:
    """Check that the labels of Kaggle's file and the votes of ``fer2013new.csv`` are of the same pictures.

    Args:
        emotions: text of the column emotion in each row; rows with anything but a code do not count.
        entries: all rows of ``fer2013new.csv``.
        where: name of Kaggle's file, for the sentence.

    Raises:
        FerlibError: fewer than `MIN_AGREEMENT` of some hundreds of rows agree.
    """
    codes = {str(code): EMOTIONS.index(emotion) for code, emotion in enumerate(KAGGLE_EMOTIONS)}
    meant = np.array([codes.get(text.strip(), -1) for text in emotions], np.int64)
    seen = hard_labels(np.array([entry.votes for entry in entries]).reshape(-1, 10))
    both = (meant >= 0) & (seen >= 0)
    for start in range(0, len(entries), _ROWS_TOGETHER):
        rows = slice(start, start + _ROWS_TOGETHER)
        labelled = int(both[rows].sum())
        agreement = float((meant == seen)[rows][both[rows]].mean()) if labelled >= _MIN_LABELLED else 1.0
        if agreement < MIN_AGREEMENT:
            raise FerlibError(
                f"{where} and fer2013new.csv do not belong together row by row: from line {start + 2} on the labels "
                f"agree with the votes in {agreement:.0%} instead of about 68 %; get both original files again."
            )


def _number(name: str) -> int | None:
    digits = "".join(filter(str.isdigit, name))
    return int(digits) if digits else None


def _stand_together(entries: Sequence[Entry], split: str) -> bool:
    """Tell whether all rows of a split without a name stand together, as sorting by name leaves them."""
    rows = [entry.row for entry in entries if entry.split == split and not entry.name]
    return len(rows) >= _MIN_TOGETHER and rows[-1] - rows[0] == len(rows) - 1
