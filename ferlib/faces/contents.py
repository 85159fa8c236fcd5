"""Contents of a file, told by its first bytes: the name of a file is no promise."""

from pathlib import Path

HEAD_BYTES = 512
"""First bytes of a file that `describe_content` needs."""

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
_MAGIC = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the picture itself"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"gimp xcf", "a GIMP document"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_MARKUP = ((b"<!doctype html", "a web page (HTML)"), (b"<html", "a web page (HTML)"), (b"<svg", "an SVG drawing"))
_ADVICE = {
    "a HEIC photo": "export it as JPEG first",
    "a JPEG XL picture": "export it as JPEG first",
    "a camera's raw file": "export it as JPEG first",
    "a pointer of Git LFS, not the picture itself": "fetch the file with 'git lfs pull'",
    "a web page (HTML)": "download the picture itself",
    "a zip file": "unpack it first",
    "a gzip file": "unpack it first",
}
PICTURE_CONTENTS = frozenset(
    {
        "a JPEG picture", "a PNG picture", "a GIF picture", "a WebP picture", "a TIFF picture", "a JPEG 2000 picture",
        "an AVIF picture", "a JPEG XL picture", "a HEIC photo", "a camera's raw file", "a video", "an AVI video",
        "a video (Matroska or WebM)",
    }
)  # fmt: skip
"""Descriptions of files that may show a face."""


def describe_content(head: bytes) -> str | None:
    """Describe what a file holds.

    Args:
        head: its first `HEAD_BYTES` bytes.

    Returns:
        A noun phrase such as ``"a HEIC photo"``, or None for what is not recognised.
    """
    container = _describe_container(head)
    if container is not None:
        return container
    description = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if description is not None:
        return description
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    markup = next((name for magic, name in _MARKUP if text.startswith(magic)), None)
    if markup is None and text.startswith(b"<?xml"):
        return next((name for magic, name in _MARKUP if magic in text), "an XML file")
    return markup


def read_head(path: Path) -> bytes:
    """Read the first `HEAD_BYTES` bytes of a file.

    Args:
        path: a regular file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as handle:
        return handle.read(HEAD_BYTES)


def advice(description: str | None) -> str:
    """Say what to do with a file that is no picture that can be read.

    Args:
        description: result of `describe_content`.
    """
    return _ADVICE.get(description or "", "give a JPEG or PNG file")


def _describe_container(head: bytes) -> str | None:
    """Describe the files whose kind stands behind their first four bytes: RIFF, ISO media and TIFF."""
    if head[:4] == b"RIFF":
        return {b"WEBP": "a WebP picture", b"AVI ": "an AVI video", b"WAVE": "a sound file"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _HEIC_BRANDS and b"avif" not in head[8:40]:
            return "a HEIC photo"
        if brand in (b"avif", b"avis", b"mif1"):
            return "an AVIF picture"
        return "a camera's raw file" if brand == b"crx " else "a video"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "a video"
    return "a TIFF picture" if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+") else None
