import csv
import sys

import pytest

from ferlib.errors import FerlibError
from ferlib.scoring import tables
from ferlib.scoring.tables import CSV_COLUMNS, rows_of, spreadsheet_cell, write_csv, write_parquet


@pytest.fixture
def rows(make):
    faces = [make.face(emotion=name) for name in ("happy", "sad")]
    return [row for number in range(3) for row in rows_of(f"{number}.png", faces)]


def test_csv_and_parquet_hold_the_same(rows, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 4)  # two groups
    write_csv(tmp_path / "a.csv", iter(rows))
    write_parquet(tmp_path / "a.parquet", iter(rows))
    header, *lines = csv.reader((tmp_path / "a.csv").read_text().splitlines())
    table = parquet.read_table(tmp_path / "a.parquet")
    assert tuple(header) == CSV_COLUMNS == tuple(table.column_names)
    assert table.column("source").to_pylist() == [line[0] for line in lines]
    assert table.column("face").to_pylist() == [1, 2] * 3
    assert table.column("emotion").to_pylist() == ["happy", "sad"] * 3
    assert table.column("sure").to_pylist() == [True] * 6
    assert table.column("happy").to_pylist() == pytest.approx([float(line[14]) for line in lines], abs=1e-6)
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 2


def test_a_table_without_faces_has_its_columns(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet(tmp_path / "a.parquet", [])
    write_csv(tmp_path / "a.csv", [])
    assert parquet.read_table(tmp_path / "a.parquet").num_rows == 0
    assert (tmp_path / "a.csv").read_text().strip() == ",".join(CSV_COLUMNS)


def test_a_name_that_is_no_text_goes_into_both(make, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = list(rows_of("\udcff.png", [make.face()]))
    write_csv(tmp_path / "a.csv", rows)
    write_parquet(tmp_path / "a.parquet", rows)
    assert "\\xff.png" in (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert parquet.read_table(tmp_path / "a.parquet").column("source").to_pylist() == ["\\xff.png"]


@pytest.mark.parametrize("first", "=+-@\t\r\n")
def test_a_name_like_a_formula_is_escaped(make, tmp_path, first):
    name = f"{first}cmd|' /C calc'!A0.png"
    write_csv(tmp_path / "a.csv", rows_of(name, [make.face()]))
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as handle:
        _, row = csv.reader(handle)
    assert row[0] == f"'{name}"
    assert spreadsheet_cell("photo =1.png") == "photo =1.png"


def test_a_byte_order_mark_stands_there_only_when_asked_for(make, tmp_path):
    write_csv(tmp_path / "a.csv", rows_of("a.png", [make.face()]), bom=True)
    write_csv(tmp_path / "b.csv", rows_of("a.png", [make.face()]))
    assert (tmp_path / "a.csv").read_bytes() == b"\xef\xbb\xbf" + (tmp_path / "b.csv").read_bytes()


def test_rows_are_fetched_while_they_are_written(rows, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(tables, "_ROWS_AT_ONCE", 2)

    def failing():
        yield from rows[:4]
        raise OSError("gone")

    for write in (write_csv, write_parquet):
        with pytest.raises(OSError, match="gone"):
            write(tmp_path / "a", failing())
    assert list(tmp_path.iterdir()) == []  # whole or not at all


def test_without_pyarrow_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(FerlibError, match=r"pip install 'ferlib\[parquet\]'"):
        tables.need_pyarrow()


def test_faces_and_their_stored_form_give_the_same_rows(make):
    faces = [make.face(box=(1.26, 2, 30.04, 40), confidence=0.7654321), make.face(emotion="fear")]
    assert list(rows_of("a.png", faces)) == list(rows_of("a.png", [face.to_dict() for face in faces]))
