"""Drawn data sets: stand-ins for FER2013+ in tests, smoke runs and the demo that needs no download.

Every picture is drawn by geometry; no photograph of a person is involved. A score on drawn faces shows that the code
runs and that a model can learn, and nothing about people: it must never be reported as a result.
"""

import csv
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ferlib import paths
from ferlib.data import emotions_csv
from ferlib.data.drawn.face import draw_face, draw_faces
from ferlib.data.drawn.taggers import TAGGERS, simulate_votes
from ferlib.data.ferplus import FerData, make_data
from ferlib.data.labels import (
    COLUMN_OF_EMOTION,
    EMOTIONS,
    MEANT_EMOTIONS,
    MEANT_INDEX,
    NOT_A_FACE_COLUMN,
    VOTE_COLUMNS,
)
from ferlib.data.readers import OFFICIAL_FOLDERS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path

__all__ = [
    "draw_face", "draw_faces", "make_dataset", "make_dataset_with_truth", "save_official", "save_zips",
    "simulate_votes",
]  # fmt: skip

# Share of the train split that is planted, by kind of fault (at least one of each).
_PLANTED = {
    "exact_duplicate": 0.03,  # same bytes and votes as another train image
    "leak_valid": 0.015,  # same bytes and votes as a valid image
    "leak_test": 0.015,  # same bytes and votes as a test image
    "near_duplicate": 0.03,  # a train image with other light, a fraction of a pixel of shift, JPEG artefacts or noise
    "mirrored": 0.02,  # a train image, left and right exchanged
    "conflicting_votes": 0.015,  # same bytes as a train image, all votes for another emotion
    "blank": 0.01,  # one grey level, voted "not a face"
    "junk": 0.015,  # noise or lines of text, voted "not a face"
}
# Shares of the classes in FER2013 (majority labels of FER+), in class order.
_SHARES = np.array([0.087, 0.006, 0.006, 0.023, 0.262, 0.363, 0.125, 0.128])
_ENSURED = 2  # images of each class in each split on which all taggers agree
_MEANT_NEUTRAL = 0.1  # share of the other images that are meant as neutral, whatever is drawn

Planted = dict[str, list[tuple[str, str]]]
"""Pairs (id of the planted image, id of its original or "") of each kind of fault."""


def make_dataset(train: int = 400, valid: int = 120, test: int = 120, seed: int = 0) -> FerData:
    """Draw a small stand-in for FER2013+, with its imbalance and its faults.

    Args:
        train: images in the train split, at least 40.
        valid: images in the valid split, at least 16.
        test: images in the test split, at least 16.
        seed: decides everything.

    Raises:
        FerlibError: a split too small to hold every class and fault.
    """
    return make_dataset_with_truth(train, valid, test, seed)[0]


def make_dataset_with_truth(
    train: int = 400, valid: int = 120, test: int = 120, seed: int = 0
) -> tuple[FerData, Planted]:
    """Draw a data set and plant faults in its train split.

    Each split has at least two images of every class on which all taggers agree. What was meant is the drawn emotion
    there, and neutral on one in ten of the other images; drawn contempt has no label of FER2013. Ids run from
    ``fer0000000`` through train, valid and test, as the official numbering does.

    Args:
        train: images in the train split, the planted ones included; at least 40.
        valid: images in the valid split; at least 16.
        test: images in the test split; at least 16.
        seed: decides everything.

    Returns:
        The data, and the planted images under the keys ``exact_duplicate``, ``leak_valid``, ``leak_test``,
        ``near_duplicate``, ``mirrored``, ``conflicting_votes``, ``blank`` and ``junk``. No image is the original of
        two planted ones; blank and junk images have no original.

    Raises:
        FerlibError: a split too small to hold every class and fault.
    """
    if train < 40 or valid < 16 or test < 16:
        raise FerlibError(f"{train}, {valid} and {test} images are too few; ask for at least 40, 16 and 16.")
    rng = np.random.default_rng((seed, 1))
    counts = {kind: max(1, round(share * train)) for kind, share in _PLANTED.items()}
    splits = _draw_splits({"train": train - sum(counts.values()), "valid": valid, "test": test}, seed, rng)
    copies = _plant(splits, counts, rng)
    train_rows = [*splits["train"], *copies]
    rows = [*(train_rows[index] for index in rng.permutation(train)), *splits["valid"], *splits["test"]]
    names = {row: f"fer{number:07d}" for number, row in enumerate(rows)}
    planted: Planted = {kind: [] for kind in counts}
    for copy in copies:
        planted[copy.kind].append((names[copy], names.get(copy.original, "")))
    source = f"drawn faces (ferlib.data.drawn.dataset, seed {seed})"
    images, votes, split, meant = zip(*((row.image, row.votes, row.split, row.meant) for row in rows), strict=True)
    return make_data(list(names.values()), images, votes, split, source, meant=meant), planted


