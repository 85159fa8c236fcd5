"""Version 2 of the search for copies on FER2013+ itself: what it finds, and what training keeps.

The search takes four minutes the first time; its result stays in data/processed, by the data's content hash.
"""

import pytest

from ferlib.data import cleaning
from ferlib.data.copies import VERSION
from ferlib.data.ferplus import FerData, load_all
from ferlib.data.votes import targets

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="session")
def data(real_root) -> FerData:
    return load_all(real_root)


@pytest.fixture(scope="session")
def manifest(data):
    return cleaning.load_manifest(data, version=2)


def test_new_work_uses_it(data, manifest):
    assert VERSION == 2
    assert manifest["id"].tolist() == data.ids.tolist()


def test_copies(manifest):
    assert manifest["copy"].value_counts().to_dict() == {"": 25_307, "near": 6_979, "exact": 3_353, "mirrored": 71}
    assert manifest.loc[manifest["group"] != "", "group"].nunique() == 3_792
    assert manifest["disagrees"].sum() == 1_352


def test_what_training_keeps(data, manifest):
    for_training = ((manifest.split == "train") & manifest.kept).to_numpy()
    assert for_training.sum() == 22_395
    assert targets(data.votes[for_training], "crossentropy").any(axis=1).sum() == 21_988


@pytest.mark.parametrize(("split", "images", "labelled"), [("valid", 1_011, 878), ("test", 1_021, 874)])
def test_leaked_images(manifest, split, images, labelled):
    leaked = manifest[(manifest.split == split) & manifest.leaked]
    assert (len(leaked), (leaked.label != "").sum()) == (images, labelled)


def test_no_photo_of_valid_or_test_stays_in_training(manifest):
    grouped = manifest[(manifest.group != "") & manifest.kept]
    train, held = grouped[grouped.split == "train"], grouped[grouped.split != "train"]
    assert not set(train.group) & set(held.group)
    assert train.group.is_unique


def test_it_finds_what_version_1_finds(data, manifest):
    """Of the images with a copy by version 1, those without one by version 2 are of different people in one light."""
    first = cleaning.load_manifest(data, version=1)
    assert ((first.group != "") & (manifest.group == "")).sum() == 23
