"""A face as HTML: its probabilities as bars."""

from html import escape

from ferlib.annotate.words import heading
from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.pipeline import Face


def bars(face: Face, number: int | None = None) -> str:
    """Render the heading and the eight probability bars as HTML, legible on light and dark ground.

    Args:
        face: the face.
        number: its place among the faces of the picture, counted from 1; None leaves the number out.
    """
    rows = "".join(
        f'<tr><td style="padding:1px 8px 1px 0">{escape(name)}</td><td style="width:100%">'
        f'<div role="img" aria-label="{name} {100 * value:.1f} percent" style="height:.8em;border-radius:3px;'
        f'background:linear-gradient(to right,{COLOURS[name]} {100 * value:.1f}%,rgba(128,128,128,.18) 0)"></div></td>'
        f'<td style="padding:1px 0 1px 8px;text-align:right;white-space:nowrap">{100 * value:.1f} %</td></tr>'
        for name, value in zip(EMOTIONS, map(float, face.probabilities), strict=True)
    )
    return (
        f'<div style="border-left:5px solid {COLOURS[face.emotion]};padding:2px 0 2px 12px;margin-bottom:14px">'
        f'<div style="font-weight:600;font-size:1.1em;margin-bottom:4px">{escape(heading(face, number))}</div>'
        f'<table style="border-collapse:collapse;width:100%;font-size:.85em;border:0">{rows}</table></div>'
    )
