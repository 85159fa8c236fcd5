"""Pictures from files: any of Pillow's modes in, upright RGB out, and one clear sentence for an unreadable file."""

import os
import re
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.faces import decoding
from ferlib.faces.decoding import MAX_PIXELS
from ferlib.faces.left_out import LeftOut, Reason

SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".webp",
        ".avif", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm",
    }
)  # fmt: skip
"""Suffixes of pictures in a folder, in lower case. A file that is named itself is opened whatever its suffix."""
ANNOTATED = ".annotated.png"  # ending of the pictures that `predict` draws

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")  # of which pathlib keeps one slash


def load_picture(source: str | Path | Image.Image, note: Callable[[str], None] | None = None) -> np.ndarray:
    """Load a picture, upright (EXIF orientation applied).

    Greyscale, palette, CMYK, 1-bit and 16-bit pictures are converted (16 bits are scaled to 8, not cut off),
    transparent pixels become white, and of an animation or of several pages the first one counts.

    Args:
        source: a file, or a Pillow image.
        note: called with a sentence about what is not read of the file; None: it becomes a warning.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FerlibError: the file is missing, empty, cut short, a folder or no picture, or decoding it would take too much
            memory (more than `MAX_PIXELS` always do) or time.
    """
    note = note or _warn
    if isinstance(source, Image.Image):
        return decoding.decode_image(source, "the picture", MAX_PIXELS, note)
    path = Path(source)
    _check_file(path)
    try:
        return decoding.decode_file(path, str(path), MAX_PIXELS, note)
    except OSError as error:
        raise FerlibError(f"{path} cannot be opened ({error.strerror or error}); check its permissions.") from error


def decode_picture(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, note: Callable[[str], None] | None = None
) -> np.ndarray:
    """Decode the bytes of a picture file, as `load_picture` does.

    Args:
        data: content of the file.
        name: name of the picture in error messages.
        max_pixels: size from which the picture is refused.
        note: as in `load_picture`.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        FerlibError: the bytes are empty, cut short or no picture, or there are too many pixels.
    """
    if not data:
        raise FerlibError(_empty(name))
    return decoding.decode_file(BytesIO(data), name, max_pixels, note or _warn)


def check_picture(image: np.ndarray) -> None:
    """Check that a picture is an (H, W, 3) uint8 array with at least one pixel.

    Args:
        image: the picture.

    Raises:
        FerlibError: it is not.
    """
    if not isinstance(image, np.ndarray):
        raise FerlibError(f"A picture must be a NumPy array here, not {type(image).__name__}; use load_picture first.")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise FerlibError(
            f"A picture must be an (H, W, 3) uint8 RGB array, not {image.shape} {image.dtype}; "
            "load_picture gives that for any file or Pillow image."
        )


def find_pictures(
    path: str | Path,
    unreadable: Callable[[FerlibError], None] | None = None,
    left_out: LeftOut | None = None,
) -> list[Path]:
    """List the pictures in a folder and its subfolders, sorted; for a file that file alone.

    Suffixes count in either case. Hidden files and folders, and pictures that `predict` has drawn, are left out.

    Args:
        path: a folder or a file.
        unreadable: called with the error of each subfolder that cannot be read, instead of raising it.
        left_out: counts what is left out, and why.

    Raises:
        FerlibError: the path does not exist, the folder holds no pictures, or a subfolder cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise FerlibError(_missing(path))
        return [path]
    left_out = LeftOut() if left_out is None else left_out
    pictures: list[Path] = []
    refused: list[FerlibError] = []

    def refuse(error: OSError) -> None:
        refused.append(FerlibError(f"{error.filename} cannot be read ({error.strerror}); check its permissions."))
        if unreadable is None:
            raise refused[-1] from error
        unreadable(refused[-1])

    for folder, subfolders, names in os.walk(path, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        left_out.add(Reason.LINK, sum(Path(folder, name).is_symlink() for name in subfolders))
        for name in names:
            if _is_picture_name(name):
                pictures.append(Path(folder, name))
            else:
                left_out.add_file(Path(folder, name), is_drawn=name.lower().endswith(ANNOTATED))
    if not pictures and not refused:
        others = f" ({left_out.summary()})" if left_out else ""
        raise FerlibError(f"{path} holds no pictures{others}; give a folder with files such as .jpg or .png.")
    return sorted(pictures)


def sample_picture() -> np.ndarray:
    """Load the package's photo with one smiling face.

    The astronaut Eileen Collins, photographed by NASA; in the public domain.

    Returns:
        (512, 512, 3) uint8 RGB.
    """
    return load_picture(paths.WEIGHTS / "astronaut.png")


def _is_picture_name(name: str) -> bool:
    lower = name.lower()
    return not name.startswith(".") and not lower.endswith(ANNOTATED) and Path(lower).suffix in SUFFIXES


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise FerlibError(f"{path} is a folder; give a picture in it.")
    if not path.exists():
        raise FerlibError(_missing(path))
    if not path.is_file():
        raise FerlibError(f"{path} is not a regular file; give a picture.")
    if path.stat().st_size == 0:
        raise FerlibError(_empty(str(path)))


def _missing(path: Path) -> str:
    address = _ADDRESS.match(str(path))
    if address:
        name = f"{address[1]}://{str(path)[address.end() :]}"
        return f"{name} is an address and not a file; download the picture and give its file."
    return f"{path} does not exist; check the name."


def _empty(name: str) -> str:
    return f"{name} is empty (0 bytes); copy or download it again."


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)
