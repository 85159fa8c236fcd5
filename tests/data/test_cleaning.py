"""Copies are found, training loses them and what it shares with valid and test, and those two are never touched."""

import numpy as np
import pandas as pd
import pytest

from ferlib import paths
from ferlib.data import cleaning, copies
from ferlib.data.cleaning import build_manifest, leak_table, load_manifest
from ferlib.data.drawn.dataset import draw_faces
from ferlib.data.ferplus import make_data
from ferlib.data.labels import EMOTIONS
from ferlib.data.votes import hard_labels, targets

EXACT = ("exact_duplicate", "leak_valid", "leak_test", "conflicting_votes")
NO_FACE, HAPPY, SAD, SPREAD = [0] * 9 + [10], [0, 10] + [0] * 8, [0] * 3 + [10] + [0] * 6, [2, 2, 2, 2, 2] + [0] * 5


@pytest.fixture(scope="module")
def data(planted_set):
    return planted_set[0]


@pytest.fixture(scope="module")
def planted(planted_set):
    return planted_set[1]


@pytest.fixture(scope="module")
def manifest(data) -> pd.DataFrame:
    return build_manifest(data).set_index("id")


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return draw_faces(np.arange(16) % 8, seed=4)


def noise(count: int, size: int = 48, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


def a_set(*rows: tuple[str, np.ndarray, list[int]]):
    """Data of (split, image, votes) rows, named a, b, c ..."""
    split, images, votes = zip(*rows, strict=True)
    return make_data([chr(97 + row) for row in range(len(rows))], np.array(images), np.array(votes), split, "by hand")


class TestPlantedFaults:
    def test_original_and_copy_share_a_group(self, planted, manifest):
        pairs = [pair for pairs in planted.values() for pair in pairs if pair[1]]
        groups = [(manifest.group[first], manifest.group[second]) for first, second in pairs]
        assert all(first == second != "" for first, second in groups)

    def test_blank_and_junk_are_dropped(self, planted, manifest):
        assert set(manifest.reason[[name for name, _ in planted["blank"]]]) == {"blank"}
        assert set(manifest.reason[[name for name, _ in planted["junk"]]]) == {"not a face"}

    def test_leaks_are_flagged_on_both_sides_and_dropped_from_train(self, planted, manifest):
        for kind in ("leak_valid", "leak_test"):
            ours, theirs = (list(names) for names in zip(*planted[kind], strict=True))
            assert manifest.leaked[ours].all()
            assert manifest.leaked[theirs].all()
            assert not manifest.kept[ours].any()
            assert manifest.kept[theirs].all()
        names = [name for name, _ in planted["leak_test"]]
        assert set(manifest.reason[names]) == {"also in test"}

    def test_conflicting_labels_are_flagged(self, planted, manifest):
        for pair in planted["conflicting_votes"]:
            assert manifest.disagrees[list(pair)].all()
            assert manifest.label[pair[0]] != manifest.label[pair[1]]


class TestWhatTrainingKeeps:
    def test_valid_and_test_are_never_dropped(self, manifest):
        held = manifest[manifest.split != "train"]
        assert held.kept.all()
        assert (held.reason == "").all()

    def test_no_group_reaches_from_train_into_valid_or_test(self, manifest):
        groups = manifest[(manifest.group != "") & manifest.kept]
        train, held = groups[groups.split == "train"], groups[groups.split != "train"]
        assert not set(train.group) & set(held.group)

    def test_no_group_keeps_two(self, manifest):
        train = manifest[(manifest.split == "train") & manifest.kept & (manifest.group != "")]
        assert len(train) > 10
        assert train.group.is_unique

    def test_of_copies_that_train_owns_alone_one_stays(self, manifest):
        own = manifest[(manifest.group != "") & (manifest.split == "train") & ~manifest.reason.str.startswith("also")]
        own = own[~own.reason.isin(["blank", "not a face"])]
        assert (own.groupby("group").kept.sum() == 1).all()

    def test_a_copy_names_the_one_that_stays(self, manifest):
        dropped = manifest[manifest.reason.str.startswith("copy of ")]
        originals = dropped.reason.str.removeprefix("copy of ")
        assert manifest.kept[originals].all()
        assert (manifest.group[originals].to_numpy() == dropped.group.to_numpy()).all()

    def test_kept_is_the_absence_of_a_reason(self, manifest):
        assert (manifest.kept == (manifest.reason == "")).all()


class TestManifest:
    def test_one_row_an_image_in_order(self, data, manifest):
        assert manifest.index.tolist() == data.ids.tolist()
        assert (manifest.split.to_numpy() == data.split).all()

    def test_labels_are_those_of_the_majority_rule(self, data, manifest):
        labels = hard_labels(data.votes)
        assert manifest.label.tolist() == [EMOTIONS[label] if label >= 0 else "" for label in labels]

    def test_groups(self, manifest):
        members = manifest[manifest.group != ""].reset_index()
        sizes = members.groupby("group").size()
        assert (members.group.map(sizes) == members.group_size).all()
        assert sizes.min() >= 2
        assert (members.groupby("group")["id"].min() == members.groupby("group")["group"].first()).all()
        assert (manifest.group_size[manifest.group == ""] == 1).all()

    def test_every_member_of_a_group_has_a_kind(self, manifest):
        assert ((manifest["copy"] != "") == (manifest.group != "")).all()
        assert set(manifest["copy"]) == {"", *copies.KINDS}


class TestByHand:
    def test_reasons_in_their_order(self):
        first, second, third, fourth = noise(4)
        grey = np.full((48, 48), 90, dtype=np.uint8)
        table = build_manifest(
            a_set(
                ("train", grey, HAPPY), ("train", first, HAPPY), ("train", second, HAPPY), ("train", second, SAD),
                ("train", third, NO_FACE), ("train", fourth, HAPPY), ("valid", first, HAPPY), ("valid", fourth, SAD),
                ("test", fourth, HAPPY), ("test", grey, NO_FACE),
            )
        )  # fmt: skip
        assert table.reason.tolist() == [
            "blank", "also in valid", "", "copy of c", "not a face", "also in test", "", "", "", "",
        ]  # fmt: skip
        assert table.group.tolist() == ["a", "b", "c", "c", "", "f", "b", "f", "f", "a"]
        assert table.leaked.tolist() == [True, True, False, False, False, True, True, True, True, True]
        assert table.disagrees.tolist() == [False, False, True, True, False, True, False, True, True, False]

    def test_the_copy_whose_votes_give_a_target_stays(self):
        (image,) = noise(1)
        data = a_set(("train", image, SPREAD), ("train", image, HAPPY), ("train", image, SAD))
        assert targets(data.votes, "crossentropy").any(axis=1).tolist() == [False, True, True]
        assert build_manifest(data).reason.tolist() == ["copy of b", "", "copy of b"]

    def test_copies_join_through_a_third(self, faces):
        face = faces[0]
        mirrored = np.ascontiguousarray(face[:, ::-1])
        table = build_manifest(a_set(("train", face, HAPPY), ("train", face, HAPPY), ("valid", mirrored, HAPPY)))
        assert table.group.tolist() == ["a"] * 3
        assert table["copy"].tolist() == ["exact", "exact", "mirrored"]
        assert table.reason.tolist() == ["also in valid", "also in valid", ""]


def test_leak_table_by_hand():
    table = pd.DataFrame(
        [
            ("train", "a"), ("train", "a"), ("train", "a"), ("valid", "a"), ("test", "a"),  # one photo in all three
            ("train", "b"), ("valid", "b"), ("valid", "b"),
            ("test", "c"), ("test", "c"),
            ("train", "d"), ("train", "d"),
            ("train", ""), ("train", ""), ("valid", ""), ("test", ""),  # no copies
        ],
        columns=["split", "group"],
    )  # fmt: skip
    counts = leak_table(table)
    assert counts.index.tolist() == counts.columns.tolist() == ["train", "valid", "test"]
    assert counts.to_numpy().tolist() == [
        [5, 4, 3],  # train: 3 of a and 2 of d have a copy in train; a and b in valid; a in test
        [3, 2, 1],  # valid: a and both b are in train; b twice; a in test
        [1, 1, 2],
    ]


def test_leak_table_without_copies():
    table = pd.DataFrame({"split": ["train", "valid"], "group": ["", ""]})
    assert leak_table(table).to_numpy().tolist() == [[0, 0], [0, 0]]


class TestCachedManifest:
    @pytest.fixture
    def built(self, monkeypatch) -> list:
        sizes, original = [], build_manifest

        def build(data, version):
            sizes.append(len(data))
            return original(data, version)

        monkeypatch.setattr(cleaning, "build_manifest", build)
        return sizes

    def test_built_once_and_read_the_same(self, small, built):
        first, second = load_manifest(small), load_manifest(small)
        assert built == [len(small)]
        expected = build_manifest(small)
        for table in (first, second):
            assert table.columns.tolist() == expected.columns.tolist()
            assert table.to_numpy().tolist() == expected.to_numpy().tolist()
            assert (table.kept.dtype, table.leaked.dtype) == (bool, bool)

    def test_other_data_has_another_manifest(self, small, built):
        load_manifest(small)
        load_manifest(small.where(small.split != "test"))  # the same content hash, fewer rows
        images = np.array(small.images)
        images[0] = 255 - images[0]
        load_manifest(make_data(small.ids, images, small.votes, small.split, "x"))
        assert built == [72, 56, 72]
        assert len(list(paths.PROCESSED.iterdir())) == 3

    def test_names_that_look_like_numbers_stay_names(self, small):
        ids = [f"{number:05d}" for number in range(len(small))]
        data = make_data(ids, small.images, small.votes, small.split, "x")
        table = load_manifest(data)
        assert table["id"].tolist() == ids
        assert set(table["group"]) - {""} <= set(ids)

    def test_a_full_disk_costs_the_cache_and_leaves_nothing_half_written(self, small, monkeypatch):
        monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
        assert len(load_manifest(small)) == len(small)
        assert list(paths.PROCESSED.iterdir()) == []

    @pytest.mark.parametrize("damage", ["", "id,split\n", "cut"])
    def test_a_damaged_cache_is_made_again(self, small, built, damage):
        expected = load_manifest(small)
        (cached,) = paths.PROCESSED.iterdir()
        lines = cached.read_text().splitlines(keepends=True)
        cached.write_text("".join(lines[:30]) if damage == "cut" else damage)
        assert load_manifest(small).to_numpy().tolist() == expected.to_numpy().tolist()
        assert built == [len(small)] * 2
        load_manifest(small)
        assert built == [len(small)] * 2

    @pytest.mark.slow
    @pytest.mark.parametrize(("version", "least"), [(1, copies.SIMILARITY), (2, copies.DETAIL_SIMILARITY)])
    def test_other_rules_have_another_cache(self, small, monkeypatch, version, least):
        load_manifest(small, version)
        monkeypatch.setitem(least, "near", 0.999)
        load_manifest(small, version)
        assert len(list(paths.PROCESSED.iterdir())) == 2

    @pytest.mark.slow
    def test_each_version_has_its_own_cache(self, small, built):
        tables = {version: load_manifest(small, version) for version in (1, 2)}
        assert built == [len(small)] * 2
        for version, table in tables.items():
            assert load_manifest(small, version).to_numpy().tolist() == table.to_numpy().tolist()
        assert built == [len(small)] * 2
        assert tables[1].to_numpy().tolist() != tables[2].to_numpy().tolist()
