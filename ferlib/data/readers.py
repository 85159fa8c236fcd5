"""Readers for every form in which people have FER2013 with the FER+ votes.

`detect_form` names the form of a folder, `read` returns its rows. There are four forms:

- ``official folders``: ``FER2013{Train,Valid,Test}/ferNNNNNNN.png`` with a ``label.csv`` in each (or beside it, as
  ``FER2013Train.label.csv``);
- ``official zips``: the same three folders as zip files, label files inside or beside them;
- ``kaggle csv``: Kaggle's ``fer2013.csv`` (pixels as text) with FER+'s ``fer2013new.csv``, which names its rows, and
  the three ``label.csv`` files beside them, as ``FER2013Train.label.csv``; so ``ferlib data fetch`` leaves it;
- ``class folders``: ``train/ valid/ test/`` with one folder a class. It has no taggers: all ten votes of an image go
  to its folder's class.

Kaggle's csv and class folders also have FER2013's own label of an image: its code, or its folder's class.
"""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np

from ferlib.data import kaggle_csv, label_files, row_order
from ferlib.data.forms import OFFICIAL_FOLDERS, class_folders, known_form, what_lies_there
from ferlib.data.labels import COLUMN_OF_EMOTION, INDEX, MEANT_INDEX
from ferlib.data.rows import Rows, decode_grey, is_image
from ferlib.errors import FerlibError

SPLITS = ("train", "valid", "test")
# Kaggle's copy by classes has train and test alone.
_SPLIT_ADVICE = {"valid": "; move a tenth of each class from train/ to a folder valid/, since choices need it"}
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp"}


def detect_form(root: Path) -> str:
    """Recognise the form of the data in a folder.

    Args:
        root: the data folder.

    Returns:
        ``"official folders"``, ``"official zips"``, ``"kaggle csv"`` or ``"class folders"``.

    Raises:
        FerlibError: the folder holds none of the forms, which the sentence lists.
    """
    form = known_form(root)
    if form is not None:
        return form
    raise FerlibError(
        f"{root.name!r} holds no known form of FER2013+{what_lies_there(root)}; expected FER2013Train/Valid/Test as "
        "folders or zips, fer2013.csv with fer2013new.csv, or train/valid/test with one folder a class."
    )


def lacking(root: Path, form: str) -> str:
    """Describe what is evidently missing from a data folder, judged by names and first lines alone.

    Args:
        root: the data folder.
        form: its form, from `detect_form`.

    Returns:
        A clause for a sentence, "" when nothing is missing.
    """
    if form == "official folders":
        label_paths = {name: (f"{name}/label.csv", f"{name}.label.csv") for name in OFFICIAL_FOLDERS.values()}
        bare = [name for name, files in label_paths.items() if not any((root / file).is_file() for file in files)]
        return f"{bare[0]} has no label.csv" if bare else ""
    if form == "official zips":
        broken = [name for name in OFFICIAL_FOLDERS.values() if not zipfile.is_zipfile(root / f"{name}.zip")]
        return f"{broken[0]}.zip is no zip file" if broken else ""
    if form == "kaggle csv":
        try:
            next(kaggle_csv.read_rows(root / "fer2013.csv"), None)
        except FerlibError as error:
            return str(error).split(";")[0].rstrip(".")
        return "" if (root / "fer2013new.csv").is_file() else "fer2013.csv needs fer2013new.csv beside it"
    return ""


def source_files(root: Path, form: str, labels: str) -> list[Path]:
    """List the files whose bytes decide what `read` returns; a cache is keyed by them.

    Args:
        root: the data folder.
        form: its form, from `detect_form`.
        labels: ``"label.csv"`` or ``"fer2013new.csv"``.

    Returns:
        Paths of the files that exist, sorted.
    """
    label_paths = [root / f"{name}.label.csv" for name in OFFICIAL_FOLDERS.values()]
    extra = [root / "fer2013new.csv"] if labels == "fer2013new.csv" or form == "kaggle csv" else []
    if form == "official zips":
        files = [root / f"{name}.zip" for name in OFFICIAL_FOLDERS.values()] + label_paths
    elif form == "official folders":
        files = [path for name in OFFICIAL_FOLDERS.values() for path in (root / name).iterdir()] + label_paths
    elif form == "kaggle csv":
        files = [root / "fer2013.csv", *(label_paths if labels == "label.csv" else [])]
    else:
        files = [path for _, _, folder in class_folders(root) for path in folder.iterdir()]
    return sorted(path for path in {*files, *extra} if path.is_file())


