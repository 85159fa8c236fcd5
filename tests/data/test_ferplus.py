"""Loading: the same data whatever its form, the cache, and that train and valid come without test."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ferlib import paths
from ferlib.data import readers
from ferlib.data.ferplus import FerData, load_all, load_train_valid, make_data, open_folder
from ferlib.data.labels import MEANT_INDEX
from ferlib.errors import FerlibError

WITH_VOTES = ("official folders", "official zips", "kaggle csv")


def same(left: FerData, right: FerData) -> bool:
    return all(
        (np.asarray(getattr(left, name)) == np.asarray(getattr(right, name))).all()
        for name in ("ids", "images", "votes", "split")
    )


def caches() -> list:
    return sorted(paths.PROCESSED.glob("ferplus-*.npy"))


@pytest.fixture
def folder(small, save, tmp_path):
    return save["official zips"](small, tmp_path / "data")


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The forms that were really read, that is, not taken from a cache."""
    forms, original = [], readers.read

    def read(root, form, labels):
        forms.append(form)
        return original(root, form, labels)

    monkeypatch.setattr(readers, "read", read)
    return forms


@pytest.mark.parametrize("form", WITH_VOTES)
def test_every_form_loads_as_the_same_data(small, save, tmp_path, form):
    data = load_all(save[form](small, tmp_path / "data"))
    assert same(data, small)
    assert data.content_hash == small.content_hash
    assert data.source == f"{form}, label.csv"


def test_class_folders_have_no_label_file(small, save, tmp_path):
    assert load_all(save["class folders"](small, tmp_path / "data")).source == "class folders"


def test_kaggle_without_label_csv_names_the_votes_it_has(small, save, tmp_path):
    data = load_all(save["kaggle csv"](small, tmp_path / "data", label_files=False))
    assert data.source == "kaggle csv, fer2013new.csv"
    assert data.problems[0].startswith("the votes are those of fer2013new.csv")


def write_emotions(path: Path, data: FerData, **changes: str) -> Path:
    """An ``emotions.csv`` that calls every image happy, but for `changes` by its name."""
    lines = [f"{name},{split},{changes.get(name, 'happy')}" for name, split in zip(data.ids, data.split, strict=True)]
    path.write_text("\n".join(["image,split,emotion", *lines, ""]))
    return path


class TestEmotions:
    def test_without_them_nothing_was_meant(self, folder):
        assert (load_all(folder).meant == -1).all()

    @pytest.mark.parametrize("form", ["official folders", "official zips"])
    def test_a_file_in_the_folder(self, small, save, tmp_path, form):
        root = save[form](small, tmp_path / "data")
        write_emotions(root / "emotions.csv", small, **{small.ids[2]: ""})
        data = load_all(root)
        assert data.content_hash == small.content_hash
        assert np.flatnonzero(data.meant != MEANT_INDEX["happy"]).tolist() == [2]
        assert data.meant[2] == -1

    def test_a_file_that_is_named(self, small, folder, tmp_path):
        path = write_emotions(tmp_path / "mine.csv", small)
        meant = open_folder(folder, path).load_all().meant
        assert (meant == MEANT_INDEX["happy"]).all()
        with pytest.raises(FerlibError, match=r"none\.csv' is not a file; name the emotions\.csv"):
            open_folder(folder, tmp_path / "none.csv")

    def test_the_environment_names_a_file(self, small, folder, tmp_path, monkeypatch):
        monkeypatch.setenv("FERLIB_EMOTIONS", str(write_emotions(tmp_path / "mine.csv", small)))
        assert (load_train_valid(folder).meant == MEANT_INDEX["happy"]).all()

    def test_labels_change_the_cache_and_not_the_content(self, small, folder, tmp_path, reads):
        before = load_all(folder)
        path = write_emotions(tmp_path / "mine.csv", small)
        after = open_folder(folder, path).load_all()
        assert len(reads) == 2
        assert after.content_hash == before.content_hash
        assert after.meant_hash != before.meant_hash
        again = open_folder(folder, path).load_all()
        assert len(reads) == 2  # from the cache
        assert again.meant.tolist() == after.meant.tolist()
        write_emotions(path, small, **{small.ids[0]: "sad"})
        assert open_folder(folder, path).load_all().meant[0] == MEANT_INDEX["sad"]
        assert (load_all(folder).meant == -1).all()

    def test_kaggles_own_label_counts(self, small, save, tmp_path):
        root = save["kaggle csv"](small, tmp_path / "data")
        write_emotions(root / "emotions.csv", small)
        data = load_all(root)
        happy = MEANT_INDEX["happy"]
        assert data.meant.tolist() == np.where(small.meant == -1, happy, small.meant).tolist()
        others = (~np.isin(small.meant, (-1, happy))).sum()
        assert data.problems[-1] == (
            f"emotions.csv: {others} images have another emotion than in the data, whose own label counts"
        )


