"""The forms of a data folder by the names in it, and what a folder of no known form holds."""

from collections.abc import Iterator
from pathlib import Path

from ferlib.data.labels import KAGGLE_EMOTIONS, emotion_of_folder

OFFICIAL_FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
"""Folder of each split in FER+'s own form; a zip file has the same name."""

_SPLIT_NAMES = {
    "train": "train", "training": "train", "valid": "valid", "validation": "valid", "val": "valid",
    "publictest": "valid", "test": "test", "testing": "test", "privatetest": "test",
}  # fmt: skip


def known_form(root: Path) -> str | None:
    """Recognise the form of the data in a folder.

    Args:
        root: the folder.

    Returns:
        ``"official folders"``, ``"official zips"``, ``"kaggle csv"``, ``"class folders"``, or None for no form.
    """
    if all((root / name).is_dir() for name in OFFICIAL_FOLDERS.values()):
        return "official folders"
    if all((root / f"{name}.zip").is_file() for name in OFFICIAL_FOLDERS.values()):
        return "official zips"
    if (root / "fer2013.csv").is_file():
        return "kaggle csv"
    return "class folders" if any(True for _ in class_folders(root)) else None


def class_folders(root: Path) -> Iterator[tuple[str, str, Path]]:
    """Find the folders of a tree with one folder a class, sorted.

    Args:
        root: the folder.

    Yields:
        Split, emotion and folder.
    """
    for split_folder in _folders(root):
        split = _split_of(split_folder)
        for folder in _folders(split_folder):
            emotion = emotion_of_folder(folder.name)
            if split and emotion:
                yield split, emotion, folder


def what_lies_there(root: Path) -> str:
    """Describe what a folder of no known form holds, and what would make it one.

    Args:
        root: the folder.

    Returns:
        A clause to follow "holds no known form", "" where nothing is recognised.
    """
    folders = [folder for folder in _folders(root) if not folder.name.startswith(".")]
    inner = next((path for path in _nested(folders) if known_form(path) is not None), None)
    splits = [folder for folder in folders if _split_of(folder)]
    numbered = next((path for split in splits for path in _folders(split) if path.name.isdigit()), None)
    absent = [name for name in OFFICIAL_FOLDERS.values() if not (root / name).is_dir()]
    absent = [name for name in absent if not (root / f"{name}.zip").is_file()]
    if (root / "icml_face_data.csv").is_file():
        return " but icml_face_data.csv, Kaggle's other edition (rename it to fer2013.csv)"
    if inner is not None:
        return f", which lies deeper, in {inner.relative_to(root).as_posix()} (name that folder)"
    if numbered is not None:
        codes = ", ".join(f"{code} {emotion}" for code, emotion in enumerate(KAGGLE_EMOTIONS))
        name = numbered.relative_to(root).as_posix()
        return f" but classes as numbers, such as {name} (rename them to emotions; Kaggle's codes are {codes})"
    if any(emotion_of_folder(folder.name) for folder in folders):
        return " but the classes of one split (name the folder above, which has train/ and valid/)"
    if not absent:
        return " but FER+'s splits as a mixture of folders and zips (unpack all three)"
    if len(absent) < len(OFFICIAL_FOLDERS):
        return f" but only a part of FER+ ({' and '.join(absent)} missing)"
    if (root / "fer2013new.csv").is_file():
        return " but fer2013new.csv, which has votes and no pictures"
    return "" if any(root.iterdir()) else ", and is empty"


def _nested(folders: list[Path]) -> Iterator[Path]:
    """Folders one and two levels deeper."""
    yield from folders
    for folder in folders:
        yield from _folders(folder)


def _folders(path: Path) -> list[Path]:
    return sorted(inner for inner in path.iterdir() if inner.is_dir())


def _split_of(folder: Path) -> str | None:
    return _SPLIT_NAMES.get("".join(filter(str.isalpha, folder.name.lower())))
