"""The four forms of the data give the same rows; damaged and incomplete folders are named in one sentence."""

import csv
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferlib.data.ferplus import make_data
from ferlib.data.labels import MEANT_INDEX
from ferlib.data.readers import OFFICIAL_FOLDERS, detect_form, read, source_files
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError

WITH_VOTES = ("official folders", "official zips", "kaggle csv")
FORMS = (*WITH_VOTES, "class folders")


def as_data(folder: Path, form: str, labels: str = "label.csv"):
    rows = read(folder, form, labels)
    problems = tuple(rows.problems)
    return make_data(rows.ids, rows.images, rows.votes, rows.splits, form, problems, meant=rows.meant)


def edit_rows(path: Path, change) -> None:
    """Apply `change` to the list of a csv file's rows."""
    with open(path, newline="") as handle:
        rows = list(csv.reader(handle))
    change(rows)
    with open(path, "w", newline="") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_recognised(small, save, tmp_path, form):
    assert detect_form(save[form](small, tmp_path)) == form


@pytest.mark.parametrize("form", WITH_VOTES)
def test_all_forms_with_votes_give_the_same_content(small, save, tmp_path, form):
    data = as_data(save[form](small, tmp_path), form)
    assert data.content_hash == small.content_hash
    assert (data.votes == small.votes).all()


def test_labels_inside_the_zips_or_beside_them(small, save, tmp_path):
    for inside in (True, False):
        folder = save["official zips"](small, tmp_path / str(inside), labels_inside=inside)
        assert as_data(folder, "official zips").content_hash == small.content_hash


def test_labels_beside_the_folders(small, save, tmp_path):
    save["official folders"](small, tmp_path)
    for name in OFFICIAL_FOLDERS.values():
        (tmp_path / name / "label.csv").rename(tmp_path / f"{name}.label.csv")
    assert as_data(tmp_path, "official folders").content_hash == small.content_hash


def test_class_folders_give_all_votes_to_the_class(small, save, tmp_path):
    data = as_data(save["class folders"](small, tmp_path), "class folders")
    labels = hard_labels(small.votes)
    assert (hard_labels(data.votes) >= 0).all()
    assert (data.votes.sum(axis=1) == 10).all()
    names = {f"{split}/{name}": label for split, name, label in zip(small.split, small.ids, labels, strict=True)}
    expected = [names[f"{name.split('/')[0]}/{name.split('/')[2]}"] for name in data.ids]
    assert hard_labels(data.votes).tolist() == expected
    assert sorted(map(bytes, data.images)) == sorted(map(bytes, small.images[labels >= 0]))


def test_the_class_of_a_folder_is_what_was_meant_and_contempt_is_none(small, save, tmp_path):
    data = as_data(save["class folders"](small, tmp_path), "class folders")
    folders = [name.split("/")[1] for name in data.ids]
    assert "contempt" in folders
    assert data.meant.tolist() == [MEANT_INDEX.get(folder, -1) for folder in folders]


@pytest.mark.parametrize("spelling", [("training", "publictest", "PrivateTest"), ("Train", "val", "test_set_1")])
def test_other_names_of_splits_and_classes(small, save, tmp_path, spelling):
    save["class folders"](small, tmp_path)
    names = dict(zip(("train", "valid", "test"), spelling, strict=True))
    for split, other in names.items():
        (tmp_path / split / "happy").rename(tmp_path / split / "3_Happiness")
        (tmp_path / split).rename(tmp_path / f"{other} ")
        (tmp_path / f"{other} ").rename(tmp_path / other)
    if spelling[2] == "test_set_1":  # not a name of a split
        assert any("no images for the split test" in text for text in as_data(tmp_path, "class folders").problems)
    else:
        assert len(as_data(tmp_path, "class folders")) == (hard_labels(small.votes) >= 0).sum()


def test_the_other_label_file_of_the_official_forms(small, save, tmp_path):
    save["kaggle csv"](small, tmp_path / "kaggle")
    save["official zips"](small, tmp_path)
    shutil.copy(tmp_path / "kaggle" / "fer2013new.csv", tmp_path)
    edit_rows(tmp_path / "fer2013new.csv", lambda rows: rows[1].__setitem__(slice(2, 12), [0] * 9 + [10]))
    data = as_data(tmp_path, "official zips", "fer2013new.csv")
    assert data.votes[0].tolist() == [0] * 9 + [10]
    assert (data.votes[1:] == small.votes[1:]).all()
    assert data.problems == ("fer2013new.csv: 1 rows repeat an image name (the misplaced ones are left out)",)


