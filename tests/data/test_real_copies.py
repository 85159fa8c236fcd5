"""Version 2 of the search for copies on a part of FER2013+; `docs/EXPERIMENTS.md` has the numbers of the whole."""

import numpy as np
import pytest

from ferlib.data import cleaning
from ferlib.data.ferplus import FerData, load_all

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def data(real_root) -> FerData:
    """All images of valid and test, and as many of train: the search in all images takes four minutes."""
    everything = load_all(real_root)
    train = np.flatnonzero(everything.split == "train")[:3_500]
    return everything.where(np.union1d(train, np.flatnonzero(everything.split != "train")))


@pytest.fixture(scope="module")
def manifest(data):
    return cleaning.build_manifest(data, version=2)


def test_copies(manifest):
    assert manifest["copy"].value_counts().to_dict() == {"": 9_145, "near": 1_124, "exact": 357, "mirrored": 26}
    assert manifest.loc[manifest["group"] != "", "group"].nunique() == 641
    assert manifest["disagrees"].sum() == 132


def test_what_training_keeps_and_what_is_leaked(manifest):
    assert ((manifest.split == "train") & manifest.kept).sum() == 3_060
    assert manifest[manifest.leaked].split.value_counts()[["valid", "test"]].tolist() == [369, 389]


def test_no_photo_of_valid_or_test_stays_in_training(manifest):
    grouped = manifest[(manifest.group != "") & manifest.kept]
    train, held = grouped[grouped.split == "train"], grouped[grouped.split != "train"]
    assert not set(train.group) & set(held.group)
    assert train.group.is_unique


def test_it_finds_what_version_1_finds(data, manifest):
    """Of the images with a copy by version 1, those without one by version 2 are of different people in one light."""
    first = cleaning.build_manifest(data, version=1)
    assert ((first.group != "") & (manifest.group == "")).sum() == 3
    assert ((first.group == "") & (manifest.group != "")).sum() == 527
