"""Report of the data check, and its text for people."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ferlib.data.copies import KINDS
from ferlib.data.fer2013 import SPLIT_SIZES
from ferlib.data.readers import SPLITS

RULES = {
    "majority": "majority",
    "crossentropy": "crossentropy, probability",
    "multi_target": "multi_target",
    "argmax": "argmax",
}
"""The rules that keep different images, and their names in the table."""

REPORT_WIDTH = 100
"""Columns of the text."""

_NAME_WIDTH = 46  # columns for the names of rows

Table = dict[str, dict[str, int]]
"""Counts: row name -> column, mostly a split -> images."""


@dataclass(frozen=True)
class MeantCounts:
    """Counts of FER2013's own labels, which say what was meant.

    Attributes:
        files: where the labels come from: names of files, or "folder names"; empty when there are none.
        meant_hash: hex SHA-256 of ids and labels.
        labelled: images of each split with such a label.
        classes: images of each class in each split.
        comparable: images of each split that also have a majority label of FER+.
        equal: those of them whose two labels are the same.
        seen_by_meant: the comparable images of all splits by the class that was meant, and the class that people see.
    """

    files: tuple[str, ...]
    meant_hash: str
    labelled: dict[str, int]
    classes: Table
    comparable: dict[str, int]
    equal: dict[str, int]
    seen_by_meant: Table


@dataclass(frozen=True)
class SearchCounts:
    """Counts of what one version of the search for copies finds; see `copies`.

    Attributes:
        copies: images that have an exact, near or mirrored copy (counted under the closest kind), ``groups`` of
            copies, and images in groups whose majority labels ``disagree``.
        group_sizes: number of groups of copies with 2, 3, ... images; the keys are text, as JSON has them.
        leaks: images of the first split that also sit in the second, as in `cleaning.leak_table`.
        leaked: images and majority-labelled images of each split that also sit in another split, and the totals, as
            ``{"images", "of_images", "labelled", "of_labelled"}``.
        dropped: train images that cleaning drops, by reason.
        training: train images that remain, ``images`` and those ``with a crossentropy target``.
        training_classes: remaining train images of each class under the majority rule.
    """

    copies: dict[str, int]
    group_sizes: dict[str, int]
    leaks: Table
    leaked: Table
    dropped: dict[str, int]
    training: dict[str, int]
    training_classes: dict[str, int]


@dataclass(frozen=True)
class Report:
    """Counts of a data folder, as `check.check` makes them.

    Attributes:
        folder: the folder as it was given.
        form: form of the data, as `readers.detect_form` calls it.
        labels: label file whose votes the data has.
        label_files: label files in the folder, without those inside zips.
        content_hash: hex SHA-256 of images and votes.
        official: whether the hash is that of the official data.
        images: images of each split.
        kept: rows that each rule keeps in each split, ``{label file: {rule: {split: n}}}``.
        outcomes: images that each rule keeps (``kept``) and drops for each reason, by the data's own votes, all splits.
        classes: images of each class in each split under the majority rule.
        searches: copies and leaks by each version of the search that was asked for, ``{"1": ..., "2": ...}``; the keys
            are text, as JSON has them.
        notes: facts to know when reading the numbers.
        problems: faults of the data.
        meant: FER2013's own labels, and how they agree with those of FER+.
    """

    folder: str
    form: str
    labels: str
    label_files: tuple[str, ...]
    content_hash: str
    official: bool
    images: dict[str, int]
    kept: dict[str, Table]
    outcomes: Table
    classes: Table
    searches: dict[str, SearchCounts]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    meant: MeantCounts

    def to_dict(self) -> dict:
        """Convert to a dict for JSON."""
        return asdict(self)


def render(report: Report) -> str:
    """Format a report as text for people, at most `REPORT_WIDTH` columns wide; a longer folder name is not cut.

    Args:
        report: the counts.
    """
    official = "that of the official data" if report.official else "not that of the official data"
    lines = [
        f"FER2013+ in {report.folder}",
        f"  form         {report.form}, votes of {report.labels}",
        f"  label files  {', '.join(report.label_files) or 'none beside the images'}",
        f"  content      {report.content_hash[:16]}, {official}",
    ]
    blocks = [
        _block("Images", {"all": report.images}),
        _block("Kept by each rule", _rule_rows(report)),
        _block("Classes (majority rule)", {**report.classes, "sum": _column_sums(report.classes)}),
        _meant_text(report.meant),
        *(text for version, counts in report.searches.items() for text in _search_texts(version, counts)),
        _sentences("Notes", report.notes),
        _sentences("What is wrong", report.problems or ("nothing",)),
    ]
    return "\n\n".join(["\n".join(lines), *filter(None, blocks)])


def _column_sums(table: Table) -> dict[str, int]:
    return {name: sum(row[name] for row in table.values()) for name in SPLITS}


def _rule_rows(report: Report) -> Table:
    return {f"{file}  {RULES[rule]}": row for file, rules in report.kept.items() for rule, row in rules.items()}


def _block(title: str, rows: Mapping[str, Mapping[str, int]]) -> str:
    """A titled table with right-aligned columns."""
    columns = list(next(iter(rows.values()), {}))
    width = max(_NAME_WIDTH, *(len(name) + 4 for name in rows))
    lines = [f"{title:<{width}}" + "".join(f"{column:>9}" for column in columns)]
    lines += [
        f"{'  ' + name:<{width}}" + "".join(f"{row[column]:>9,}" for column in columns) for name, row in rows.items()
    ]
    return "\n".join(lines)


def _share(part: int, total: int) -> str:
    return f"{part:,} of {total:,}" + (f" ({part / total:.1%})" if total else "")


def _meant_text(meant: MeantCounts) -> str:
    title = "FER2013's own labels"
    if not meant.files:
        return (
            f"{title}, what a face was meant to show: none here\n"
            "  To add them, put emotions.csv (columns image, split, emotion) into the folder, or name it in\n"
            "  FERLIB_EMOTIONS. Kaggle's fer2013.csv has them in its column emotion."
        )
    rows = {
        "images with a label": meant.labelled,
        "images in FER2013": SPLIT_SIZES,
        **{f"meant as {emotion}": row for emotion, row in meant.classes.items()},
        "with a majority label of FER+, too": meant.comparable,
        "both labels are the same": meant.equal,
    }
    equal, comparable = sum(meant.equal.values()), sum(meant.comparable.values())
    lines = [_block(title, rows), f"  from {' and '.join(meant.files)}"]
    lines += [f"  equal to the majority label of FER+: {_share(equal, comparable)}"]
    return "\n".join(lines)


def _search_texts(version: str, counts: SearchCounts) -> list[str]:
    kinds = ", ".join(f"{counts.copies[kind]:,} {kind}" for kind in KINDS)
    return [
        f"Copies by search {version}: {counts.copies['groups']:,} groups of images that show the same photo\n"
        f"  images by their closest copy: {kinds}\n"
        f"  images in groups with two majority labels: {counts.copies['disagree']:,}",
        _block(f"Images with a copy in ... (search {version})", counts.leaks),
        _leaked_text(version, counts),
        _cleaning_text(version, counts),
    ]


def _leaked_text(version: str, counts: SearchCounts) -> str:
    lines = [f"Leaked by search {version}: the photo also sits in another split"]
    for name in ("valid", "test"):
        row = counts.leaked[name]
        lines.append(
            f"  {name:<6} {_share(row['labelled'], row['of_labelled'])} majority-labelled images, "
            f"{_share(row['images'], row['of_images'])} of all"
        )
    return "\n".join(lines)


def _cleaning_text(version: str, counts: SearchCounts) -> str:
    total = sum(counts.dropped.values())
    lines = [f"Cleaning by search {version} drops {total:,} train images, none of valid and test (by first reason)"]
    lines += [f"  {count:>7,}  {reason}" for reason, count in counts.dropped.items()]
    remaining = ", ".join(f"{count:,} {name}" for name, count in counts.training.items())
    return "\n".join([*lines, f"  for training remain {remaining}"])


def _sentences(title: str, sentences: tuple[str, ...]) -> str:
    wrapped = (
        textwrap.fill(text, REPORT_WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)
        for text in sentences
    )
    return "\n".join([title, *wrapped]) if sentences else ""
