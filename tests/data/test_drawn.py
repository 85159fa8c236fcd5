"""Drawn faces: the same seed gives the same bytes, and what is planted is really there."""

import csv

import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline

from ferlib import paths
from ferlib.data import readers
from ferlib.data.drawn.dataset import (
    draw_face,
    draw_faces,
    make_dataset,
    make_dataset_with_truth,
    save_official,
    save_zips,
    simulate_votes,
)
from ferlib.data.ferplus import FerData, load_all, make_data
from ferlib.data.labels import EMOTIONS, INDEX, MEANT_EMOTIONS, VOTE_COLUMNS
from ferlib.data.votes import drop_reasons, hard_labels
from ferlib.errors import FerlibError

COPIES = ("exact_duplicate", "leak_valid", "leak_test", "conflicting_votes")


@pytest.fixture(scope="module")
def drawn_set():
    return make_dataset_with_truth(seed=3)


@pytest.fixture(scope="module")
def row_of(drawn_set):
    return {str(name): row for row, name in enumerate(drawn_set[0].ids)}


@pytest.fixture(scope="module")
def small():
    return make_dataset(train=40, valid=16, test=16, seed=5)


def rows(data: FerData, split: str) -> FerData:
    return data.where(data.split == split)


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("size", [48, 96])
def test_a_face_is_a_square_grey_picture_with_contrast(emotion, size):
    face = draw_face(emotion, np.random.default_rng(1), size)
    assert face.shape == (size, size)
    assert face.dtype == np.uint8
    assert face.std() > 10


def test_an_odd_size_can_be_drawn():
    assert draw_face("happy", np.random.default_rng(1), 61).shape == (61, 61)


def test_same_seed_same_bytes_other_seed_other_bytes():
    labels = list(range(8))
    faces = draw_faces(labels, seed=4)
    assert faces.shape == (8, 48, 48)
    assert faces.dtype == np.uint8
    assert np.array_equal(faces, draw_faces(labels, seed=4))
    assert not any(np.array_equal(*pair) for pair in zip(faces, draw_faces(labels, seed=5), strict=True))


def test_a_longer_list_begins_with_the_same_faces():
    assert np.array_equal(draw_faces([2, 6], seed=0), draw_faces([2, 6, 1, 1], seed=0)[:2])


def test_no_labels_give_no_faces():
    assert draw_faces([], seed=0).shape == (0, 48, 48)


def test_larger_pictures_show_the_same_face():
    small, large = (draw_face("surprise", np.random.default_rng(8), size).astype(float) for size in (48, 96))
    halved = large.reshape(48, 2, 48, 2).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), halved.ravel())[0, 1] > 0.95


def test_unknown_emotion_and_class_are_refused():
    with pytest.raises(FerlibError, match="bored"):
        draw_face("bored", np.random.default_rng(0))
    with pytest.raises(FerlibError, match="8 is no class"):
        draw_faces([8], seed=0)


@pytest.mark.slow
def test_a_linear_classifier_tells_the_emotions_apart():
    labels = np.arange(800) % 8
    pixels = draw_faces(labels, seed=11).reshape(800, -1).astype(np.float32)
    pixels = (pixels - pixels.mean(axis=1, keepdims=True)) / pixels.std(axis=1, keepdims=True)
    classifier = make_pipeline(PCA(80, svd_solver="randomized", random_state=0), LinearDiscriminantAnalysis())
    predictions = classifier.fit(pixels[:600], labels[:600]).predict(pixels[600:])
    assert (predictions == labels[600:]).mean() > 0.5  # chance is 0.125; 0.7-0.8 is usual
    for label in range(8):
        assert (predictions[labels[600:] == label] == label).mean() > 0.25, EMOTIONS[label]


def test_votes_usually_name_the_class_and_sometimes_not():
    labels = np.repeat(np.arange(8), 200)
    votes = simulate_votes(labels, np.random.default_rng(0))
    assert votes.shape == (1600, 10)
    assert votes.dtype == np.uint8
    assert set(votes.sum(axis=1).tolist()) == {9, 10}
    majority = hard_labels(votes)
    for label in range(8):
        assert (majority[labels == label] == label).mean() > 0.8
    assert 0 < (majority < 0).mean() < 0.15
    assert votes[:, VOTE_COLUMNS.index("unknown")].any()
    assert np.array_equal(votes, simulate_votes(labels, np.random.default_rng(0)))


def test_votes_confuse_neighbours_most():
    votes = simulate_votes(np.full(300, INDEX["fear"]), np.random.default_rng(2)).sum(axis=0)
    assert np.argsort(votes)[-2:].tolist() == [VOTE_COLUMNS.index("surprise"), VOTE_COLUMNS.index("fear")]


def test_simulated_votes_of_nothing():
    assert simulate_votes([], np.random.default_rng(0)).shape == (0, 10)