class TestTrainValid:
    @pytest.mark.parametrize("form", [*WITH_VOTES, "class folders"])
    def test_no_row_of_test(self, small, save, tmp_path, form):
        root = save[form](small, tmp_path / "data")
        data = load_train_valid(root)
        assert set(data.split.tolist()) == {"train", "valid"}
        test = load_all(root).where(load_all(root).split == "test")
        assert len(test) > 0
        assert not set(data.ids.tolist()) & set(test.ids.tolist())

    def test_the_rest_is_all_there(self, small, folder):
        assert same(load_train_valid(folder), small.where(small.split != "test"))

    def test_the_hash_is_that_of_the_whole(self, small, folder):
        assert load_train_valid(folder).content_hash == small.content_hash


class TestRoot:
    def test_the_environment_names_the_folder(self, small, folder, monkeypatch):
        monkeypatch.setenv("FERLIB_DATA", str(folder))
        assert load_all().content_hash == small.content_hash

    def test_the_environment_names_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "gone"))
        with pytest.raises(FerlibError, match=r"FERLIB_DATA names .*gone.*, which is not a folder"):
            load_all()

    def test_without_the_environment_it_is_data_raw(self, small, folder, monkeypatch):
        monkeypatch.delenv("FERLIB_DATA", raising=False)
        monkeypatch.setattr(paths, "RAW", folder)
        assert load_all().content_hash == small.content_hash

    @pytest.mark.parametrize("exists", [True, False])
    def test_nothing_in_data_raw(self, tmp_path, monkeypatch, exists):
        monkeypatch.delenv("FERLIB_DATA", raising=False)
        monkeypatch.setattr(paths, "RAW", tmp_path / "raw")
        if exists:
            (tmp_path / "raw").mkdir()
        with pytest.raises(FerlibError, match=r"FER2013.* was not found; set FERLIB_DATA .*ferlib data fetch"):
            load_all()

    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(FerlibError, match="is not a folder; name the folder"):
            load_all(tmp_path / "gone")

    def test_an_unknown_label_file(self, folder):
        with pytest.raises(FerlibError, match=r"unknown label file 'labels.txt'; choose one of label.csv, fer2013new"):
            load_all(folder, "labels.txt")

    def test_pictures_without_any_label(self, small, folder):
        for name in ("Train", "Valid", "Test"):
            (folder / f"FER2013{name}.label.csv").write_text("")
        with pytest.raises(FerlibError, match="holds no labelled image"):
            load_all(folder)