def read(root: Path, form: str, labels: str) -> Rows:
    """Read all rows of a data folder.

    Args:
        root: the data folder.
        form: its form, from `detect_form`.
        labels: ``"label.csv"`` (what the official trainer reads) or ``"fer2013new.csv"``; class folders have neither.
            Kaggle's csv without the ``label.csv`` files falls back to ``fer2013new.csv`` and says so.

    Raises:
        FerlibError: a missing, damaged or ill-formed file, or labels and images that do not belong together.
    """
    if form == "official zips":
        return _read_official(root, labels, _zip_images)
    if form == "official folders":
        return _read_official(root, labels, _folder_images)
    if form == "kaggle csv":
        return _read_kaggle(root, labels)
    return _read_class_folders(root)


def _read_official(root: Path, labels: str, images_of) -> Rows:
    rows = Rows(labels=labels)
    entries = _read_fer2013new(root) if labels == "fer2013new.csv" else None
    named, repeats = label_files.by_name(entries or [])
    if repeats:
        rows.problems.append(f"fer2013new.csv: {repeats} rows repeat an image name (the misplaced ones are left out)")
    for split, folder in OFFICIAL_FOLDERS.items():
        images, inner_labels = images_of(root, folder)
        if entries is None:
            where = f"{folder}/label.csv"
            votes = (
                _labels_beside(root, folder)
                if inner_labels is None
                else label_files.parse_label_csv(inner_labels, where)
            )
        else:
            votes = {entry.name: entry.votes for entry in named.values() if entry.split == split}
        _join(rows, images, votes, split, folder, labels)
    return rows


def _join(rows: Rows, images: dict[str, bytes], votes: dict, split: str, folder: str, labels: str) -> None:
    """Match images with votes by file name; a label without its image is an error only in a folder's ``label.csv``."""
    missing = sorted(set(votes) - set(images))
    if missing and labels == "label.csv":
        raise FerlibError(
            f"{folder}: label.csv lists {len(votes):,} images but {len(missing):,} of them are missing "
            f"(first: {missing[0]}); unpack or download {folder} again."
        )
    unlabelled = len(set(images) - set(votes))
    for count, problem in ((len(missing), "labels without an image"), (unlabelled, "images without a label")):
        if count:
            rows.problems.append(f"{folder}: {count:,} {problem} ({labels})")
    for name in sorted(set(votes) & set(images)):
        rows.add(PurePosixPath(name).stem, decode_grey(images[name], f"{folder}/{name}", rows), votes[name], split)


def _zip_images(root: Path, folder: str) -> tuple[dict[str, bytes], str | None]:
    """Image bytes by file name, and the text of the label file inside the zip, if any."""
    path = root / f"{folder}.zip"
    images: dict[str, bytes] = {}
    names: list[str] = []
    labels = None
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = PurePosixPath(info.filename.replace("\\", "/"))
                names.append(name.name)
                if name.is_absolute() or ".." in name.parts:
                    raise FerlibError(f"{path.name} holds the unsafe name {info.filename!r}; get the file again.")
                if name.name == "label.csv":
                    labels = archive.read(info).decode("utf-8-sig")
                elif name.suffix.lower() == ".png" and not name.name.startswith("."):
                    images[name.name] = archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, UnicodeDecodeError, RuntimeError) as error:
        # RuntimeError: encrypted, or an unknown way of packing (NotImplementedError)
        raise FerlibError(f"{path.name} is damaged ({error}); get the file again.") from error
    _check_suffixes(images, names, path.name)
    return images, labels


def _check_suffixes(images: dict[str, bytes], names: Iterable[str], where: str) -> None:
    """Refuse a folder whose images are all of another format than the label files name."""
    others = [name for name in names if is_image(Path(name), _IMAGE_SUFFIXES - {".png"})]
    if others and not images:
        raise FerlibError(
            f"{where} holds {PurePosixPath(others[0]).suffix} images (first: {others[0]}), but FER+ labels .png files, "
            "and JPEG changes the pixels; get the original images."
        )


