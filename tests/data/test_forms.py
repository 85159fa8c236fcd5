"""What a folder of no known form holds is named, with what to do."""

import shutil

import cv2
import numpy as np
import pytest

from ferlib.data import label_files
from ferlib.data.emotions_csv import read_emotions
from ferlib.data.kaggle_csv import read_rows
from ferlib.data.readers import OFFICIAL_FOLDERS, detect_form, read
from ferlib.errors import FerlibError


def refused(root, *parts):
    with pytest.raises(FerlibError) as caught:
        detect_form(root)
    for part in ("holds no known form", "expected FER2013Train", *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("files", "part"),
    [
        (["icml_face_data.csv"], "icml_face_data.csv, Kaggle's other edition (rename it to fer2013.csv)"),
        (["archive/fer2013.csv"], "lies deeper, in archive (name that folder)"),
        (["a/fer/train/happy/1.png"], "lies deeper, in a/fer (name that folder)"),
        (["train/0/1.png", "test/0/1.png"], "classes as numbers, such as test/0"),
        (["train/3/1.png"], "Kaggle's codes are 0 angry, 1 disgust, 2 fear, 3 happy"),
        (["happy/1.png", "sad/1.png"], "the classes of one split (name the folder above"),
        (["FER2013Train/1.png", "FER2013Valid.zip"], "only a part of FER+ (FER2013Test missing)"),
        (["FER2013Train/1.png", "FER2013Valid.zip", "FER2013Test.zip"], "a mixture of folders and zips"),
        (["fer2013new.csv"], "votes and no pictures"),
        ([], "and is empty"),
    ],
)
def test_what_lies_there_is_named(tmp_path, files, part):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    refused(tmp_path, part)


def test_images_of_another_format_are_named(small, save, tmp_path):
    save["official folders"](small, tmp_path)
    for path in (tmp_path / "FER2013Train").glob("*.png"):
        path.rename(path.with_suffix(".jpg"))
    with pytest.raises(FerlibError, match=r"FER2013Train holds \.jpg images .* labels \.png files"):
        read(tmp_path, "official folders", "label.csv")
    for name in OFFICIAL_FOLDERS.values():
        shutil.make_archive(str(tmp_path / "zips" / name), "zip", tmp_path, name)
    with pytest.raises(FerlibError, match=r"FER2013Train\.zip holds \.jpg images"):
        read(tmp_path / "zips", "official zips", "label.csv")


@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize(
    ("file", "header", "reader"),
    [
        ("label.csv", ["fer0000000.png", "(0, 0, 48, 48)", *"0123000000"], label_files.read_label_csv),
        ("fer2013new.csv", ["Usage", "Image name", *"abcdefghij"], label_files.read_fer2013new),
        ("fer2013.csv", ["emotion", "pixels", "Usage"], lambda path: list(read_rows(path))),
        ("emotions.csv", ["image", "split", "emotion"], read_emotions),
    ],
)
def test_other_separators_are_named(tmp_path, separator, name, file, header, reader):
    (tmp_path / file).write_text(separator.join(header) + "\n")
    with pytest.raises(FerlibError, match=f"{file}.* is separated by {name}.* get the original file again"):
        reader(tmp_path / file)


def test_kaggles_copy_without_valid_offers_a_split(small, save, tmp_path):
    save["class folders"](small, tmp_path)
    shutil.rmtree(tmp_path / "valid")
    (problem,) = read(tmp_path, "class folders", "label.csv").problems
    assert problem.startswith(
        "no images for the split valid; move a tenth of each class from train/ to a folder valid/"
    )


def test_a_damaged_picture_is_named_with_its_folder(tmp_path):
    for split in ("train", "valid", "test"):
        (tmp_path / split / "happy").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / split / "happy" / "1.png"), np.zeros((48, 48), np.uint8))
    (tmp_path / "valid" / "happy" / "1.png").write_bytes(b"text")
    with pytest.raises(FerlibError, match=r"^valid/happy/1\.png is not a readable picture"):
        read(tmp_path, "class folders", "label.csv")
