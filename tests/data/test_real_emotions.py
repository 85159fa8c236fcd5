"""FER2013's own labels of the real pictures: the counts of the protocol, and how the two label sets compare.

Skipped by name without FERLIB_DATA or FERLIB_EMOTIONS.
"""

import pytest

from ferlib.data import fer2013, label_files
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.emotions_csv import read_emotions
from ferlib.data.ferplus import FerData
from ferlib.data.labels import EMOTIONS, INDEX, KAGGLE_EMOTIONS, MEANT_EMOTIONS, MEANT_INDEX
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.data.row_order import check_agreement
from ferlib.errors import FerlibError

pytestmark = pytest.mark.realdata

# Labels that were recovered for FER2013+'s images, by class in the order of MEANT_EMOTIONS.
LABELLED = {"train": 28_174, "valid": 3_563, "test": 3_548}
CLASSES = {
    "train": [3_914, 424, 3_983, 7_141, 4_897, 4_728, 3_087],
    "valid": [464, 56, 492, 889, 602, 650, 410],
    "test": [485, 55, 522, 874, 621, 583, 408],
}


@pytest.fixture(scope="module")
def data_set(real_root, real_emotions) -> DataSet:
    return open_data_set(real_root, emotions=real_emotions)


@pytest.fixture(scope="module")
def data(data_set) -> FerData:
    return data_set.all_splits


def test_the_labels_do_not_change_the_official_content(data):
    assert OFFICIAL_HASHES[data.content_hash] == "label.csv"
    assert data.problems == ()


def test_the_labels_agree_with_the_votes_of_the_same_rows(real_root, real_emotions):
    entries = label_files.read_fer2013new(real_root / "fer2013new.csv")
    meant = {name: MEANT_EMOTIONS[label] for name, (_, label) in read_emotions(real_emotions).items() if label >= 0}
    code_of_row = {
        entry.row: str(KAGGLE_EMOTIONS.index(meant[name.removesuffix(".png")]))
        for name, entry in label_files.by_name(entries)[0].items()
        if name.removesuffix(".png") in meant
    }
    codes = [code_of_row.get(entry.row, "") for entry in entries]
    assert len(codes) - codes.count("") == sum(LABELLED.values())
    check_agreement(codes, entries, "fer2013.csv")
    with pytest.raises(FerlibError, match="from line 2 on"):
        check_agreement(codes[1:] + codes[:1], entries, "fer2013.csv")


def test_labelled_images_of_each_split(data, data_set):
    assert fer2013.labelled(data) == LABELLED
    assert len(fer2013.load_fer2013(data_set)) == sum(LABELLED.values()) == 35_285
    assert all(LABELLED[split] <= size for split, size in fer2013.SPLIT_SIZES.items())


def test_counts_of_each_class(data):
    table = fer2013.counts(data)
    assert {split: [table[name][split] for name in MEANT_EMOTIONS] for split in CLASSES} == CLASSES


def test_the_two_label_sets_agree_on_two_images_in_three(data, data_set):
    everywhere, choosable = fer2013.agreement(data), fer2013.agreement(data_set.train_valid)
    assert (everywhere.images, round(100 * everywhere.share, 1)) == (31_030, 67.7)
    assert (choosable.images, round(100 * choosable.share, 1)) == (27_918, 67.8)


def test_half_of_what_was_meant_as_sad_is_seen_as_neutral(data_set):
    table = fer2013.seen_by_meant(data_set.train_valid)
    assert table.shape == (len(MEANT_EMOTIONS), len(EMOTIONS))
    sad = table[MEANT_INDEX["sad"]]
    assert (sad[INDEX["neutral"]], sad[INDEX["sad"]], sad.sum()) == (2_392, 2_003, 4_596)
    assert table[:, INDEX["contempt"]].sum() == 136
