"""Readers for every form in which people have FER2013 with the FER+ votes.

`detect_form` names the form of a folder, `read` returns its rows. Four forms are known:

- ``official folders``: ``FER2013{Train,Valid,Test}/ferNNNNNNN.png`` with a ``label.csv`` in each (or beside it, as
  ``FER2013Train.label.csv``);
- ``official zips``: the same three folders as zip files, label files inside or beside them;
- ``kaggle csv``: Kaggle's ``fer2013.csv`` (pixels as text) with FER+'s ``fer2013new.csv``;
- ``class folders``: ``train/ valid/ test/`` with one folder a class. There are no taggers then: all ten votes of an
  image go to its folder's class.
"""

import csv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ferlib.data import label_files
from ferlib.data.labels import COLUMN_OF_EMOTION, INDEX, emotion_of_folder
from ferlib.errors import FerlibError

SIZE = 48
SPLITS = ("train", "valid", "test")
OFFICIAL_FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
_SPLIT_NAMES = {
    "train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid",
    "publictest": "valid", "test": "test", "testing": "test", "privatetest": "test",
}  # fmt: skip
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".pgm", ".webp"}


@dataclass
class Rows:
    """What a reader found: parallel lists, and sentences about what is wrong but can be lived with."""

    ids: list[str] = field(default_factory=list)
    images: list[np.ndarray] = field(default_factory=list)
    votes: list[np.ndarray] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, image: np.ndarray, votes: np.ndarray, split: str) -> None:
        """Append one image."""
        self.ids.append(name)
        self.images.append(image)
        self.votes.append(votes)
        self.splits.append(split)


def detect_form(root: Path) -> str:
    """The form of the data in `root`; raises FerlibError that lists the known forms when there is none."""
    if all((root / name).is_dir() for name in OFFICIAL_FOLDERS.values()):
        return "official folders"
    if all((root / f"{name}.zip").is_file() for name in OFFICIAL_FOLDERS.values()):
        return "official zips"
    if (root / "fer2013.csv").is_file():
        return "kaggle csv"
    if any(True for _ in _class_folders(root)):
        return "class folders"
    raise FerlibError(
        f"{root.name!r} holds no known form of FER2013+; expected FER2013Train/Valid/Test as folders or zips, "
        "fer2013.csv with fer2013new.csv, or train/valid/test with one folder a class."
    )


def source_files(root: Path, form: str, labels: str) -> list[Path]:
    """The files whose bytes decide what `read` returns, sorted (a cache is keyed by them)."""
    extra = [root / "fer2013new.csv"] if labels == "fer2013new.csv" or form == "kaggle csv" else []
    if form == "official zips":
        found = [root / f"{name}.zip" for name in OFFICIAL_FOLDERS.values()]
        found += [root / f"{name}.label.csv" for name in OFFICIAL_FOLDERS.values()]
    elif form == "official folders":
        found = [path for name in OFFICIAL_FOLDERS.values() for path in (root / name).iterdir()]
        found += [root / f"{name}.label.csv" for name in OFFICIAL_FOLDERS.values()]
    elif form == "kaggle csv":
        found = [root / "fer2013.csv"]
    else:
        found = [path for _, _, folder in _class_folders(root) for path in folder.iterdir()]
    return sorted(path for path in {*found, *extra} if path.is_file())


def read(root: Path, form: str, labels: str) -> Rows:
    """Read all rows of `root`.

    Args:
        root: the data folder.
        form: what `detect_form` said.
        labels: ``"label.csv"`` (what the official trainer reads) or ``"fer2013new.csv"``; only the official forms
            have the choice, Kaggle's csv always goes with ``fer2013new.csv``.

    Raises:
        FerlibError: a missing, damaged or ill-formed file, or labels and images that do not belong together.
    """
    if form == "official zips":
        return _read_official(root, labels, _zip_images)
    if form == "official folders":
        return _read_official(root, labels, _folder_images)
    if form == "kaggle csv":
        return _read_kaggle(root)
    return _read_class_folders(root)


def _read_official(root: Path, labels: str, images_of) -> Rows:
    rows = Rows()
    entries = label_files.read_fer2013new(root / "fer2013new.csv") if labels == "fer2013new.csv" else None
    named, repeats = label_files.by_name(entries or [])
    if repeats:
        rows.problems.append(f"fer2013new.csv: {repeats} rows repeat an image name (the misplaced ones are left out)")
    for split, folder in OFFICIAL_FOLDERS.items():
        images, inner_labels = images_of(root, folder)
        if entries is None:
            votes = label_files.parse_label_csv(inner_labels or _beside(root, folder), f"{folder}/label.csv")
        else:
            votes = {entry.name: entry.votes for entry in named.values() if entry.split == split}
        _join(rows, images, votes, split, folder, labels)
    return rows


