"""Parsing of the two FER+ label files, and what is said about damaged ones."""

from pathlib import Path

import numpy as np
import pytest

from ferlib.data.label_files import by_name, parse_label_csv, read_fer2013new, read_label_csv
from ferlib.data.labels import VOTE_COLUMNS
from ferlib.errors import FerlibError

GOOD = 'a.png,"(0, 0, 48, 48)",1,2,3,4,0,0,0,0,0,0\nb.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10\n'
HEADER = ",".join(["Usage", "Image name", *VOTE_COLUMNS])
VOTES = "4,0,0,1,3,2,0,0,0,0"


def new_csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "fer2013new.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


class TestLabelCsv:
    def test_names_and_votes(self):
        votes = parse_label_csv(GOOD, "x")
        assert {name: row.tolist() for name, row in votes.items()} == {
            "a.png": [1, 2, 3, 4, 0, 0, 0, 0, 0, 0],
            "b.png": [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        }
        assert votes["a.png"].dtype == np.uint8

    def test_windows_line_ends_and_empty_lines(self):
        votes = parse_label_csv(GOOD.replace("\n", "\r\n") + "\r\n", "x")
        assert [row.tolist() for row in votes.values()] == [row.tolist() for row in parse_label_csv(GOOD, "x").values()]

    @pytest.mark.parametrize(
        ("votes", "sentence"),
        [
            ("1,2,3", r"line 1: 5 columns instead of 12"),
            ("1,2,3,4,0,0,0,0,0,0,0", r"line 1: 13 columns instead of 12"),
            ("x,2,3,4,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            (",2,3,4,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            ("-1,2,3,4,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            ("1.5,2,3,3,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            ("nan,2,3,3,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            ("inf,2,3,3,0,0,0,0,0,0", "line 1: votes must be ten whole numbers"),
            ("5,6,0,0,0,0,0,0,0,0", "sum of at most 10"),
            ("300,0,0,0,0,0,0,0,0,0", "sum of at most 10"),
        ],
    )
    def test_bad_rows(self, votes, sentence):
        with pytest.raises(FerlibError, match=sentence) as caught:
            parse_label_csv(f'a.png,"(0, 0, 48, 48)",{votes}\n', "FER2013Test/label.csv")
        assert str(caught.value).startswith("FER2013Test/label.csv, line 1")

    def test_a_name_twice(self):
        with pytest.raises(FerlibError, match=r"line 3: a.png stands there twice"):
            parse_label_csv(GOOD + GOOD, "x")

    def test_an_endless_quotation(self):
        with pytest.raises(FerlibError, match="x is damaged"):
            parse_label_csv('a.png,"' + "z" * 200_000, "x")

    def test_a_file_that_is_no_text(self, tmp_path):
        path = tmp_path / "FER2013Test.label.csv"
        path.write_bytes(b"\xff\xfe\x00\x81")
        with pytest.raises(FerlibError, match=r"FER2013Test.label.csv is damaged"):
            read_label_csv(path)

    def test_the_byte_order_mark_of_spreadsheets(self, tmp_path):
        path = tmp_path / "label.csv"
        path.write_text(GOOD, encoding="utf-8-sig")
        assert list(read_label_csv(path)) == ["a.png", "b.png"]


class TestFer2013New:
    def test_rows(self, tmp_path):
        path = new_csv(tmp_path, f"Training,fer0000000.png,{VOTES}", f"PublicTest,,{VOTES}", f"PrivateTest,x,{VOTES}")
        entries = read_fer2013new(path)
        assert [(entry.row, entry.name, entry.split) for entry in entries] == [
            (0, "fer0000000.png", "train"), (1, "", "valid"), (2, "x", "test"),
        ]  # fmt: skip
        assert entries[0].votes.tolist() == [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]

    def test_the_order_of_columns_does_not_count(self, tmp_path):
        header = ",".join([*VOTE_COLUMNS[::-1], "Usage", "Image name"])
        entries = read_fer2013new(new_csv(tmp_path, "0,0,0,0,2,3,1,0,0,4,Training,a.png", header=header))
        assert entries[0].votes.tolist() == [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]

    def test_missing_columns_are_named(self, tmp_path):
        path = new_csv(tmp_path, f"Training,{VOTES}", header=HEADER.replace("Image name,", "").replace(",NF", ""))
        with pytest.raises(FerlibError, match=r"lacks the column\(s\) Image name, NF"):
            read_fer2013new(path)

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "fer2013new.csv"
        path.touch()
        with pytest.raises(FerlibError, match=r"lacks the column\(s\) Usage"):
            read_fer2013new(path)

    def test_no_file(self, tmp_path):
        with pytest.raises(FerlibError, match=r"fer2013new.csv is missing"):
            read_fer2013new(tmp_path / "fer2013new.csv")

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (f"Trainig,a.png,{VOTES}", "line 3: unknown usage 'Trainig'"),
            ("Training,a.png,1,2", "line 3: votes must be"),
            ("Training,a.png,x,0,0,1,3,2,0,0,0,0", "line 3: votes must be"),
            ("Training,a.png,9,2,0,0,0,0,0,0,0,0", "line 3: votes must be"),
        ],
    )
    def test_bad_rows_are_named_by_their_line(self, tmp_path, line, sentence):
        with pytest.raises(FerlibError, match=sentence):
            read_fer2013new(new_csv(tmp_path, f"Training,a.png,{VOTES}", line))

    def test_a_file_that_is_no_text(self, tmp_path):
        path = tmp_path / "fer2013new.csv"
        path.write_bytes(HEADER.encode() + b"\n\xff\xfe\x81")
        with pytest.raises(FerlibError, match=r"fer2013new.csv is damaged"):
            read_fer2013new(path)

    def test_of_a_repeated_name_the_row_in_its_place_stays(self, tmp_path):
        lines = [f"Training,fer{number:07d}.png,{VOTES}" for number in range(6)]
        stray = "Training,fer0000003.png,0,0,0,0,0,0,0,0,0,10"
        for place in (0, 6):  # before its place and after
            entries = read_fer2013new(new_csv(tmp_path, *lines[:place], stray, *lines[place:]))
            named, repeats = by_name(entries)
            assert repeats == 1
            assert len(named) == 6
            assert named["fer0000003.png"].votes.tolist() == [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]

    def test_rows_without_a_name_are_no_images(self, tmp_path):
        entries = read_fer2013new(new_csv(tmp_path, f"Training,,{VOTES}", f"Training,,{VOTES}"))
        assert by_name(entries) == ({}, 0)
