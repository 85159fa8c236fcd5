import pytest

from ferlib.text import as_text, printable, table


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("a\nferlib: all is well", "a\\nferlib: all is well"),
        ("\x9b31m\r\t\x7f\0", "\\x9b31m\\r\\t\\x7f\\x00"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("caf\udce9.jpg", "caf\\xe9.jpg"),
        ("a\ud800b", "a\\ud800b"),
        ("顔 \N{MAN}\u200d\N{WOMAN} žluťoučký", "顔 \N{MAN}\u200d\N{WOMAN} žluťoučký"),
    ],
)
def test_what_a_terminal_would_obey_becomes_an_escape(name, expected):
    assert printable(name) == expected


def test_a_name_that_is_no_text_can_be_written():
    assert as_text("caf\udce9.jpg") == "caf\\xe9.jpg"
    assert as_text("žluť 顔.jpg") == "žluť 顔.jpg"
    assert as_text("a\ud800") == "a\\ud800"
