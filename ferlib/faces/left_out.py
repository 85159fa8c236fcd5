"""Files that a search for pictures leaves out, counted by reason."""

from enum import Enum
from pathlib import Path

from ferlib.faces.contents import PICTURE_CONTENTS, describe_content, read_head

VIDEO_SUFFIXES = frozenset(
    {
        ".mp4", ".m4v", ".mov", ".qt", ".avi", ".mkv", ".webm", ".mjpeg", ".mjpg", ".mpg", ".mpeg", ".m2v", ".vob",
        ".wmv", ".asf", ".3gp", ".3g2", ".flv", ".m2ts", ".mts", ".m2t", ".ogv", ".ts", ".dv", ".mxf", ".h264", ".264",
        ".h265", ".265", ".hevc", ".av1", ".obu", ".ivf",
    }
)  # fmt: skip
"""Suffixes of videos, in lower case: those that `ferlib.live.video_source` reads."""


def is_video(path: str | Path) -> bool:
    """Tell by its suffix whether a file is a video, one of `VIDEO_SUFFIXES`.

    Args:
        path: the file, there or not.
    """
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


_RAW_SUFFIXES = frozenset(
    {".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".raw"}
)
# Files that lie beside pictures and are evidently none.
_COMPANIONS = frozenset(
    {
        ".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt", ".md", ".rst", ".log", ".xml", ".xmp", ".aae", ".html",
        ".ini", ".cfg", ".toml", ".yaml", ".yml", ".db", ".py", ".ipynb", ".sh", ".mat", ".npy", ".npz", ".thm",
    }
)  # fmt: skip


class Reason(Enum):
    """Reason why a file is left out: one such file, several of them, what to do, and whether it may show a face."""

    HEIC = ("HEIC photo", "HEIC photos", "export as JPEG", True)
    JPEG_XL = ("JPEG XL picture", "JPEG XL pictures", "export as JPEG", True)
    RAW = ("raw file of a camera", "raw files of cameras", "export as JPEG", True)
    VIDEO = ("video", "videos", "give each alone", True)
    LINK = ("link to a folder", "links to folders", "name the folder itself", True)
    HIDDEN = ("hidden picture", "hidden pictures", "rename", True)
    UNNAMED = ("picture or video without a suffix of one", "pictures or videos without a suffix of one", "rename", True)
    REPEATED = ("link to a picture that is read", "links to pictures that are read", "", False)
    DRAWN = ("picture drawn by ferlib", "pictures drawn by ferlib", "", False)
    OTHER = ("file of another kind", "files of other kinds", "", False)

    @property
    def may_show_faces(self) -> bool:
        """Tell whether such a file may show a face."""
        return bool(self.value[3])

    def describe(self, count: int) -> str:
        """Describe so many files of this kind.

        Args:
            count: number of the files.
        """
        singular, plural, todo, _ = self.value
        return f"{count:,} {singular if count == 1 else plural}{f' ({todo})' if todo else ''}"


class LeftOut:
    """Counts of the files that are left out; true when there is any."""

    def __init__(self) -> None:
        self._counts: dict[Reason, int] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    @property
    def may_show_faces(self) -> bool:
        """Tell whether one of the files may show a face."""
        return any(reason.may_show_faces for reason in self._counts)

    def add(self, reason: Reason, count: int = 1) -> None:
        """Count files or folders.

        Args:
            reason: why they are left out.
            count: how many there are.
        """
        if count:
            self._counts[reason] = self._counts.get(reason, 0) + count

    def add_file(self, path: Path, *, is_drawn: bool) -> None:
        """Count a file that has no name of a picture; those that evidently lie beside pictures do not count.

        Args:
            path: the file.
            is_drawn: it is one of the pictures that ferlib draws.
        """
        reason = Reason.DRAWN if is_drawn else _reason(path)
        if reason is not None:
            self.add(reason)

    def summary(self) -> str:
        """List the counts by reason, such as "3 HEIC photos (export as JPEG), 1 video (give each alone)"."""
        return ", ".join(reason.describe(self._counts[reason]) for reason in Reason if reason in self._counts)


def _reason(path: Path) -> Reason | None:
    suffix = path.suffix.lower()
    if path.name.startswith("."):  # ._name.jpg is macOS's own, .DS_Store and the like hold no picture
        is_hidden_picture = not path.name.startswith("._") and _content(path) in PICTURE_CONTENTS
        return Reason.HIDDEN if is_hidden_picture else None
    if suffix in (".heic", ".heif", ".hif"):
        return Reason.HEIC
    if suffix == ".jxl":
        return Reason.JPEG_XL
    if suffix in _RAW_SUFFIXES:
        return Reason.RAW
    if suffix in VIDEO_SUFFIXES:
        return Reason.VIDEO
    if suffix in _COMPANIONS:
        return None
    return Reason.UNNAMED if _content(path) in PICTURE_CONTENTS else Reason.OTHER


def _content(path: Path) -> str | None:
    try:
        return describe_content(read_head(path)) if path.is_file() else None
    except OSError:
        return None
