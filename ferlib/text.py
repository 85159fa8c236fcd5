"""Plain-text tables for the terminal."""

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
