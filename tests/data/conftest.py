"""A small drawn data set and the same in every form that the readers know; caches go to the test's own folder."""

import csv
import shutil
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferlib import paths
from ferlib.data.drawn.dataset import make_dataset_with_truth, save_official
from ferlib.data.ferplus import FerData
from ferlib.data.labels import EMOTIONS, KAGGLE_EMOTIONS, MEANT_EMOTIONS, VOTE_COLUMNS
from ferlib.data.readers import OFFICIAL_FOLDERS
from ferlib.data.votes import hard_labels

USAGE = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
NO_FACE = [0] * 9 + [10]


@pytest.fixture(autouse=True)
def _own_caches(request, tmp_path, monkeypatch):
    """Only tests of the real data set use, and fill, the project's caches."""
    if not request.node.get_closest_marker("realdata"):
        monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")


def save_folders(data: FerData, folder: Path) -> Path:
    save_official(data, folder)
    return folder


def save_zips(data: FerData, folder: Path, *, labels_inside: bool = False) -> Path:
    """The three zips; their label files inside them or, as the FER+ repository's users have it, beside them."""
    save_official(data, folder / "unpacked")
    for name in OFFICIAL_FOLDERS.values():
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            for path in sorted((folder / "unpacked" / name).iterdir()):
                if path.suffix == ".png" or labels_inside:
                    archive.write(path, f"{name}/{path.name}")
        if not labels_inside:
            (folder / "unpacked" / name / "label.csv").rename(folder / f"{name}.label.csv")
    return folder


def save_kaggle(data: FerData, folder: Path, *, label_files: bool = True, strays: bool = True) -> Path:
    """``fer2013.csv`` and ``fer2013new.csv``, with the real file's traps (`strays`): rows without a name, which make
    names and row numbers drift apart, and a name that stands twice, once far from its place; all these are angry."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, labels = [["emotion", "pixels", "Usage"]], [["Usage", "Image name", *VOTE_COLUMNS]]

    def add(image: np.ndarray, split: str, name: str, votes, code: int | str = 0) -> None:
        pixels.append([code, " ".join(map(str, image.ravel().tolist())), USAGE[split]])
        labels.append([USAGE[split], name, *votes])

    noise = np.random.default_rng(1).integers(0, 256, (48, 48))
    for row in range(len(data)):
        split = str(data.split[row])
        if strays and row % 15 == 7:
            add(noise, split, "", NO_FACE)
        if strays and row == 30:
            add(noise, split, f"{data.ids[3]}.png", NO_FACE)
        code = KAGGLE_EMOTIONS.index(MEANT_EMOTIONS[data.meant[row]]) if data.meant[row] >= 0 else ""
        add(data.images[row], split, f"{data.ids[row]}.png", data.votes[row].tolist(), code)
    for name, rows in (("fer2013.csv", pixels), ("fer2013new.csv", labels)):
        with open(folder / name, "w", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows(rows)
    if label_files:
        save_official(data, folder / "unpacked")
        for name in OFFICIAL_FOLDERS.values():
            (folder / "unpacked" / name / "label.csv").rename(folder / f"{name}.label.csv")
    return folder


def save_classes(data: FerData, folder: Path) -> Path:
    """One folder a class; images without a majority are left out, as other people's copies do."""
    for image, label, split, name in zip(data.images, hard_labels(data.votes), data.split, data.ids, strict=True):
        if label >= 0:
            path = folder / str(split) / EMOTIONS[label] / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.asarray(image))
    return folder


@pytest.fixture(scope="module", params=[0, pytest.param(3, marks=pytest.mark.slow)])
def planted_set(request):
    """Drawn data with its planted faults, as `make_dataset_with_truth` gives them."""
    return make_dataset_with_truth(seed=request.param)


WRITERS = {
    "official folders": save_folders,
    "official zips": save_zips,
    "kaggle csv": save_kaggle,
    "class folders": save_classes,
}


@pytest.fixture(scope="session")
def save(tmp_path_factory) -> dict[str, Callable[..., Path]]:
    """How to write each form: ``save["kaggle csv"](data, folder)``; equal data is written once and then copied."""
    written: dict[tuple, Path] = {}

    def write(form: str, data: FerData, folder: Path, **options) -> Path:
        arrays = (data.ids, data.split, np.asarray(data.images), data.votes, data.meant)
        key = (form, *(array.tobytes() for array in arrays), *sorted(options.items()))
        if key not in written:
            written[key] = WRITERS[form](data, tmp_path_factory.mktemp("saved") / "data", **options)
        return Path(shutil.copytree(written[key], folder, dirs_exist_ok=True))

    return {form: partial(write, form) for form in WRITERS}