def test_splits_ids_and_source(drawn_set):
    data = drawn_set[0]
    assert [len(rows(data, split)) for split in ("train", "valid", "test")] == [400, 120, 120]
    assert data.ids.tolist() == [f"fer{number:07d}" for number in range(640)]
    assert data.split.tolist() == ["train"] * 400 + ["valid"] * 120 + ["test"] * 120
    assert data.images.shape == (640, 48, 48)
    assert data.images.dtype == np.uint8
    assert data.votes.sum(axis=1).max() == 10
    assert data.source == "drawn faces (ferlib.data.drawn.dataset, seed 3)"


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_class_is_in_every_split_and_happy_and_neutral_are_commonest(drawn_set, small, split):
    assert np.bincount(hard_labels(rows(small, split).votes) + 1, minlength=9)[1:].min() >= 1
    counts = np.bincount(hard_labels(rows(drawn_set[0], split).votes) + 1, minlength=9)[1:]
    assert counts.min() >= 2
    assert set(np.argsort(counts)[-2:].tolist()) == {INDEX["happy"], INDEX["neutral"]}


def test_datasets_are_reproducible(small):
    again = make_dataset(train=40, valid=16, test=16, seed=5)
    other = make_dataset(train=40, valid=16, test=16, seed=6)
    assert again.content_hash == small.content_hash
    assert np.array_equal(again.images, small.images)
    assert np.array_equal(again.votes, small.votes)
    assert other.content_hash != small.content_hash


def test_planted_counts_and_uniqueness(drawn_set):
    planted = drawn_set[1]
    counts = {
        "exact_duplicate": 12, "leak_valid": 6, "leak_test": 6, "near_duplicate": 12,
        "mirrored": 8, "conflicting_votes": 6, "blank": 4, "junk": 6,
    }  # fmt: skip
    assert {kind: len(pairs) for kind, pairs in planted.items()} == counts
    named = [name for pairs in planted.values() for pair in pairs for name in pair if name]
    assert len(named) == len(set(named))


def test_planted_images_are_in_train_and_originals_where_they_belong(drawn_set, row_of):
    data, planted = drawn_set
    for kind, pairs in planted.items():
        home = {"leak_valid": "valid", "leak_test": "test"}.get(kind, "train")
        for name, original in pairs:
            assert data.split[row_of[name]] == "train"
            assert (original == "") if kind in ("blank", "junk") else (data.split[row_of[original]] == home)


@pytest.mark.parametrize("kind", COPIES)
def test_copies_have_the_same_pixels(drawn_set, row_of, kind):
    data, planted = drawn_set
    for name, original in planted[kind]:
        assert np.array_equal(data.images[row_of[name]], data.images[row_of[original]])


def test_only_planted_copies_have_the_same_pixels(drawn_set):
    data, planted = drawn_set
    distinct = len({image.tobytes() for image in data.images})
    assert len(data) - distinct == sum(len(planted[kind]) for kind in COPIES)


def test_votes_of_copies_agree_unless_planted_to_conflict(drawn_set, row_of):
    data, planted = drawn_set
    for kind in ("exact_duplicate", "leak_valid", "leak_test", "near_duplicate", "mirrored"):
        for name, original in planted[kind]:
            assert np.array_equal(data.votes[row_of[name]], data.votes[row_of[original]])
    for pair in planted["conflicting_votes"]:
        labels = hard_labels(data.votes[[row_of[name] for name in pair]])
        assert labels.min() >= 0
        assert labels[0] != labels[1]


def test_near_duplicates_differ_a_little(drawn_set, row_of):
    data, planted = drawn_set
    for name, original in planted["near_duplicate"]:
        first, second = (data.images[row_of[name]].astype(float) for name in (name, original))
        assert 0 < np.abs(first - second).mean() < 20
        assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9


def test_mirrored_copies_are_mirrored(drawn_set, row_of):
    data, planted = drawn_set
    for name, original in planted["mirrored"]:
        assert np.array_equal(data.images[row_of[name]], data.images[row_of[original]][:, ::-1])


def test_blank_and_junk_are_no_faces(drawn_set, row_of):
    data, planted = drawn_set
    blank, junk = ([row_of[name] for name, _ in planted[kind]] for kind in ("blank", "junk"))
    assert np.ptp(data.images[blank], axis=(1, 2)).max() == 0
    assert data.images[junk].std(axis=(1, 2)).min() > 20
    assert set(drop_reasons(data.votes[blank + junk], "majority").tolist()) == {"not a face"}


