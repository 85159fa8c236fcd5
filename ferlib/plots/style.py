"""One style for all figures: fonts, colours, captions, and files with the same bytes for the same numbers."""

import textwrap
from pathlib import Path

import seaborn as sns
from matplotlib.figure import Figure

from ferlib.files import atomic_path

WIDTH = 7.2  # inches: a text column


_CAPTION = 18  # characters of a caption an inch


_INK, _SOFT = "#222222", "#8A8A8A"


SPLIT_COLOURS = {"train": "#33598A", "valid": "#E69F00", "test": "#009E73"}


def use_style() -> None:
    """Set the style of all figures: white, thin grid, sans-serif at 9 points."""
    sns.set_theme(
        context="paper",
        style="whitegrid",
        rc={
            "figure.dpi": 100, "savefig.dpi": 160, "font.size": 9, "axes.titlesize": 10,
            "axes.labelsize": 9, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.fontsize": 8.5,
            "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.edgecolor": _SOFT, "axes.linewidth": 0.8,
            "axes.spines.top": False, "axes.spines.right": False, "grid.color": "#E4E4E4", "grid.linewidth": 0.6,
            "text.color": _INK, "axes.labelcolor": _INK, "xtick.color": _INK, "ytick.color": _INK,
            "legend.frameon": False, "figure.constrained_layout.use": True, "svg.hashsalt": "ferlib",
        },
    )  # fmt: skip


def save(figure: Figure, path: str | Path) -> Path:
    """Write `figure` atomically as the suffix says (PNG or PDF), undated, so that equal figures are equal files."""
    metadata = {"Software": None} if Path(path).suffix == ".png" else {"CreationDate": None}
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata=metadata)
    return Path(path)


def caption(figure: Figure, text: str) -> None:
    """Small grey lines under the figure: units, n, protocol."""
    width = round(_CAPTION * figure.get_figwidth())
    figure.supxlabel(textwrap.fill(text, width), fontsize=7.5, color="#555555", x=0.01, ha="left")
