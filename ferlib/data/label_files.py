"""The two FER+ label files, parsed and checked.

``label.csv`` has one row an image: name, face box, ten votes, no header. ``fer2013new.csv`` has a header and one row
for each row of Kaggle's ``fer2013.csv``, in the same order. The real ``fer2013new.csv`` has three traps: its image
names are not the row numbers (the two drift apart by up to a hundred), 173 rows have no name (not a face), and four
names stand twice, once far from their place.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferlib.data.labels import VOTE_COLUMNS
from ferlib.errors import FerlibError

USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
"""Kaggle's names of the splits, each with ours."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One row of ``fer2013new.csv``.

    Attributes:
        row: number of the row; 0 is the first after the header.
        name: file name of the image, "" when it has none.
        split: ``"train"``, ``"valid"`` or ``"test"``.
        votes: (10,) uint8.
    """

    row: int
    name: str
    split: str
    votes: np.ndarray


@contextmanager
def readable(where: str) -> Iterator[None]:
    """Turn the errors of reading text and csv into a FerlibError.

    Args:
        where: name of the file, for the sentence.
    """
    try:
        yield
    except (UnicodeDecodeError, csv.Error) as error:
        raise FerlibError(f"{where} is damaged ({error}); get the file again.") from error


def read_label_csv(path: Path) -> dict[str, np.ndarray]:
    """Read a ``label.csv``; see `parse_label_csv`.

    Args:
        path: the file. Errors name its folder too, unless its own name says the split.
    """
    where = path.name if path.name != "label.csv" else f"{path.parent.name}/label.csv"
    with readable(where):
        text = path.read_text(encoding="utf-8-sig")
    return parse_label_csv(text, where)


def parse_label_csv(text: str, where: str) -> dict[str, np.ndarray]:
    """Parse the text of a ``label.csv``.

    Args:
        text: the content of the file.
        where: name of the file, for errors.

    Returns:
        ``{image name: (10,) uint8 votes}`` in the order of the file.

    Raises:
        FerlibError: a row of another shape, votes that are none, or a name that stands twice.
    """
    votes: dict[str, np.ndarray] = {}
    with readable(where):
        rows = list(csv.reader(io.StringIO(text, newline="")))
    for number, row in enumerate(rows, start=1):
        if not row:
            continue
        if len(row) != 12:
            other_separator(row, where)
            raise FerlibError(
                f"{where}, line {number}: {len(row)} columns instead of 12 (name, box, ten votes); get the file again."
            )
        if row[0] in votes:
            raise FerlibError(f"{where}, line {number}: {row[0]} stands there twice; get the file again.")
        votes[row[0]] = _vote_row(row[2:], f"{where}, line {number}")
    return votes


def read_fer2013new(path: Path) -> list[Entry]:
    """Read all rows of ``fer2013new.csv`` in order, those without an image name included.

    Args:
        path: the file.

    Raises:
        FerlibError: the file is missing or damaged, or lacks columns.
    """
    if not path.is_file():
        raise FerlibError(f"{path.name} is missing; put it beside the images, or run 'ferlib data fetch'.")
    with readable(path.name), open(path, newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        lacking = [name for name in ("Usage", "Image name", *VOTE_COLUMNS) if name not in (reader.fieldnames or [])]
        if lacking:
            other_separator(reader.fieldnames, path.name)
            raise FerlibError(f"{path.name} lacks the column(s) {', '.join(lacking)}; run 'ferlib data fetch'.")
        return [_entry(row, number, path.name) for number, row in enumerate(reader)]


def other_separator(header: Sequence[str] | None, where: str) -> None:
    """Refuse a table whose columns are not separated by commas.

    Args:
        header: fields of a line, as a reader of commas splits it.
        where: name of the file, and perhaps the line.

    Raises:
        FerlibError: the line is one field with semicolons or tabs.
    """
    line = "".join(header or [])
    for character, name in ((";", "semicolons"), ("\t", "tabs")):
        if line.count(character) > len(header or []):
            raise FerlibError(
                f"{where} is separated by {name}, as some spreadsheets save tables, instead of by commas; get the "
                "original file again."
            )


def by_name(entries: list[Entry]) -> tuple[dict[str, Entry], int]:
    """Index entries by image name.

    When a name is repeated, the row nearest to the name's number stays: it has its neighbours' offset, and its votes
    are those of ``label.csv``.

    Args:
        entries: rows of ``fer2013new.csv``; those without a name are left out.

    Returns:
        The entries by name, and the number of rows left out because they repeat a name.
    """
    named: dict[str, Entry] = {}
    repeats = 0
    for entry in entries:
        if not entry.name:
            continue
        repeats += entry.name in named
        if entry.name not in named or _displacement(entry) < _displacement(named[entry.name]):
            named[entry.name] = entry
    return named, repeats


def _entry(row: dict[str, str], number: int, file: str) -> Entry:
    where = f"{file}, line {number + 2}"
    if row["Usage"] not in USAGE:
        raise FerlibError(f"{where}: unknown usage {row['Usage']!r}; get the file again.")
    votes = _vote_row([row[name] for name in VOTE_COLUMNS], where)
    return Entry(number, row["Image name"] or "", USAGE[row["Usage"]], votes)


def _displacement(entry: Entry) -> int:
    return abs(entry.row - int("0" + "".join(filter(str.isdigit, entry.name))))


def _vote_row(fields: Sequence[str | None], where: str) -> np.ndarray:
    try:
        numbers = [float("missing" if field is None else field) for field in fields]
    except (TypeError, ValueError):
        numbers = [-1.0]
    if any(number < 0 or number > 10 or number % 1 for number in numbers) or sum(numbers) > 10:
        raise FerlibError(f"{where}: votes must be ten whole numbers with a sum of at most 10; get the file again.")
    return np.array(numbers, dtype=np.uint8)
