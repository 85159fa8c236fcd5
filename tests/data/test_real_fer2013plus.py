"""FER2013+ itself: the counts that the literature and this project report, its copies and leaks, and its forms."""

import csv
import hashlib
import tempfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferlib import paths
from ferlib.data import cleaning, label_files, readers
from ferlib.data.check import Report, check, render
from ferlib.data.ferplus import FerData, load_all, load_train_valid, make_data
from ferlib.data.fetch import LABEL_DOWNLOADS, text_digest
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.data.readers import OFFICIAL_FOLDERS
from ferlib.data.votes import targets

pytestmark = pytest.mark.realdata

# Cleaning takes half a minute the first time; its result stays in data/processed, by the data's content hash.
MAJORITY = {"train": 25_045, "valid": 3_191, "test": 3_137}
MAJORITY_OF_NEW = {"train": 25_060, "valid": 3_199, "test": 3_153}
CROSSENTROPY = {"train": 27_947, "valid": 3_508, "test": 3_507}
ARGMAX = {"train": 28_556, "valid": 3_579, "test": 3_573}


@pytest.fixture(scope="module")
def data(real_root) -> FerData:
    return load_all(real_root)


@pytest.fixture(scope="module")
def report(real_root) -> Report:
    return check(real_root, versions=(1,))  # as published; see test_real_copies for version 2


@pytest.fixture(scope="module")
def manifest(data):
    return cleaning.load_manifest(data, version=1).set_index("id")  # as published; see test_real_copies