def _folder_images(root: Path, folder: str) -> tuple[dict[str, bytes], str | None]:
    path = root / folder
    images = {file.name: file.read_bytes() for file in path.iterdir() if is_image(file, {".png"})}
    _check_suffixes(images, (file.name for file in path.iterdir()), folder)
    labels = path / "label.csv"
    with label_files.readable(f"{folder}/label.csv"):
        return images, labels.read_text(encoding="utf-8-sig") if labels.is_file() else None


def _labels_beside(root: Path, folder: str) -> dict[str, np.ndarray]:
    path = root / f"{folder}.label.csv"
    if not path.is_file():
        raise FerlibError(f"{folder} has no label.csv; copy it from the FER+ repository, or run 'ferlib data fetch'.")
    return label_files.read_label_csv(path)


def _read_kaggle(root: Path, labels: str) -> Rows:
    """Read Kaggle's csv: row i of ``fer2013.csv`` belongs to row i of ``fer2013new.csv``, which names it.

    Votes and split come by that name from the ``label.csv`` files when `labels` asks for them and they are there.
    """
    rows = Rows(labels=labels)
    entries = _read_fer2013new(root)
    named, repeats = label_files.by_name(entries)
    labelled = {name: (entry.votes, entry.split) for name, entry in named.items()}
    if labels == "label.csv":
        labelled = _official_labels(root, rows) or labelled
    matched = kaggle_csv.read_matched(root / "fer2013.csv", entries)
    missing = sorted(set(labelled) - set(named))
    if missing:
        raise FerlibError(
            f"{len(missing):,} images of the label.csv files have no row in fer2013new.csv (first: {missing[0]}); "
            "get the label files again with 'ferlib data fetch'."
        )
    for name, (votes, split) in labelled.items():
        row = named[name].row
        emotion, pixels = matched[row]
        image, meant = kaggle_csv.to_image(pixels, row + 2), kaggle_csv.to_meant(emotion, row + 2)
        rows.add(PurePosixPath(name).stem, image, votes, split, meant)
    counts = {
        "images have no name in FER+ (not a face)": sum(not entry.name for entry in entries),
        "rows of fer2013new.csv repeat an image name (the misplaced ones are left out)": repeats,
        "images without a label (label.csv)": len(named) - len(labelled),
    }
    rows.problems += [f"fer2013.csv: {count:,} {problem}" for problem, count in counts.items() if count]
    return rows


def _read_fer2013new(root: Path) -> list[label_files.Entry]:
    entries = label_files.read_fer2013new(root / "fer2013new.csv")
    row_order.check_order(entries, "fer2013new.csv")
    return entries


def _official_labels(root: Path, rows: Rows) -> dict[str, tuple[np.ndarray, str]] | None:
    """Votes and split by image name from the three ``label.csv`` files; None, and a problem, when a file is absent."""
    files = {split: root / f"{folder}.label.csv" for split, folder in OFFICIAL_FOLDERS.items()}
    absent = [path.name for path in files.values() if not path.is_file()]
    if absent:
        rows.problems.append(
            f"the votes are those of fer2013new.csv, not of the default protocol's label.csv, since {absent[0]} is "
            "missing; get it with 'ferlib data fetch'"
        )
        rows.labels = "fer2013new.csv"
        return None
    votes_by_split = {split: label_files.read_label_csv(path) for split, path in files.items()}
    return {name: (votes, split) for split, by_name in votes_by_split.items() for name, votes in by_name.items()}


def _read_class_folders(root: Path) -> Rows:
    rows = Rows()
    for split, emotion, folder in class_folders(root):
        votes = np.zeros(10, dtype=np.uint8)
        votes[COLUMN_OF_EMOTION[INDEX[emotion]]] = 10
        for path in sorted(folder.iterdir()):
            if is_image(path, _IMAGE_SUFFIXES):
                name = f"{split}/{emotion}/{path.stem}"
                image = decode_grey(path.read_bytes(), path.relative_to(root).as_posix(), rows)
                rows.add(name, image, votes, split, MEANT_INDEX.get(emotion, -1))
    absent = [split for split in SPLITS if split not in rows.splits]
    rows.problems += [f"no images for the split {split}{_SPLIT_ADVICE.get(split, '')}" for split in absent]
    return rows
