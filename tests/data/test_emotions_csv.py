"""``emotions.csv``: where it is looked for, what it may hold, and that it must belong to the data."""

import re

import numpy as np
import pytest

from ferlib.data.emotions_csv import add_emotions, find_emotions, read_emotions
from ferlib.data.labels import MEANT_EMOTIONS, MEANT_INDEX
from ferlib.data.rows import Rows
from ferlib.errors import FerlibError

HEADER = "image,split,emotion\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "emotions.csv"


@pytest.fixture
def rows():
    """Four images, of which the last has a label of its own."""
    rows = Rows()
    for name, split, meant in (("a", "train", -1), ("b", "train", -1), ("c", "valid", -1), ("d", "test", 0)):
        rows.add(name, np.zeros((48, 48), np.uint8), np.zeros(10, np.uint8), split, meant)
    return rows


class TestFind:
    def test_none(self, tmp_path):
        assert find_emotions(tmp_path) is None

    def test_the_folders_own_file_comes_before_the_environments(self, tmp_path, monkeypatch):
        other = tmp_path / "other.csv"
        other.touch()
        monkeypatch.setenv("FERLIB_EMOTIONS", str(other))
        assert find_emotions(tmp_path) == other
        (tmp_path / "emotions.csv").touch()
        assert find_emotions(tmp_path) == tmp_path / "emotions.csv"

    def test_a_path_from_the_project(self, tmp_path, monkeypatch):
        monkeypatch.setattr("ferlib.paths.ROOT", tmp_path)
        (tmp_path / "mine.csv").touch()
        monkeypatch.setenv("FERLIB_EMOTIONS", "mine.csv")
        assert find_emotions(tmp_path) == tmp_path / "mine.csv"

    def test_a_file_that_is_not_there(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FERLIB_EMOTIONS", "no/such.csv")
        with pytest.raises(FerlibError, match=r"FERLIB_EMOTIONS names 'no/such\.csv', which is not a file; set it to"):
            find_emotions(tmp_path)


class TestRead:
    def test_every_emotion_and_none(self, path):
        lines = [f"{number},train,{name}" for number, name in enumerate((*MEANT_EMOTIONS, ""))]
        path.write_text(HEADER + "\n".join(lines))
        assert list(read_emotions(path).values()) == [("train", index) for index in (*range(7), -1)]

    def test_other_columns_another_order_and_names_of_files(self, path):
        path.write_text("emotion,note,image,split\r\nsad,x,fer0000001.png,test\r\n", encoding="utf-8-sig")
        assert read_emotions(path) == {"fer0000001": ("test", MEANT_INDEX["sad"])}

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("image,emotion\n", "emotions.csv lacks the column(s) split; give it the columns image, split, emotion."),
            ("", "lacks the column(s) image, split, emotion"),
            (
                HEADER + "a,train,happy\nb,train,contempt\n",
                "emotions.csv, line 3: unknown emotion 'contempt'; use angry",
            ),
            (HEADER + "a,train,3\n", "emotions.csv, line 2: unknown emotion '3'"),
            (HEADER + "a,Training,sad\n", "emotions.csv, line 2: unknown split 'Training'; use train, valid, test."),
            (HEADER + "a,train,sad\na,train,\n", "emotions.csv, line 3: a stands there twice; keep one of its rows."),
            (HEADER + "a,train,sad\na.png,train,sad\n", "line 3: a stands there twice"),
            (HEADER + "a,train,sad\nb,tr", "emotions.csv, line 3 is cut off; get the file again."),
        ],
    )
    def test_faults(self, path, text, sentence):
        path.write_text(text)
        with pytest.raises(FerlibError, match=re.escape(sentence)):
            read_emotions(path)

    def test_no_text(self, path):
        path.write_bytes(HEADER.encode() + b"\xff\xfe,train,sad\n")
        with pytest.raises(FerlibError, match=r"emotions\.csv is damaged"):
            read_emotions(path)


class TestAdd:
    def test_fewer_rows_than_images(self, path, rows):
        path.write_text(HEADER + "c,valid,surprise\na,train,\n")
        add_emotions(rows, path)
        assert rows.meant == [-1, -1, MEANT_INDEX["surprise"], 0]
        assert rows.problems == []

    def test_a_label_of_the_data_stays(self, path, rows):
        path.write_text(HEADER + "d,test,sad\n")
        add_emotions(rows, path)
        assert rows.meant[3] == 0
        assert rows.problems == ["emotions.csv: 1 images have another emotion than in the data, whose own label counts"]

    @pytest.mark.parametrize("emotion", ["angry", ""])
    def test_an_equal_label_or_none_is_no_problem(self, path, rows, emotion):
        path.write_text(HEADER + f"d,test,{emotion}\n")
        add_emotions(rows, path)
        assert rows.meant[3] == 0
        assert rows.problems == []

    def test_images_that_the_data_lacks(self, path, rows):
        path.write_text(HEADER + "x,train,sad\na,train,sad\ny,train,\n")
        with pytest.raises(FerlibError, match=r"emotions\.csv names 2 images that the data lacks \(x\); use the"):
            add_emotions(rows, path)

    def test_another_split(self, path, rows):
        path.write_text(HEADER + "a,train,sad\nc,test,sad\n")
        with pytest.raises(FerlibError, match=r"1 images in another split than the data \(c in test instead of valid"):
            add_emotions(rows, path)
