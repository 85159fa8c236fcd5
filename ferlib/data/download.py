"""Download of one file: checked by its hash, resumable, and never half there under its own name."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ferlib.errors import FerlibError

Opener = Callable[..., Any]
"""Function like `urllib.request.urlopen`: ``opener(request, timeout=seconds)`` returns a response to read."""

_TIMEOUT = 30  # seconds without a byte
_READ_BYTES = 1 << 16


def text_digest(path: Path) -> str:
    """Compute the hex SHA-256 that a text file would have with LF line ends."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def download(url: str, path: Path, digest: str, *, opener: Opener, progress: bool) -> None:
    """Download a file, going on from ``PATH.part`` when an earlier try left one.

    `path` appears only when the file is complete and has the right digest. The partial file stays after a lost
    connection and is removed after a wrong checksum.

    Args:
        url: address of the file.
        path: where it is written.
        digest: the `text_digest` that it must have.
        opener: function that opens a request.
        progress: show a bar on standard error.

    Raises:
        OSError: the server cannot be reached, refuses, or stops in the middle.
        HTTPException: the server's answer is no HTTP.
        FerlibError: the checksum is wrong, after an attempt from the start too.
    """
    part = path.with_name(path.name + ".part")
    for _ in range(2):  # the second time from the start, when the rest does not fit what an earlier try left
        resumed = part.is_file() and part.stat().st_size > 0
        _transfer(url, part, opener, progress)
        if text_digest(part) == digest:
            with open(part, "r+b") as handle:  # Windows flushes only what may be written
                os.fsync(handle.fileno())
            os.replace(part, path)
            return
        part.unlink()
        if not resumed:
            break
    raise FerlibError(
        f"{path.name} came with a wrong checksum, so it is damaged or has changed; try 'ferlib data fetch' again, and "
        "report it when that does not help."
    )


def _transfer(url: str, part: Path, opener: Opener, progress: bool) -> None:
    """Append the missing bytes to `part`; start again when the server does not give ranges."""
    present = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={present}-"} if present else {})
    try:
        response = opener(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and present:  # no bytes after those: the file is complete, or another one
            return
        raise
    with response:
        resumed = response.status == 206
        present = present if resumed else 0
        length = response.headers.get("Content-Length")
        total = present + int(length) if length else None
        bar = tqdm(
            total=total, initial=present, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, disable=not progress
        )
        with bar, open(part, "ab" if resumed else "wb") as handle:
            while block := response.read(_READ_BYTES):
                handle.write(block)
                bar.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError("the connection was lost in the middle")
