"""An open data set: everything that it gives comes from one hashing of its files, and training sees no test row."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ferlib import paths
from ferlib.data import ferplus, readers
from ferlib.data.cleaning import build_manifest
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.ferplus import load_all, load_train_valid
from ferlib.errors import FerlibError


@pytest.fixture
def hashed(monkeypatch) -> Counter:
    """How many times each file was hashed, by its path."""
    counts: Counter = Counter()
    original = ferplus.sha256

    def count(path: Path) -> str:
        counts[path] += 1
        return original(path)

    monkeypatch.setattr(ferplus, "sha256", count)
    return counts


@pytest.fixture
def openings(monkeypatch) -> list[str]:
    """Label files of the data that were read from the folder or its cache."""
    labels, original = [], ferplus.DataFolder.load_all

    def load_all(self, name="label.csv"):
        labels.append(name)
        return original(self, name)

    monkeypatch.setattr(ferplus.DataFolder, "load_all", load_all)
    return labels


class TestOnce:
    @pytest.mark.parametrize("form", ["official folders", "official zips", "kaggle csv", "class folders"])
    def test_train_valid_and_manifest_hash_each_file_once(self, small, save, tmp_path, hashed, openings, form):
        root = save[form](small, tmp_path / "data")
        data_set = open_data_set(root)
        for _ in range(2):
            assert len(data_set.train_valid) < len(data_set.manifest) == len(data_set.all_splits)
        assert set(hashed.values()) == {1}
        emotions = {root / "emotions.csv"} & set(root.iterdir())
        assert set(hashed) == {*readers.source_files(root, form, "label.csv"), *emotions}
        assert openings == ["label.csv"]

    def test_both_label_files_hash_each_file_once(self, small, save, tmp_path, hashed, openings):
        root = save["kaggle csv"](small, tmp_path / "data")
        data_set = open_data_set(root)
        assert list(data_set.by_label_file) == ["label.csv", "fer2013new.csv"]
        assert data_set.by_label_file["label.csv"] is data_set
        assert set(hashed.values()) == {1}
        assert openings == ["label.csv", "fer2013new.csv"]

    def test_the_parts_are_the_same_objects_each_time(self, small):
        data_set = DataSet(small)
        assert data_set.train_valid is data_set.train_valid
        assert data_set.manifest is data_set.manifest
        assert data_set.by_label_file is data_set.by_label_file


class TestParts:
    @pytest.fixture
    def root(self, small, save, tmp_path):
        return save["official zips"](small, tmp_path / "data")

    def test_no_row_of_test_in_train_valid(self, small, root):
        train_valid = open_data_set(root).train_valid
        assert set(train_valid.split.tolist()) == {"train", "valid"}
        assert not set(train_valid.ids.tolist()) & set(small.ids[small.split == "test"].tolist())

    def test_the_same_as_the_loaders_give(self, root):
        data_set, everything, train_valid = open_data_set(root), load_all(root), load_train_valid(root)
        assert data_set.content_hash == everything.content_hash
        assert data_set.source == everything.source
        assert data_set.all_splits.ids.tolist() == everything.ids.tolist()
        assert data_set.train_valid.ids.tolist() == train_valid.ids.tolist()
        assert np.array_equal(data_set.train_valid.images, train_valid.images)

    def test_the_manifest_covers_all_splits(self, small, root):
        manifest = open_data_set(root).manifest
        assert manifest.to_numpy().tolist() == build_manifest(small).to_numpy().tolist()

    @pytest.mark.slow
    @pytest.mark.parametrize("version", [1, 2])
    def test_the_manifest_is_of_the_version_that_was_asked_for(self, small, root, version):
        data_set = open_data_set(root, manifest_version=version)
        assert data_set.manifest.to_numpy().tolist() == build_manifest(small, version).to_numpy().tolist()
        assert {each.manifest_version for each in data_set.by_label_file.values()} == {version}

    def test_the_environment_names_the_folder(self, small, root, monkeypatch):
        monkeypatch.setenv("FERLIB_DATA", str(root))
        assert open_data_set().content_hash == small.content_hash


class TestLabelFiles:
    def test_the_votes_of_each_file_as_the_loader_gives_them(self, small, save, tmp_path):
        root = save["kaggle csv"](small, tmp_path / "data")
        for name, data_set in open_data_set(root).by_label_file.items():
            assert data_set.label_file == name
            assert data_set.content_hash == load_all(root, name).content_hash

    @pytest.mark.parametrize(
        ("form", "options", "names"),
        [
            ("official zips", {}, ["label.csv"]),
            ("kaggle csv", {"label_files": False}, ["fer2013new.csv"]),
            ("class folders", {}, ["class folders"]),
        ],
    )
    def test_a_file_that_is_missing_is_left_out(self, small, save, tmp_path, form, options, names):
        data_set = open_data_set(save[form](small, tmp_path / "data", **options))
        assert list(data_set.by_label_file) == names
        assert data_set.by_label_file[names[0]] is data_set

    def test_data_in_memory_has_its_own_votes(self, small):
        data_set = DataSet(small)
        assert data_set.by_label_file == {data_set.label_file: data_set}


class TestErrors:
    def test_a_folder_that_is_none(self, tmp_path):
        with pytest.raises(FerlibError, match="is not a folder; name the folder"):
            open_data_set(tmp_path / "gone")

    def test_an_unknown_label_file(self, small, save, tmp_path):
        with pytest.raises(FerlibError, match=r"unknown label file 'labels.txt'; choose one of label.csv, fer2013new"):
            open_data_set(save["official zips"](small, tmp_path / "data"), "labels.txt")

    def test_a_read_only_checkout_needs_no_cache(self, small, save, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("")
        monkeypatch.setattr(paths, "PROCESSED", tmp_path / "file" / "processed")
        data_set = open_data_set(save["official zips"](small, tmp_path / "data"))
        assert len(data_set.manifest) == len(small)