def names_of(indices: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    """Class names of indices, "" for -1."""
    return np.array([*classes, ""])[indices]


def test_what_was_meant_is_what_was_drawn_where_all_taggers_agree(small):
    for split in ("valid", "test"):
        part = rows(small, split)  # nothing but the images on which they agree
        drawn = names_of(hard_labels(part.votes), EMOTIONS)
        assert names_of(part.meant, MEANT_EMOTIONS).tolist() == np.where(drawn == "contempt", "", drawn).tolist()


@pytest.mark.slow
def test_one_in_ten_of_the_other_faces_is_meant_as_neutral():
    data = rows(make_dataset(train=40, valid=1000, test=16, seed=2), "valid")
    drawn, meant = names_of(hard_labels(data.votes), EMOTIONS), names_of(data.meant, MEANT_EMOTIONS)
    agreed = data.votes.max(axis=1) == 10
    clear = agreed & ~np.isin(drawn, ("contempt", "neutral"))
    assert set(meant[clear & (meant != drawn)]) == {"neutral"}
    assert 0.05 < (meant[clear] == "neutral").mean() < 0.15
    assert (meant[agreed & (drawn == "contempt")] == "").all()


def test_copies_were_meant_as_their_originals_and_no_face_is_meant(drawn_set, row_of):
    data, planted = drawn_set
    for kind, pairs in planted.items():
        for copy, original in pairs:
            assert data.meant[row_of[copy]] == (data.meant[row_of[original]] if original else -1), kind


@pytest.mark.slow
def test_what_was_meant_is_reproducible_and_changes_no_picture_and_no_vote(small):
    again = make_dataset(train=40, valid=16, test=16, seed=5)
    assert again.meant_hash == small.meant_hash
    # of the sample that the repository carries, drawn before there was a second label
    assert make_dataset(train=200, valid=60, test=60, seed=0).content_hash == load_all(paths.SAMPLE).content_hash


@pytest.mark.slow
def test_the_sample_has_the_labels_that_are_drawn_today():
    assert make_dataset(train=200, valid=60, test=60, seed=0).meant_hash == load_all(paths.SAMPLE).meant_hash


def test_too_small_a_data_set_is_refused():
    with pytest.raises(FerlibError, match="at least 40, 16 and 16"):
        make_dataset(train=39)


def test_official_layout(small, tmp_path):
    save_official(small, tmp_path)
    folders = ["FER2013Test", "FER2013Train", "FER2013Valid"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*folders, "emotions.csv"]
    lines = []
    for split, folder in (("train", "FER2013Train"), ("valid", "FER2013Valid"), ("test", "FER2013Test")):
        table = list(csv.reader((tmp_path / folder / "label.csv").read_text().splitlines()))
        assert {row[0] for row in table} | {"label.csv"} == {path.name for path in (tmp_path / folder).iterdir()}
        assert len(table) == len(rows(small, split))
        lines += table
    for row, name, image, votes in zip(lines, small.ids, small.images, small.votes, strict=True):
        assert row == [f"{name}.png", "(0, 0, 48, 48)", *map(str, votes)]
        path = next(tmp_path.glob(f"*/{name}.png"))
        assert np.array_equal(np.asarray(Image.open(path)), image)
    first = (tmp_path / "FER2013Train" / "label.csv").read_text().splitlines()[0]
    assert first.startswith('fer0000000.png,"(0, 0, 48, 48)",')


def test_saved_data_has_the_same_labels(small, tmp_path):
    save_official(small, tmp_path / "folders")
    save_zips(small, tmp_path / "zips")
    for folder in ("folders", "zips"):
        data = load_all(tmp_path / folder)
        assert (data.content_hash, data.meant_hash) == (small.content_hash, small.meant_hash)


def test_saving_again_is_harmless_but_other_pictures_are_not_mixed_in(small, tmp_path):
    fewer = small.where(np.arange(len(small)) != 0)
    save_official(small, tmp_path)
    save_official(small, tmp_path)
    with pytest.raises(FerlibError, match=r"already holds other pictures \(fer0000000.png\)"):
        save_official(fewer, tmp_path)


def test_ids_that_are_no_file_names_are_refused(small, tmp_path):
    odd = make_data(["../escaped"], small.images[:1], small.votes[:1], small.split[:1], "made up")
    with pytest.raises(FerlibError, match="no plain file name"):
        save_official(odd, tmp_path / "deep")
    assert list(tmp_path.rglob("*.png")) == []


@pytest.mark.slow
def test_save_zips_gives_equal_bytes_and_equal_data(tmp_path):
    data = make_dataset(train=40, valid=16, test=16, seed=1)
    for folder in ("a", "b"):
        save_zips(data, tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["FER2013Test.zip", "FER2013Train.zip", "FER2013Valid.zip", "emotions.csv"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    rows = readers.read(tmp_path / "a", "official zips", "label.csv")
    again = make_data(rows.ids, rows.images, rows.votes, rows.splits, "zips")
    assert again.content_hash == data.content_hash