def _join(rows: Rows, images: dict[str, bytes], votes: dict, split: str, folder: str, labels: str) -> None:
    """Match images with votes by file name; a row without its image is an error only for the folder's own labels."""
    missing = sorted(set(votes) - set(images))
    if missing and labels == "label.csv":
        raise FerlibError(
            f"{folder}: label.csv lists {len(votes):,} images but {len(missing):,} of them are missing "
            f"(first: {missing[0]}); unpack or download {folder} again."
        )
    unlabelled = len(set(images) - set(votes))
    for count, what in ((len(missing), "labels without an image"), (unlabelled, "images without a label")):
        if count:
            rows.problems.append(f"{folder}: {count:,} {what} ({labels})")
    for name in sorted(set(votes) & set(images)):
        rows.add(PurePosixPath(name).stem, _decode(images[name], f"{folder}/{name}", rows), votes[name], split)


def _zip_images(root: Path, folder: str) -> tuple[dict[str, bytes], str | None]:
    """Image bytes by file name, and the text of the label file inside the zip, if any."""
    path = root / f"{folder}.zip"
    images: dict[str, bytes] = {}
    labels = None
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = PurePosixPath(info.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts:
                    raise FerlibError(f"{path.name} holds the unsafe name {info.filename!r}; get the file again.")
                if name.name == "label.csv":
                    labels = archive.read(info).decode("utf-8-sig")
                elif name.suffix.lower() == ".png" and not name.name.startswith("."):
                    images[name.name] = archive.read(info)
    except (zipfile.BadZipFile, EOFError, OSError, UnicodeDecodeError) as error:
        raise FerlibError(f"{path.name} is damaged ({error}); get the file again.") from error
    return images, labels


def _folder_images(root: Path, folder: str) -> tuple[dict[str, bytes], str | None]:
    path = root / folder
    images = {file.name: file.read_bytes() for file in path.iterdir() if file.suffix.lower() == ".png"}
    labels = path / "label.csv"
    return images, labels.read_text(encoding="utf-8-sig") if labels.is_file() else None


def _beside(root: Path, folder: str) -> str:
    path = root / f"{folder}.label.csv"
    if not path.is_file():
        raise FerlibError(f"{folder} has no label.csv; copy it from the FER+ repository, or run 'ferlib data fetch'.")
    return path.read_text(encoding="utf-8-sig")


def _read_kaggle(root: Path) -> Rows:
    """Row i of ``fer2013.csv`` belongs to row i of ``fer2013new.csv``, which also names it and gives its split."""
    rows = Rows()
    entries = label_files.read_fer2013new(root / "fer2013new.csv")
    named, repeats = label_files.by_name(entries)
    with open(root / "fer2013.csv", newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle)
        if "pixels" not in (reader.fieldnames or []):
            raise FerlibError("fer2013.csv lacks the column pixels; get the file from Kaggle again.")
        pixels = [row["pixels"] for row in reader]
    if len(pixels) != len(entries):
        raise FerlibError(
            f"fer2013.csv has {len(pixels):,} rows but fer2013new.csv has {len(entries):,}, and the two go together "
            "row by row; get the complete files (35,887 rows each)."
        )
    for entry in named.values():
        rows.add(PurePosixPath(entry.name).stem, _pixels(pixels[entry.row], entry.row + 2), entry.votes, entry.split)
    unnamed = sum(not entry.name for entry in entries)
    rows.problems += [f"fer2013.csv: {unnamed:,} images have no name in FER+ (not a face)"] if unnamed else []
    rows.problems += [f"fer2013new.csv: {repeats} rows repeat an image name (left out)"] if repeats else []
    return rows


def _pixels(text: str, line: int) -> np.ndarray:
    values = np.fromstring(text or "", dtype=np.uint8, sep=" ")
    if values.size != SIZE * SIZE:
        raise FerlibError(f"fer2013.csv, line {line}: {values.size} pixels, not {SIZE * SIZE}; get the file again.")
    return values.reshape(SIZE, SIZE)


def _class_folders(root: Path) -> Iterator[tuple[str, str, Path]]:
    """(split, emotion, folder) of a one-folder-per-class tree, sorted."""
    for split_folder in sorted(path for path in root.iterdir() if path.is_dir()):
        split = _SPLIT_NAMES.get("".join(filter(str.isalpha, split_folder.name.lower())))
        for folder in sorted(path for path in split_folder.iterdir() if path.is_dir()) if split else []:
            emotion = emotion_of_folder(folder.name)
            if emotion:
                yield split, emotion, folder


def _read_class_folders(root: Path) -> Rows:
    rows = Rows()
    for split, emotion, folder in _class_folders(root):
        votes = np.zeros(10, dtype=np.uint8)
        votes[COLUMN_OF_EMOTION[INDEX[emotion]]] = 10
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in _IMAGE_SUFFIXES:
                name = f"{split}/{emotion}/{path.stem}"
                rows.add(name, _decode(path.read_bytes(), path.name, rows), votes, split)
    absent = [split for split in SPLITS if split not in rows.splits]
    rows.problems += [f"no images for the split {split}" for split in absent]
    return rows


def _decode(data: bytes, where: str, rows: Rows) -> np.ndarray:
    """(48, 48) uint8; other sizes are resized (area) and noted once."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if image is None:
        raise FerlibError(f"{where} is not a readable picture; get the file again.")
    if image.shape != (SIZE, SIZE):
        note = f"pictures that are not {SIZE}x{SIZE} were resized (first: {where})"
        if not any(problem.startswith("pictures that are not") for problem in rows.problems):
            rows.problems.append(note)
        image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return image