@dataclass(eq=False)  # compared and hashed by identity
class _Row:
    """One image in the making."""

    split: str
    label: int  # class that was drawn; -1 = no face
    image: np.ndarray
    votes: np.ndarray
    kind: str = ""  # kind of the planted fault
    original: "_Row | None" = None
    meant: int = -1  # index into MEANT_EMOTIONS


def _draw_splits(sizes: dict[str, int], seed: int, rng: np.random.Generator) -> dict[str, list[_Row]]:
    """Draw faces with votes; the taggers agree on the first `_ENSURED` of each class."""
    ensured = np.tile(np.arange(len(EMOTIONS)), _ENSURED)
    labels, votes = [], []
    for size in sizes.values():
        drawn = np.concatenate([ensured, rng.choice(len(EMOTIONS), size - len(ensured), p=_SHARES)])
        labels.append(drawn)
        votes.append(np.concatenate([_clear_votes(ensured), simulate_votes(drawn[len(ensured) :], rng)]))
    names, classes = np.repeat(list(sizes), list(sizes.values())), np.concatenate(labels)
    fields = zip(names, classes.tolist(), draw_faces(classes, seed), np.concatenate(votes), strict=True)
    rows = [_Row(*row) for row in fields]
    _set_meant(rows, np.concatenate([np.arange(size) < len(ensured) for size in sizes.values()]), seed)
    return {split: [row for row in rows if row.split == split] for split in sizes}


def _set_meant(rows: list[_Row], keeps_emotion: np.ndarray, seed: int) -> None:
    """Set what was meant; it has a source of chance of its own, so that it changes no vote and no picture."""
    neutral = np.random.default_rng((seed, 2)).random(len(rows)) < _MEANT_NEUTRAL
    for row, is_neutral in zip(rows, neutral & ~keeps_emotion, strict=True):
        emotion = EMOTIONS[row.label]
        row.meant = -1 if emotion not in MEANT_INDEX else MEANT_INDEX["neutral" if is_neutral else emotion]


def _plant(splits: dict[str, list[_Row]], counts: dict[str, int], rng: np.random.Generator) -> list[_Row]:
    """Make the planted train images; originals of conflicting copies get clear votes, so that the two do conflict."""
    free = {split: [rows[index] for index in rng.permutation(len(rows))] for split, rows in splits.items()}
    copies = []
    for kind, count in counts.items():
        for number in range(count):
            if kind in ("blank", "junk"):
                image = _blank(number) if kind == "blank" else _junk(number, rng)
                copies.append(_Row("train", -1, image, _votes_for(NOT_A_FACE_COLUMN), kind))
                continue
            row = free[{"leak_valid": "valid", "leak_test": "test"}.get(kind, "train")].pop()
            copy = replace(row, split="train", kind=kind, original=row)
            if kind == "near_duplicate":
                copy.image = _near_copy(row.image, number, rng)
            elif kind == "mirrored":
                copy.image = row.image[:, ::-1]
            elif kind == "conflicting_votes":
                row.votes, copy.votes = _clear_votes([row.label, (row.label + rng.integers(1, 8)) % 8])
            copies.append(copy)
    return copies


def _votes_for(column: int) -> np.ndarray:
    """Votes of taggers who all choose one column, (10,) uint8."""
    return TAGGERS * (np.arange(len(VOTE_COLUMNS)) == column).astype(np.uint8)