@pytest.fixture
def scratch(monkeypatch):
    """A folder for the whole data set in another form, and for its cache; pytest would keep several of them."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(paths, "PROCESSED", Path(folder) / "processed")
        yield Path(folder)


def test_the_content_is_the_official_one(real_root, data):
    assert OFFICIAL_HASHES[data.content_hash] == "label.csv"
    assert OFFICIAL_HASHES[load_all(real_root, "fer2013new.csv").content_hash] == "fer2013new.csv"


def test_images_of_each_split(report):
    assert report.images == {"train": 28_558, "valid": 3_579, "test": 3_573}
    assert report.problems == ()


@pytest.mark.parametrize(
    ("file", "rule", "counts"),
    [
        ("label.csv", "majority", MAJORITY),
        ("fer2013new.csv", "majority", MAJORITY_OF_NEW),
        ("label.csv", "crossentropy", CROSSENTROPY),
        ("label.csv", "argmax", ARGMAX),
    ],
)
def test_the_table_of_counts(report, file, rule, counts):
    assert report.kept[file][rule] == counts


def test_three_rows_of_fer2013new_with_a_majority_repeat_an_image(report):
    assert "25,057 / 3,199 / 3,153 distinct images" in report.notes[0]


def test_the_rare_classes(report):
    assert report.classes["disgust"] == {"train": 116, "valid": 25, "test": 16}
    assert report.classes["contempt"] == {"train": 120, "valid": 16, "test": 15}


def test_the_text_shows_the_counts_and_fits(report):
    text = render(report)
    for counts in (MAJORITY, MAJORITY_OF_NEW, CROSSENTROPY, ARGMAX):
        assert "    ".join(f"{count:,}" for count in counts.values()) in text
    assert "that of the official data" in text
    assert max(map(len, text.split("\n")[1:])) <= 100


def test_the_two_label_files_disagree(real_root, data):
    other = load_all(real_root, "fer2013new.csv")
    assert (other.ids == data.ids).all()
    # 1,602 when the misplaced row of fer0033120 is taken for its own (a plain dictionary keeps the last of two)
    assert (other.votes != data.votes).any(axis=1).sum() == 1_601


def test_what_training_keeps(data, manifest):
    for_training = ((manifest.split == "train") & manifest.kept).to_numpy()
    assert for_training.sum() == 24_479
    assert targets(data.votes[for_training], "crossentropy").any(axis=1).sum() == 24_003


def test_leaked_images(manifest, report):
    for split, leaked, labelled, images in (("valid", 591, 3_191, 675), ("test", 614, 3_137, 713)):
        part = manifest[(manifest.split == split) & (manifest.label != "")]
        assert (part.leaked.sum(), len(part)) == (leaked, labelled)
        assert report.searches["1"].leaked[split] == {
            "labelled": leaked, "of_labelled": labelled, "images": images, "of_images": report.images[split],
        }  # fmt: skip


def test_leaks_by_pair_of_splits(report):
    assert report.searches["1"].leaks == {
        "train": {"train": 4_939, "valid": 1_128, "test": 1_213},
        "valid": {"train": 622, "valid": 152, "test": 147},
        "test": {"train": 661, "valid": 144, "test": 142},
    }
    assert report.searches["1"].dropped == {
        "copy within train": 2_044, "also in test": 1_213, "also in valid": 820, "not a face": 2,
    }  # fmt: skip


def test_no_photo_of_valid_or_test_stays_in_training(manifest):
    grouped = manifest[(manifest.group != "") & manifest.kept]
    train, held = grouped[grouped.split == "train"], grouped[grouped.split != "train"]
    assert not set(train.group) & set(held.group)
    assert train.group.is_unique
    exact = manifest[manifest.kept]
    assert not set(exact.pixel_hash[exact.split == "train"]) & set(exact.pixel_hash[exact.split != "train"])


def test_train_and_valid_hold_nothing_of_test(real_root, data):
    part = load_train_valid(real_root)
    assert set(part.split.tolist()) == {"train", "valid"}
    assert len(part) == 28_558 + 3_579
    assert not set(part.ids.tolist()) & set(data.ids[data.split == "test"].tolist())


@pytest.mark.parametrize("name", sorted(LABEL_DOWNLOADS))
def test_fetch_expects_the_files_that_gave_these_counts(real_root, name):
    assert text_digest(real_root / name) == LABEL_DOWNLOADS[name][1]


def test_official_folders_have_the_same_content(real_root, data, scratch):
    for name in OFFICIAL_FOLDERS.values():
        with zipfile.ZipFile(real_root / f"{name}.zip") as archive:
            archive.extractall(scratch)
        (scratch / f"{name}.label.csv").write_bytes((real_root / f"{name}.label.csv").read_bytes())
    assert readers.detect_form(scratch) == "official folders"
    rows = readers.read(scratch, "official folders", "label.csv")
    assert make_data(rows.ids, rows.images, rows.votes, rows.splits, "folders").content_hash == data.content_hash


@pytest.fixture
def kaggle_root(real_root, data, scratch) -> Path:
    """The three label files with a ``fer2013.csv`` put together from the official pictures, without emotions.

    Rows that have no picture of their own (no name, or a repeated one far from its place) get noise.
    """
    entries = label_files.read_fer2013new(real_root / "fer2013new.csv")
    named, _ = label_files.by_name(entries)
    picture = {named[f"{name}.png"].row: index for index, name in enumerate(data.ids)}
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    digits = [str(value) for value in range(256)]
    usage = {ours: kaggles for kaggles, ours in label_files.USAGE.items()}
    with open(scratch / "fer2013.csv", "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["emotion", "pixels", "Usage"])
        for entry in entries:
            image = data.images[picture[entry.row]] if entry.row in picture else noise
            writer.writerow(["", " ".join(map(digits.__getitem__, image.ravel().tolist())), usage[entry.split]])
    for name in ("fer2013new.csv", *(f"{folder}.label.csv" for folder in OFFICIAL_FOLDERS.values())):
        (scratch / name).write_bytes((real_root / name).read_bytes())
    return scratch


def test_kaggles_csv_has_the_same_content(kaggle_root, data):
    from_kaggle = load_all(kaggle_root)
    assert from_kaggle.source == "kaggle csv, label.csv"
    assert from_kaggle.content_hash == data.content_hash
    assert from_kaggle.problems == (
        "fer2013.csv: 173 images have no name in FER+ (not a face)",
        "fer2013.csv: 4 rows of fer2013new.csv repeat an image name (the misplaced ones are left out)",
    )


def test_the_pictures_are_read_as_they_are(real_root, data):
    """Against another decoder path: the first picture of test, straight from the zip."""
    name = str(data.ids[data.split == "test"][0])
    with zipfile.ZipFile(real_root / "FER2013Test.zip") as archive:
        raw = archive.read(f"FER2013Test/{name}.png")
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image.shape == (48, 48)
    assert (image == data.images[data.ids == name][0]).all()
    assert hashlib.sha256(image.tobytes()).hexdigest() == cleaning.pixel_hashes(data.images[data.ids == name])[0]