class TestCache:
    def test_the_second_time_it_is_memory_mapped_and_equal(self, folder, reads):
        first, second = load_all(folder), load_all(folder)
        assert reads == ["official zips"]
        assert isinstance(second.images, np.memmap)
        assert not second.images.flags.writeable
        assert same(first, second)
        assert (second.source, second.problems, second.content_hash) == (
            first.source, first.problems, first.content_hash,
        )  # fmt: skip

    def test_problems_are_kept(self, small, save, tmp_path):
        root = save["kaggle csv"](small, tmp_path / "data")
        first = load_all(root).problems  # the second time they come from the cache
        assert first
        assert load_all(root).problems == first

    def test_a_changed_source_gets_a_new_cache(self, folder, reads):
        before = load_all(folder)
        path = folder / "FER2013Valid.label.csv"
        name = path.read_text().split(",", 1)[0]
        path.write_text(path.read_text().replace(path.read_text().split("\n")[0], f"{name},x,0,0,0,0,0,0,0,0,0,10"))
        after = load_all(folder)
        assert len(reads) == len(caches()) == 2
        assert after.content_hash != before.content_hash
        row = after.ids.tolist().index(name.removesuffix(".png"))
        assert after.votes[row].tolist() == [0] * 9 + [10]

    def test_the_same_files_elsewhere_use_the_same_cache(self, folder, reads, tmp_path):
        load_all(folder)
        shutil.copytree(folder, tmp_path / "copy")
        load_all(tmp_path / "copy")
        assert len(reads) == 1

    def test_each_label_file_has_its_own_cache(self, small, save, tmp_path):
        root = save["kaggle csv"](small, tmp_path / "data")
        load_all(root)
        load_all(root, "fer2013new.csv")
        assert len(caches()) == 2

    @pytest.mark.parametrize(
        "damage", ["empty", "cut", "text", "changed", "another table", "no json", "odd json", "list"]
    )
    def test_a_damaged_cache_is_made_again(self, small, folder, reads, damage):
        load_all(folder)
        (path,) = caches()
        about, data = path.with_suffix(".json"), bytearray(path.read_bytes())
        if damage == "changed":
            data[-5] ^= 0xFF
            path.write_bytes(data)
        elif damage == "another table":
            np.save(path, np.zeros(5))
        elif damage == "no json":
            about.unlink()
        elif damage in ("odd json", "list"):
            about.write_text("[]" if damage == "list" else json.dumps({"source": "x"}))
        else:
            path.write_bytes({"empty": b"", "cut": data[:5000], "text": b"no array"}[damage])
        assert same(load_all(folder), small)
        assert len(reads) == 2
        assert same(load_all(folder), small)
        assert len(reads) == 2

    def test_a_full_disk_costs_the_cache_and_leaves_nothing_half_written(self, folder, small, monkeypatch):
        def break_off(file, array):
            with open(file, "wb") as handle:
                handle.write(b"half")
            raise OSError("disk full")

        monkeypatch.setattr(np, "save", break_off)
        assert same(load_all(folder), small)
        assert list(paths.PROCESSED.iterdir()) == []

    def test_no_temporary_file_stays(self, folder):
        load_all(folder)
        assert sorted(path.suffix for path in paths.PROCESSED.iterdir()) == [".json", ".npy"]


class TestMakeData:
    def test_sorted_by_split_and_id(self, small):
        order = np.random.default_rng(2).permutation(len(small))
        mixed = make_data(small.ids[order], small.images[order], small.votes[order], small.split[order], "x")
        assert same(mixed, small)
        assert mixed.content_hash == small.content_hash
        assert list(dict.fromkeys(mixed.split.tolist())) == ["train", "valid", "test"]

    @pytest.mark.parametrize("name", ["ids", "images", "votes", "split"])
    def test_the_hash_is_over_everything(self, small, name):
        fields = {key: np.array(getattr(small, key)) for key in ("ids", "images", "votes", "split")}
        fields[name][0] = {"ids": "other", "images": 7, "votes": 1, "split": "valid"}[name]
        assert make_data(*fields.values(), "x").content_hash != small.content_hash

    def test_labels_follow_their_images_and_keep_the_content_hash(self, small):
        order = np.random.default_rng(3).permutation(len(small))
        meant = np.arange(len(small)) % 8 - 1
        arrays = [getattr(small, name)[order] for name in ("ids", "images", "votes", "split")]
        data = make_data(*arrays, "x", meant=meant[order])
        assert data.meant.dtype == np.int8
        assert data.meant.tolist() == meant.tolist()
        assert data.content_hash == small.content_hash
        unknown = make_data(*arrays, "x")
        assert (unknown.meant == -1).all()
        assert unknown.meant_hash != data.meant_hash
        assert make_data(*arrays, "x", meant=-np.ones(len(small), int)).meant_hash == unknown.meant_hash

    @pytest.mark.parametrize("index", [-2, 7])
    def test_labels_outside_the_seven_classes(self, small, index):
        with pytest.raises(ValueError, match="meant must be from -1 to 6"):
            make_data(small.ids[:1], small.images[:1], small.votes[:1], small.split[:1], "x", meant=[index])

    def test_two_images_of_one_name(self, small):
        ids = small.ids.copy()
        ids[5] = ids[9]
        with pytest.raises(FerlibError, match=f"two images are named '{ids[9]}'"):
            make_data(ids, small.images, small.votes, small.split, "x")

    def test_a_name_that_would_be_cut(self, small):
        ids = ["x" * 41, *small.ids[1:]]
        with pytest.raises(FerlibError, match="is longer than 40 characters"):
            make_data(ids, small.images, small.votes, small.split, "x")

    def test_where_takes_masks_and_indices(self, small):
        assert len(small.where(small.split == "valid")) == 16
        part = small.where(np.array([3, 1]))
        assert part.ids.tolist() == [small.ids[3], small.ids[1]]
        assert (part.content_hash, part.source) == (small.content_hash, small.source)
        assert (part.meant.tolist(), part.meant_hash) == (small.meant[[3, 1]].tolist(), small.meant_hash)
