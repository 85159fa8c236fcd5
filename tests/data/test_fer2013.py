"""FER2013's own protocol: what counts, and how the two label sets compare."""

import numpy as np
import pytest

from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.drawn.dataset import save_official
from ferlib.data.fer2013 import SPLIT_SIZES, agreement, counts, labelled, load_fer2013, seen_by_meant
from ferlib.data.ferplus import make_data
from ferlib.data.labels import COLUMN_OF_EMOTION, EMOTIONS, INDEX, MEANT_EMOTIONS, MEANT_INDEX


@pytest.fixture
def data():
    """Eight images: (split, seen, meant), with "" for no majority and no label."""
    pairs = [
        ("train", "neutral", "sad"), ("train", "sad", "sad"), ("train", "contempt", "angry"), ("train", "", "sad"),
        ("train", "happy", ""), ("valid", "happy", "happy"), ("valid", "fear", "surprise"), ("test", "fear", "fear"),
    ]  # fmt: skip
    votes = np.zeros((len(pairs), 10), dtype=np.uint8)
    for row, (_, seen, _) in enumerate(pairs):
        votes[row, [COLUMN_OF_EMOTION[INDEX[seen]]] if seen else [0, 1]] = 10 if seen else 5
    meant = [MEANT_INDEX.get(emotion, -1) for _, _, emotion in pairs]
    images = np.zeros((len(pairs), 48, 48), dtype=np.uint8)
    return make_data(list("abcdefgh"), images, votes, [split for split, _, _ in pairs], "by hand", meant=meant)


def test_the_published_sizes():
    assert SPLIT_SIZES == {"train": 28_709, "valid": 3_589, "test": 3_589}
    assert sum(SPLIT_SIZES.values()) == 35_887


def test_labelled_images_count_whatever_their_votes_are(data):
    assert labelled(data) == {"train": 4, "valid": 2, "test": 1}


def test_counts(data):
    table = counts(data)
    assert tuple(table) == MEANT_EMOTIONS
    assert table["sad"] == {"train": 3, "valid": 0, "test": 0}
    assert table["fear"] == {"train": 0, "valid": 0, "test": 1}
    assert {split: sum(row[split] for row in table.values()) for split in SPLIT_SIZES} == labelled(data)


def test_pairs_of_labels(data):
    table = seen_by_meant(data)
    assert table.shape == (7, 8)
    pairs = {(MEANT_EMOTIONS[row], EMOTIONS[column]): table[row, column] for row, column in np.argwhere(table)}
    assert pairs == {
        ("sad", "neutral"): 1, ("sad", "sad"): 1, ("angry", "contempt"): 1, ("happy", "happy"): 1,
        ("surprise", "fear"): 1, ("fear", "fear"): 1,
    }  # fmt: skip
    assert seen_by_meant(data.where(data.split == "valid")).sum() == 2


def test_agreement(data):
    result = agreement(data)
    assert (result.images, result.equal, result.share) == (6, 3, 0.5)
    assert agreement(data.where(data.split == "train")).share == pytest.approx(1 / 3)


def test_agreement_of_nothing_is_no_number(data):
    assert np.isnan(agreement(data.where(data.meant == -1)).share)


def test_drawn_faces_answer_two_questions(drawn):
    assert 0.7 < agreement(drawn).share < 1


class TestLoad:
    def test_images_without_a_label_are_left_out(self, small, tmp_path):
        save_official(small, tmp_path)
        data = load_fer2013(open_data_set(tmp_path))
        assert data.ids.tolist() == small.ids[small.meant >= 0].tolist()
        assert data.meant.tolist() == small.meant[small.meant >= 0].tolist()
        assert data.content_hash == small.content_hash

    def test_votes_that_are_unusable_do_not_matter(self, data):
        assert load_fer2013(DataSet(data)).ids.tolist() == list("abcdfgh")

    def test_a_named_file(self, small, save, tmp_path):
        root = save["official zips"](small, tmp_path / "data")
        assert len(load_fer2013(open_data_set(root))) == 0
        (tmp_path / "mine.csv").write_text(f"image,split,emotion\n{small.ids[0]},{small.split[0]},sad\n")
        assert load_fer2013(open_data_set(root, emotions=tmp_path / "mine.csv")).ids.tolist() == [small.ids[0]]

    def test_kaggles_csv_has_images_that_ferplus_does_not_name(self, small, save, tmp_path):
        data = load_fer2013(open_data_set(save["kaggle csv"](small, tmp_path / "data")))
        added = np.char.startswith(data.ids, "kaggle")
        assert data.ids[~added].tolist() == small.ids[small.meant >= 0].tolist()
        assert added.sum() == 6  # five without a name, and the misplaced row of a name that stands twice
        assert data.ids[0] == "fer0000000"
        assert "kaggle0000007" in data.ids
        assert (data.meant[added] == MEANT_INDEX["angry"]).all()
        assert (data.votes[added] == [0] * 9 + [10]).all()
        assert data.images[added].std() > 50  # noise
        assert set(data.split[added]) == {"train", "valid", "test"}

    def test_kaggles_csv_without_such_images(self, small, save, tmp_path):
        data = load_fer2013(open_data_set(save["kaggle csv"](small, tmp_path / "data", strays=False)))
        assert data.ids.tolist() == small.ids[small.meant >= 0].tolist()
