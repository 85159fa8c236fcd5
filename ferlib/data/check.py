"""The data check: counts of a data folder by split, rule and class, its copies and leaks, and its faults."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data import cleaning, copies, fer2013, label_files, readers
from ferlib.data.check_report import RULES, MeantCounts, Report, SearchCounts, Table, render
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.ferplus import FerData
from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.data.official import OFFICIAL_COUNTS, OFFICIAL_HASHES
from ferlib.data.readers import SPLITS
from ferlib.data.votes import REASONS, count_kept, drop_reasons, targets
from ferlib.errors import FerlibError
from ferlib.files import write_json
from ferlib.provenance import code_commit

__all__ = ["OFFICIAL_COUNTS", "OFFICIAL_HASHES", "Report", "check", "obtain", "record", "render", "search_table"]


def check(
    root: str | Path, emotions: str | Path | None = None, versions: Sequence[int] = copies.VERSIONS
) -> Report:  # fmt: skip
    """Count the contents of a data folder; finding the copies takes about four minutes the first time.

    Args:
        root: the data folder.
        emotions: csv file with FER2013's own labels; None means the one that `emotions_csv.find_emotions` finds.
        versions: versions of the search for copies; version 1 alone takes half a minute.

    Raises:
        FerlibError: the folder holds no data that can be used.
    """
    root = Path(root)
    data_set = open_data_set(root, emotions=emotions)
    data = data_set.all_splits
    form = readers.detect_form(root)
    labels = data.source.removeprefix(form).removeprefix(", ") or "folder names"
    counts_by_file = {labels: _kept_by_rule(data.votes, data.split)}
    problems, notes = [*data.problems, *_deviations(data, form)], []
    others = _count_rows(root, data) if form != "class folders" and labels == "label.csv" else None
    if others:
        counts_by_file["fer2013new.csv"], more_notes, more_problems = others
        notes += more_notes
        problems += more_problems
    if form == "class folders":
        notes.append("one folder a class has no taggers' votes: all ten are given to the folder's class")
    return Report(
        str(root), form, labels, tuple(_label_files(root)), data.content_hash, data.content_hash in OFFICIAL_HASHES,
        _per_split(data.split), counts_by_file, _outcomes(data.votes), _class_counts(data),
        {str(version): _search_counts(data, version) for version in versions},
        tuple(notes), tuple(dict.fromkeys(problems)), _meant_counts(data_set, form),
    )  # fmt: skip


def record(report: Report, results: Path, seconds: float) -> None:
    """Write a report as ``data_check.json``, with the code's commit and without the folder on this machine.

    Args:
        report: the counts.
        results: folder to write into.
        seconds: time that counting took.
    """
    about = {"folder": "", "code_commit": code_commit(), "seconds": round(seconds, 1)}
    write_json(results / "data_check.json", {**report.to_dict(), **about})


def obtain(
    results: Path, *, root: Path | None = None, recount: bool = False, versions: Sequence[int] = copies.VERSIONS
) -> dict:
    """Read the counts from ``data_check.json``, after counting again when asked to.

    Args:
        results: folder that holds the file.
        root: the data folder to count; None means `paths.data_root()`.
        recount: count the data folder and write the file first.
        versions: versions of the search for copies, when it counts.

    Raises:
        FerlibError: there is no such file, or it cannot be read.
    """
    if recount:
        started = time.perf_counter()
        report = check(root or paths.data_root(), versions=versions)
        record(report, results, time.perf_counter() - started)
    try:
        return json.loads((results / "data_check.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FerlibError(
            f"{results.name} holds no readable data_check.json; count again with RETRAIN = True."
        ) from error


def search_table(report: dict) -> pd.DataFrame:
    """Tabulate what each search for copies finds, and what it leaves for training.

    Args:
        report: the counts, as `obtain` gives them.

    Returns:
        Text, one column for each version of the search: groups of copies, leaked images of valid and test with a
        majority label, train images that are left out for each reason, and those that remain.
    """
    columns = {}
    for version, counts in report["searches"].items():
        rows = {"groups of copies": counts["copies"]["groups"]}
        rows["images in groups with two majority labels"] = counts["copies"]["disagree"]
        for split in ("valid", "test"):
            leaked, total = (counts["leaked"][split][part] for part in ("labelled", "of_labelled"))
            rows[f"leaked, {split}, of {total:,}"] = f"{leaked:,} ({leaked / max(total, 1):.1%})"
        rows |= {f"left out of train: {reason}": images for reason, images in counts["dropped"].items()}
        rows["left for training"] = counts["training"]["images"]
        rows["with a target"] = counts["training"]["with a crossentropy target"]
        columns[f"search {version}"] = {
            name: value if isinstance(value, str) else f"{value:,}" for name, value in rows.items()
        }
    return pd.DataFrame(columns).fillna("0")


def _per_split(split: np.ndarray) -> dict[str, int]:
    return {name: int((split == name).sum()) for name in SPLITS}


def _kept_by_rule(votes: np.ndarray, split: np.ndarray) -> Table:
    votes = np.asarray(votes)
    return {rule: _per_split(split[targets(votes, rule).any(axis=1)]) for rule in RULES}


def _outcomes(votes: np.ndarray) -> Table:
    """Images that each rule keeps, and those that it drops by reason; every row has every reason that occurs."""
    votes = np.asarray(votes)
    by_rule = {name: drop_reasons(votes, rule) for rule, name in RULES.items()}
    occurring = [reason for reason in REASONS if any((reasons == reason).any() for reasons in by_rule.values())]
    return {
        name: {"kept": int((reasons == "").sum()), **{reason: int((reasons == reason).sum()) for reason in occurring}}
        for name, reasons in by_rule.items()
    }


def _class_counts(data: FerData) -> Table:
    counts = {name: count_kept(data.votes[data.split == name], "majority") for name in SPLITS}
    return {emotion: {name: int(counts[name][index]) for name in SPLITS} for index, emotion in enumerate(EMOTIONS)}


def _count_rows(root: Path, data: FerData) -> tuple[Table, list[str], list[str]] | None:
    """Counts over the rows of ``fer2013new.csv``, notes and problems; None without the file."""
    path = root / "fer2013new.csv"
    if not path.is_file():
        return None
    entries = label_files.read_fer2013new(path)
    named, repeats = label_files.by_name(entries)
    rows = _kept_by_rule(*_arrays(entries))
    images = _kept_by_rule(*_arrays(list(named.values())))
    notes, problems = [], []
    if repeats:
        distinct = " / ".join(f"{count:,}" for count in images["majority"].values())
        notes.append(
            f"fer2013new.csv is counted by rows; {repeats} of them repeat an image name, so the majority rule keeps "
            f"{distinct} distinct images"
        )
    stems = {name.rsplit(".", 1)[0] for name in named}
    for count, problem in (
        (len(stems - set(data.ids.tolist())), "names in fer2013new.csv have no image"),
        (len(set(data.ids.tolist()) - stems), "images have no row in fer2013new.csv"),
    ):
        problems += [f"{count:,} {problem}"] if count else []
    return rows, notes, problems


def _arrays(entries: list[label_files.Entry]) -> tuple[np.ndarray, np.ndarray]:
    votes = np.array([entry.votes for entry in entries], dtype=np.uint8).reshape(-1, 10)
    return votes, np.array([entry.split for entry in entries], dtype="<U5")


def _label_files(root: Path) -> list[str]:
    names = ["fer2013new.csv", *(f"{folder}.label.csv" for folder in readers.OFFICIAL_FOLDERS.values())]
    names += [f"{folder}/label.csv" for folder in readers.OFFICIAL_FOLDERS.values()]
    return [name for name in names if (root / name).is_file()]


def _deviations(data: FerData, form: str) -> list[str]:
    if form == "class folders":  # other people's selections; there is no official count for them
        return []
    counts = _per_split(data.split)
    return [
        f"{name} has {counts[name]:,} images, but FER2013+ has {official:,}"
        for name, official in OFFICIAL_COUNTS.items()
        if counts[name] != official
    ]


def _meant_counts(data_set: DataSet, form: str) -> MeantCounts:
    data = fer2013.load_fer2013(data_set)
    own = {"kaggle csv": "fer2013.csv", "class folders": "folder names"}.get(form)
    emotions = data_set.folder and data_set.folder.emotions
    files = [name for name in (own, emotions and emotions.name) if name]
    agreement = {name: fer2013.agreement(data.where(data.split == name)) for name in SPLITS}
    return MeantCounts(
        tuple(files) if len(data) else (), data.meant_hash, fer2013.labelled(data), fer2013.counts(data),
        {name: counts.images for name, counts in agreement.items()},
        {name: counts.equal for name, counts in agreement.items()},
        {
            meant: dict(zip(EMOTIONS, row, strict=True))
            for meant, row in zip(MEANT_EMOTIONS, fer2013.seen_by_meant(data).tolist(), strict=True)
        },
    )  # fmt: skip


def _search_counts(data: FerData, version: int) -> SearchCounts:
    table = cleaning.load_manifest(data, version)
    return SearchCounts(
        _copies(table), _group_sizes(table), _leaks(table), _leaked(table), _dropped(table),
        _training_counts(table, data), _training_classes(table),
    )  # fmt: skip


def _copies(table: pd.DataFrame) -> dict[str, int]:
    counts = {kind: int((table["copy"] == kind).sum()) for kind in copies.KINDS}
    groups = table.loc[table["group"] != "", "group"].nunique()
    return {**counts, "groups": int(groups), "disagree": int(table["disagrees"].sum())}


def _group_sizes(table: pd.DataFrame) -> dict[str, int]:
    sizes = table[table["group"] != ""].drop_duplicates("group")["group_size"].value_counts().sort_index()
    return {str(size): int(groups) for size, groups in sizes.items()}


def _leaks(table: pd.DataFrame) -> Table:
    counts = cleaning.leak_table(table)
    return {row: {column: int(counts.loc[row, column]) for column in counts.columns} for row in counts.index}


def _leaked(table: pd.DataFrame) -> Table:
    """Leaked images of each split, all and those with a majority label."""
    leaked = {}
    for name in SPLITS:
        part = table[table["split"] == name]
        labelled = part[part["label"] != ""]
        leaked[name] = {
            "images": int(part["leaked"].sum()), "of_images": len(part),
            "labelled": int(labelled["leaked"].sum()), "of_labelled": len(labelled),
        }  # fmt: skip
    return leaked


def _dropped(table: pd.DataFrame) -> dict[str, int]:
    """Train images dropped for each reason, most frequent first; all "copy of fer0000001" count as one reason."""
    reasons = table.loc[~table["kept"], "reason"].map(
        lambda reason: re.sub(r"^copy of .*", "copy within train", reason)
    )
    return {str(reason): int(count) for reason, count in reasons.value_counts().items()}


def _for_training(table: pd.DataFrame) -> pd.Series:
    return (table["split"] == "train") & table["kept"]


def _training_counts(table: pd.DataFrame, data: FerData) -> dict[str, int]:
    mask = _for_training(table).to_numpy()
    usable = targets(np.asarray(data.votes)[mask], "crossentropy").any(axis=1)
    return {"images": int(mask.sum()), "with a crossentropy target": int(usable.sum())}


def _training_classes(table: pd.DataFrame) -> dict[str, int]:
    labels = table.loc[_for_training(table), "label"]
    return {emotion: int((labels == emotion).sum()) for emotion in EMOTIONS}
