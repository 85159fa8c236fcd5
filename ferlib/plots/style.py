"""One style for all figures: fonts, colours, captions, and files with the same bytes for the same numbers."""

import io
import textwrap
from pathlib import Path

import matplotlib.style as mplstyle
from matplotlib.figure import Figure
from PIL import Image

from ferlib.files import atomic_path
from ferlib.plots.png import chart_png

WIDTH = 7.2
"""Width of a figure in inches: a text column."""

INK, SOFT_INK = "#222222", "#8A8A8A"
"""Colours of text and marks, and of what stands back."""

SPLIT_COLOURS = {"train": "#33598A", "valid": "#E69F00", "test": "#009E73"}
"""Colour of each split."""

_MAX_ERROR = 0.1  # mean difference of a channel of a figure with 256 colours, levels of 255
_CAPTION = 18  # characters of a caption an inch

_SCALE = 0.8  # of lines, marks and ticks, for figures in print

_STYLE = {
    "figure.dpi": 100, "savefig.dpi": 160, "figure.constrained_layout.use": True, "svg.hashsalt": "ferlib",
    "font.family": "sans-serif", "font.size": 9, "text.color": INK,
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    "axes.axisbelow": True, "axes.edgecolor": SOFT_INK, "axes.linewidth": 0.8, "axes.spines.top": False,
    "axes.spines.right": False, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 9, "axes.labelcolor": INK,
    "axes.grid": True, "grid.color": "#E4E4E4", "grid.linewidth": 0.6,
    "xtick.bottom": False, "xtick.color": INK, "xtick.labelsize": 8.5, "xtick.major.size": 6 * _SCALE,
    "xtick.major.width": 1.0, "xtick.minor.size": 4 * _SCALE, "xtick.minor.width": 0.8,
    "ytick.left": False, "ytick.color": INK, "ytick.labelsize": 8.5, "ytick.major.size": 6 * _SCALE,
    "ytick.major.width": 1.0, "ytick.minor.size": 4 * _SCALE, "ytick.minor.width": 0.8,
    "lines.linewidth": 1.5 * _SCALE, "lines.markersize": 6 * _SCALE, "lines.solid_capstyle": "round",
    "patch.edgecolor": "w", "patch.force_edgecolor": True, "patch.linewidth": 0.8,
    "legend.frameon": False, "legend.fontsize": 8.5, "legend.title_fontsize": 12 * _SCALE,
}  # fmt: skip


def use_style() -> None:
    """Set the style of all figures: white, thin grid, sans-serif at 9 points."""
    mplstyle.use(_STYLE)


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure atomically and undated, so that equal figures are equal files.

    PNG files are small: opaque, and with 256 colours, where that is smaller and looks the same.

    Args:
        figure: the figure.
        path: the file; its suffix says the format, ``.png`` or ``.pdf``.

    Returns:
        The file.
    """
    with atomic_path(path) as temporary:
        if Path(path).suffix == ".png":
            drawn = io.BytesIO()
            figure.savefig(drawn, format="png")
            with Image.open(drawn) as picture:
                temporary.write_bytes(chart_png(picture, picture.info["dpi"], _MAX_ERROR))
        else:
            figure.savefig(temporary, metadata={"CreationDate": None})
    return Path(path)


def add_caption(figure: Figure, text: str) -> None:
    """Write small grey lines under a figure: units, n, protocol.

    Args:
        figure: the figure.
        text: its caption, which is wrapped to the figure's width.
    """
    width = round(_CAPTION * figure.get_figwidth())
    figure.supxlabel(textwrap.fill(text, width), fontsize=7.5, color="#555555", x=0.01, ha="left")