def _clear_votes(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.stack([_votes_for(COLUMN_OF_EMOTION[label]) for label in labels])


def _near_copy(image: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """Change an image as a second download or crop would; four ways take turns."""
    changed: np.ndarray
    if number % 4 == 0:
        changed = image * 1.06 + rng.uniform(4, 10)
    elif number % 4 == 1:
        shift = np.array([[1, 0, 0.3], [0, 1, 0.3]])  # pixels, right and down
        changed = cv2.warpAffine(image, shift, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    elif number % 4 == 2:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 85))])
        changed = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))
    else:
        changed = image + rng.normal(0, 3, image.shape)
    return changed.clip(0, 255).astype(np.uint8)


def _blank(number: int) -> np.ndarray:
    """Image of one grey level, black first; the first 32 numbers differ, so that they are no exact duplicates."""
    return np.full((48, 48), number * 8 % 256, dtype=np.uint8)


def _junk(number: int, rng: np.random.Generator) -> np.ndarray:
    """Image of noise, or of lines of text like a web site's picture for a missing one; the two take turns."""
    if number % 2 == 0:
        return rng.integers(0, 256, (48, 48), dtype=np.uint8)
    image = np.full((48, 48), rng.integers(180, 256), dtype=np.uint8)
    for y in range(10, 48, 11):
        text = "".join(rng.choice(list("abcdefghijklmnop"), 7))
        cv2.putText(image, text, (2, y), cv2.FONT_HERSHEY_SIMPLEX, 0.33, int(rng.integers(0, 90)), 1, cv2.LINE_AA)
    return image


def save_official(data: FerData, folder: str | Path) -> None:
    """Write data in the official FER+ layout: ``FER2013Train/fer0000000.png`` and a ``label.csv`` in each folder.

    What was meant stands in ``emotions.csv`` beside the folders. Each file is written atomically, the label files last;
    saving the same data again is harmless.

    Args:
        data: the data set.
        folder: folder to write into, made when missing.

    Raises:
        FerlibError: an id that is no file name, or a folder that holds pictures of other names.
    """
    folder = Path(folder)
    for split, name in OFFICIAL_FOLDERS.items():
        rows = data.where(data.split == split)
        files = [f"{row}.png" for row in rows.ids]
        _refuse_other_pictures(folder / name, files)
        for file, image in zip(files, rows.images, strict=True):
            with atomic_path(folder / name / file) as temporary:
                Image.fromarray(image).save(temporary)
        with atomic_path(folder / name / "label.csv") as temporary, open(temporary, "w", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerows([file, "(0, 0, 48, 48)", *votes] for file, votes in zip(files, rows.votes, strict=True))
    with atomic_path(folder / emotions_csv.FILE_NAME) as temporary, open(temporary, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(emotions_csv.COLUMNS)
        emotions = [MEANT_EMOTIONS[index] if index >= 0 else "" for index in data.meant]
        writer.writerows(zip(data.ids, data.split, emotions, strict=True))


def save_zips(data: FerData, folder: str | Path) -> None:
    """Write data as the three official zip files, each with its ``label.csv`` inside; equal data gives equal bytes.

    What was meant stands in ``emotions.csv`` beside them.

    Args:
        data: the data set.
        folder: folder to write into, made when missing.

    Raises:
        FerlibError: an id that is no file name.
    """
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as temporary_folder:
        save_official(data, temporary_folder)
        with atomic_path(folder / emotions_csv.FILE_NAME) as temporary:
            shutil.copyfile(Path(temporary_folder) / emotions_csv.FILE_NAME, temporary)
        for name in OFFICIAL_FOLDERS.values():
            with atomic_path(folder / f"{name}.zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
                for path in sorted((Path(temporary_folder) / name).iterdir()):
                    # ZipInfo's default date, 1980, instead of the file's, so that the bytes do not change.
                    entry = zipfile.ZipInfo(f"{name}/{path.name}")
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _refuse_other_pictures(folder: Path, files: list[str]) -> None:
    invalid = [file for file in files if Path(file).name != file]
    if invalid:
        raise FerlibError(f"{invalid[0]!r} is no plain file name; rename the ids before saving in the official layout.")
    others = sorted({path.name for path in folder.glob("*.png")} - set(files))
    if others:
        raise FerlibError(f"{folder.name} already holds other pictures ({others[0]}); name an empty folder.")


if __name__ == "__main__":  # how data/sample was made
    save_zips(make_dataset(train=200, valid=60, test=60, seed=0), paths.SAMPLE)
