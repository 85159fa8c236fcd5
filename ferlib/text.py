"""Plain-text tables for the terminal."""

import unicodedata
from collections.abc import Iterable, Sequence


def table(
    headers: Sequence[str] | None,
    rows: Iterable[Sequence[object]],
    align: Sequence[str],
    *,
    indent: str = "  ",
    gap: str = "  ",
) -> list[str]:
    """Lay rows out in aligned columns.

    Args:
        headers: names of the columns; None for a table without a header line.
        rows: cells, already formatted as text; numbers are written with `str`.
        align: for each column ``"<"`` (left) or ``">"`` (right), with a minimum width if wanted: ``"<8"``. A column
            grows with its widest cell.
        indent: text before each line.
        gap: text between two columns.

    Returns:
        The lines, the header first, without trailing spaces.
    """
    cells = [[str(cell) for cell in row] for row in [*([] if headers is None else [headers]), *rows]]
    if not cells:
        return []
    columns = zip(*cells, strict=True)
    widths = [max(int(spec[1:] or 0), *map(len, column)) for spec, column in zip(align, columns, strict=True)]
    layout = [f"{spec[0]}{width}" for spec, width in zip(align, widths, strict=True)]
    return [
        (indent + gap.join(format(cell, spec) for cell, spec in zip(row, layout, strict=True))).rstrip()
        for row in cells
    ]


_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    r"""Replace by escapes what a terminal would obey, since file names may hold it.

    These are control characters (a new line becomes ``\n``), marks that turn the direction of writing, and bytes of a
    name that are no text.

    Args:
        text: any text.
    """
    return text if text.isprintable() else "".join(map(_printable_character, text))


def as_text(name: str) -> str:
    """Replace the bytes of a file name that are no text by escapes, so that it can be written as UTF-8.

    Args:
        name: a name as Python's file functions give it.
    """
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a surrogate pair, as Windows allows it
        data = name.encode("utf-8", "backslashreplace")
    return data.decode("utf-8", "backslashreplace")


def _printable_character(character: str) -> str:
    if unicodedata.category(character) == "Cs":
        return as_text(character)
    is_obeyed = unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in _DIRECTION_MARKS
    return character.encode("unicode_escape").decode("ascii") if is_obeyed else character