class TestKaggle:
    def test_the_traps_of_the_real_file(self, small, save, tmp_path):
        data = as_data(save["kaggle csv"](small, tmp_path), "kaggle csv")
        assert data.problems == (
            "fer2013.csv: 5 images have no name in FER+ (not a face)",
            "fer2013.csv: 1 rows of fer2013new.csv repeat an image name (the misplaced ones are left out)",
        )

    def test_what_was_meant_is_the_column_emotion(self, small, save, tmp_path):
        data = as_data(save["kaggle csv"](small, tmp_path), "kaggle csv")
        assert (small.meant == -1).any()  # blank in the file
        assert data.meant.tolist() == small.meant.tolist()

    def test_kaggles_codes(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path, strays=False)
        codes = [0, 1, 2, 3, 4, 5, 6]
        edit_rows(tmp_path / "fer2013.csv", lambda rows: [rows[1 + code].__setitem__(0, code) for code in codes])
        names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        meant = as_data(tmp_path, "kaggle csv").meant[:7]
        assert meant.tolist() == [MEANT_INDEX[name] for name in names]

    @pytest.mark.parametrize("code", ["7", "-1", "1.0", "happy"])
    def test_an_emotion_that_is_no_code(self, small, save, tmp_path, code):
        save["kaggle csv"](small, tmp_path, strays=False)
        edit_rows(tmp_path / "fer2013.csv", lambda rows: rows[4].__setitem__(0, code))
        with pytest.raises(FerlibError, match=rf"fer2013\.csv, line 5: the emotion '{code}' is no whole number"):
            as_data(tmp_path, "kaggle csv")

    def test_a_file_without_the_column_has_no_such_labels(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path, strays=False)
        edit_rows(tmp_path / "fer2013.csv", lambda rows: [row.pop(0) for row in rows])
        assert (as_data(tmp_path, "kaggle csv").meant == -1).all()

    def test_votes_are_those_of_label_csv(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path)
        edit_rows(
            tmp_path / "fer2013new.csv", lambda rows: [row.__setitem__(slice(2, 12), [1] * 10) for row in rows[1:]]
        )
        assert as_data(tmp_path, "kaggle csv").content_hash == small.content_hash
        assert (as_data(tmp_path, "kaggle csv", "fer2013new.csv").votes == 1).all()

    def test_the_split_is_that_of_label_csv(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path)
        (tmp_path / "FER2013Train.label.csv").rename(tmp_path / "x")
        (tmp_path / "FER2013Valid.label.csv").rename(tmp_path / "FER2013Train.label.csv")
        (tmp_path / "x").rename(tmp_path / "FER2013Valid.label.csv")
        assert (as_data(tmp_path, "kaggle csv").split == "valid").sum() == 40

    @pytest.mark.parametrize("absent", ["FER2013Train", "FER2013Test"])
    def test_without_a_label_csv_it_falls_back_and_says_so(self, small, save, tmp_path, absent):
        save["kaggle csv"](small, tmp_path)
        (tmp_path / f"{absent}.label.csv").unlink()
        data = as_data(tmp_path, "kaggle csv")
        assert data.content_hash == small.content_hash  # the votes agree here
        assert data.problems[0].startswith("the votes are those of fer2013new.csv")
        assert f"{absent}.label.csv is missing" in data.problems[0]

    def test_when_the_other_file_is_asked_for_nothing_is_missing(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path, label_files=False, strays=False)
        assert as_data(tmp_path, "kaggle csv", "fer2013new.csv").problems == ()

    def test_the_second_edition_has_blanks_in_its_header(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path)

        def reorder(rows):
            rows[:] = [[emotion, f" {usage}", f" {pixels}"] for emotion, pixels, usage in rows]

        edit_rows(tmp_path / "fer2013.csv", reorder)
        assert as_data(tmp_path, "kaggle csv").content_hash == small.content_hash

    def test_an_image_without_a_label_is_told(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path, strays=False)
        edit_rows(tmp_path / "FER2013Test.label.csv", lambda rows: rows.pop())
        data = as_data(tmp_path, "kaggle csv")
        assert len(data) == len(small) - 1
        assert data.problems == ("fer2013.csv: 1 images without a label (label.csv)",)

    @pytest.mark.parametrize(
        ("file", "change", "sentence"),
        [
            ("fer2013.csv", lambda rows: rows.pop(), "has 77 rows but fer2013new.csv has 78"),
            ("fer2013new.csv", lambda rows: rows.pop(), "has 78 rows but fer2013new.csv has 77"),
            ("fer2013.csv", lambda rows: rows[0].__setitem__(1, "dots"), "lacks the column pixels"),
            ("fer2013.csv", lambda rows: rows[2].__setitem__(1, "1 2 3"), "line 3 does not hold 2304 whole numbers"),
            ("fer2013.csv", lambda rows: rows[2].__setitem__(1, rows[3][1] + " x"), "line 3 does not hold 2304"),
            ("fer2013.csv", lambda rows: rows[2].__setitem__(1, "256" + " 0" * 2303), "line 3 does not hold 2304"),
            ("fer2013.csv", lambda rows: rows[2].__setitem__(1, "-1" + " 0" * 2303), "line 3 does not hold 2304"),
            ("fer2013.csv", lambda rows: rows[2].__setitem__(1, ""), "line 3 does not hold 2304"),
            ("fer2013.csv", lambda rows: rows.append(rows.pop(1)), "line 45 is 'PublicTest' but .* has train there"),
            (
                "FER2013Test.label.csv",
                lambda rows: rows[0].__setitem__(0, "fer9999999.png"),
                r"1 images of the label.csv files have no row in fer2013new.csv \(first: fer9999999.png\)",
            ),
        ],
    )  # fmt: skip
    def test_files_that_do_not_belong_together(self, small, save, tmp_path, file, change, sentence):
        save["kaggle csv"](small, tmp_path)
        edit_rows(tmp_path / file, change)
        with pytest.raises(FerlibError, match=sentence):
            read(tmp_path, "kaggle csv", "label.csv")

    def test_no_fer2013new(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path)
        (tmp_path / "fer2013new.csv").unlink()
        with pytest.raises(FerlibError, match=r"fer2013new.csv is missing; .*ferlib data fetch"):
            read(tmp_path, "kaggle csv", "label.csv")

    def test_the_label_files_belong_to_the_sources(self, small, save, tmp_path):
        save["kaggle csv"](small, tmp_path)
        names = [path.name for path in source_files(tmp_path, "kaggle csv", "label.csv")]
        assert names == [
            "FER2013Test.label.csv", "FER2013Train.label.csv", "FER2013Valid.label.csv",
            "fer2013.csv", "fer2013new.csv",
        ]  # fmt: skip
        names = [path.name for path in source_files(tmp_path, "kaggle csv", "fer2013new.csv")]
        assert names == ["fer2013.csv", "fer2013new.csv"]


