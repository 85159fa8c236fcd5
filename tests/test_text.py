import pytest

from ferlib.text import table


def test_columns_are_aligned_and_grow_with_their_cells():
    lines = table(("name", "score"), [("a", 1), ("longer", 12.5)], ("<", ">7"))
    assert lines == ["  name      score", "  a             1", "  longer     12.5"]


def test_a_table_may_lack_headers_and_rows():
    assert table(None, [("a", "b")], ("<3", "<"), indent="", gap="|") == ["a  |b"]
    assert table(None, [], ("<", "<")) == []
    assert table(("a", "b"), [], ("<", ">")) == ["  a  b"]


def test_no_line_ends_with_spaces():
    assert table(None, [("a", ""), ("b", "c")], ("<4", "<4"), indent="") == ["a", "b     c"]


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        table(("a", "b"), [("a",)], ("<", "<"))
