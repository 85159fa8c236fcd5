"""The data check's findings, and their text for people."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ferlib.data.cleaning import KINDS
from ferlib.data.readers import SPLITS

RULES = {
    "majority": "majority",
    "crossentropy": "crossentropy, probability",
    "multi_target": "multi_target",
    "argmax": "argmax",
}
"""The rules that keep different images, and their names in the table."""

WIDTH = 100
_NAMES = 46  # columns for the names of rows

Table = dict[str, dict[str, int]]
"""Counts: row name -> split -> images."""


@dataclass(frozen=True)
class Report:
    """What `check.check` found.

    Attributes:
        folder: the folder as it was given; form: what `readers.detect_form` calls it.
        labels: whose votes the data has; label_files: the label files in the folder, those inside zips left out.
        content_hash: of images and votes; official: whether it is that of the official data.
        images: images of each split.
        kept: for each label file and rule the rows that the rule keeps in each split, ``{file: {rule: {split: n}}}``.
        outcomes: of the data's own votes, all splits: for each rule the images ``kept`` and dropped for each reason.
        classes: images of each class in each split under the majority rule.
        copies: images that have an exact, near or mirrored copy (counted under the closest kind), ``groups`` of
            copies, and images in groups whose majority labels ``disagree``.
        group_sizes: how many groups of copies have 2, 3, ... images; the keys are text, as JSON has them.
        leaks: of `cleaning.leak_table`, images of the first split that also sit in the second.
        leaked: for each split the images and the majority-labelled images that also sit in another split, and of
            how many, as ``{"images", "of_images", "labelled", "of_labelled"}``.
        dropped: train images that cleaning drops, by reason.
        training: what remains, ``images`` and those ``with a crossentropy target``.
        training_classes: images of each class under the majority rule in what remains.
        notes: what to know when reading the numbers; problems: what is wrong.
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
    copies: dict[str, int]
    group_sizes: dict[str, int]
    leaks: Table
    leaked: Table
    dropped: dict[str, int]
    training: dict[str, int]
    training_classes: dict[str, int]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict:
        """For JSON."""
        return asdict(self)


def render(report: Report) -> str:
    """The report as text for people, at most `WIDTH` columns wide (a longer folder name stays whole)."""
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
        _copies_text(report),
        _block("Images with a copy in ...", report.leaks),
        _leaked_text(report),
        _cleaning_text(report),
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
    width = max(_NAMES, *(len(name) + 4 for name in rows))
    lines = [f"{title:<{width}}" + "".join(f"{column:>9}" for column in columns)]
    lines += [
        f"{'  ' + name:<{width}}" + "".join(f"{row[column]:>9,}" for column in columns) for name, row in rows.items()
    ]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}" + (f" ({part / whole:.1%})" if whole else "")


def _copies_text(report: Report) -> str:
    found = report.copies
    kinds = ", ".join(f"{found[kind]:,} {kind}" for kind in KINDS)
    return (
        f"Copies: {found['groups']:,} groups of images that show the same photo\n"
        f"  images by their closest copy: {kinds}\n"
        f"  images in groups with two majority labels: {found['disagree']:,}"
    )


def _leaked_text(report: Report) -> str:
    lines = ["Leaked: the photo also sits in another split"]
    for name in ("valid", "test"):
        row = report.leaked[name]
        lines.append(
            f"  {name:<6} {_share(row['labelled'], row['of_labelled'])} majority-labelled images, "
            f"{_share(row['images'], row['of_images'])} of all"
        )
    return "\n".join(lines)


def _cleaning_text(report: Report) -> str:
    total = sum(report.dropped.values())
    lines = [f"Cleaning drops {total:,} train images, none of valid and test (by the first reason that holds)"]
    lines += [f"  {count:>7,}  {reason}" for reason, count in report.dropped.items()]
    remaining = ", ".join(f"{count:,} {what}" for what, count in report.training.items())
    return "\n".join([*lines, f"  for training remain {remaining}"])


def _sentences(title: str, sentences: tuple[str, ...]) -> str:
    wrapped = (
        textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ", break_long_words=False)
        for text in sentences
    )
    return "\n".join([title, *wrapped]) if sentences else ""