class TestUnknownForms:
    def test_an_empty_folder(self, tmp_path):
        with pytest.raises(FerlibError, match="holds no known form of FER2013"):
            detect_form(tmp_path)

    def test_folders_that_mean_nothing(self, tmp_path):
        (tmp_path / "train" / "spoons").mkdir(parents=True)
        (tmp_path / "happy").mkdir()
        with pytest.raises(FerlibError, match="expected FER2013Train/Valid/Test"):
            detect_form(tmp_path)

    def test_two_of_three_folders(self, small, save, tmp_path):
        save["official folders"](small, tmp_path)
        shutil.rmtree(tmp_path / "FER2013Valid")
        with pytest.raises(FerlibError, match="holds no known form"):
            detect_form(tmp_path)


class TestZips:
    @pytest.mark.parametrize("name", ["../fer0000000.png", "/fer0000000.png", "a/../../b.png", "..\\..\\b.png"])
    def test_an_unsafe_name(self, small, save, tmp_path, name):
        save["official zips"](small, tmp_path)
        with zipfile.ZipFile(tmp_path / "FER2013Valid.zip", "a") as archive:
            archive.writestr(name, b"x")
        with pytest.raises(FerlibError, match=r"FER2013Valid\.zip holds the unsafe name"):
            read(tmp_path, "official zips", "label.csv")

    @pytest.mark.parametrize("damage", ["cut", "no zip", "empty", "changed byte", "changed stream"])
    def test_a_damaged_zip(self, small, save, tmp_path, damage):
        save["official zips"](small, tmp_path)
        path = tmp_path / "FER2013Test.zip"
        data = bytearray(path.read_bytes())
        if damage == "changed stream":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("fer0000056.png", b"0123456789" * 5000)
            data = bytearray(path.read_bytes())
            data[50:90] = b"\xff" * 40
        elif damage == "changed byte":
            data[300] ^= 0xFF
        else:
            data = {"cut": data[: len(data) // 2], "no zip": b"<html>", "empty": b""}[damage]
        path.write_bytes(data)
        with pytest.raises(FerlibError, match=r"FER2013Test\.zip is damaged .*; get the file again"):
            read(tmp_path, "official zips", "label.csv")

    def test_what_macos_adds_is_left_out(self, small, save, tmp_path):
        save["official zips"](small, tmp_path)
        with zipfile.ZipFile(tmp_path / "FER2013Test.zip", "a") as archive:
            archive.writestr("__MACOSX/FER2013Test/._fer0000056.png", b"x")
        assert as_data(tmp_path, "official zips").content_hash == small.content_hash


class TestLabelsAndImages:
    def test_an_image_of_a_row_is_missing(self, small, save, tmp_path):
        save["official folders"](small, tmp_path)
        (tmp_path / "FER2013Train" / f"{small.ids[4]}.png").unlink()
        sentence = f"FER2013Train: label.csv lists 40 images but 1 of them are missing .first: {small.ids[4]}"
        with pytest.raises(FerlibError, match=sentence):
            read(tmp_path, "official folders", "label.csv")

    def test_an_image_without_a_row_is_left_out_and_told(self, small, save, tmp_path):
        save["official folders"](small, tmp_path)
        edit_rows(tmp_path / "FER2013Valid" / "label.csv", lambda rows: rows.pop())
        data = as_data(tmp_path, "official folders")
        assert len(data) == len(small) - 1
        assert data.problems == ("FER2013Valid: 1 images without a label (label.csv)",)

    @pytest.mark.parametrize("form", ["official folders", "official zips"])
    def test_no_label_file(self, small, save, tmp_path, form):
        save[form](small, tmp_path)
        for path in [tmp_path / "FER2013Valid" / "label.csv", tmp_path / "FER2013Valid.label.csv"]:
            path.unlink(missing_ok=True)
        with pytest.raises(FerlibError, match=r"FER2013Valid has no label\.csv; .*ferlib data fetch"):
            read(tmp_path, form, "label.csv")

    def test_a_row_with_too_few_columns(self, small, save, tmp_path):
        save["official folders"](small, tmp_path)
        edit_rows(tmp_path / "FER2013Test" / "label.csv", lambda rows: rows[2].pop())
        with pytest.raises(FerlibError, match=r"FER2013Test/label\.csv, line 3: 11 columns instead of 12"):
            read(tmp_path, "official folders", "label.csv")

    def test_an_empty_label_file_in_the_folder_is_taken_as_it_is(self, small, save, tmp_path):
        save["official folders"](small, tmp_path)
        (tmp_path / "FER2013Test" / "label.csv").write_text("")
        data = as_data(tmp_path, "official folders")
        assert not (data.split == "test").any()
        assert data.problems == ("FER2013Test: 16 images without a label (label.csv)",)

    @pytest.mark.parametrize("content", [b"", b"no picture", "half"], ids=["empty", "text", "half"])
    @pytest.mark.parametrize("form", ["official folders", "class folders"])
    def test_an_unreadable_picture_is_named(self, small, save, tmp_path, form, content):
        save[form](small, tmp_path)
        path = sorted(tmp_path.rglob("*.png"))[0]
        path.write_bytes(path.read_bytes()[:900] if content == "half" else content)
        with pytest.raises(FerlibError, match=f"{path.name} is not a readable picture"):
            read(tmp_path, form, "label.csv")

    @pytest.mark.parametrize("form", ["official folders", "class folders"])
    def test_hidden_files_are_no_pictures(self, small, save, tmp_path, form):
        save[form](small, tmp_path)
        before = as_data(tmp_path, form)
        path = sorted(tmp_path.rglob("*.png"))[0]
        (path.parent / f"._{path.name}").write_bytes(b"x")
        after = as_data(tmp_path, form)
        assert (after.content_hash, after.problems) == (before.content_hash, before.problems)

    def test_pictures_of_another_size_or_in_colour_are_converted_and_told_once(self, small, save, tmp_path):
        save["class folders"](small, tmp_path)
        for path in sorted((tmp_path / "train" / "happy").iterdir())[:2]:
            image = cv2.imread(str(path))
            cv2.imwrite(str(path), cv2.resize(image, (96, 96), interpolation=cv2.INTER_NEAREST))
        data = as_data(tmp_path, "class folders")
        assert sorted(map(bytes, data.images)) == sorted(map(bytes, small.images[hard_labels(small.votes) >= 0]))
        assert len([text for text in data.problems if text.startswith("pictures that are not 48x48")]) == 1

    def test_a_split_without_images_is_told(self, small, save, tmp_path):
        save["class folders"](small.where(small.split != "valid"), tmp_path)
        (problem,) = as_data(tmp_path, "class folders").problems
        assert problem.startswith("no images for the split valid;")


def test_images_are_48_pixels_of_grey(small, save, tmp_path):
    rows = read(save["official zips"](small, tmp_path), "official zips", "label.csv")
    assert {(image.shape, image.dtype) for image in rows.images} == {((48, 48), np.dtype(np.uint8))}
    assert rows.labels == "label.csv"
