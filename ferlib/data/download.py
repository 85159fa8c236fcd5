"""Download one file: checked by its hash, resumable, and never half there under its own name."""

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
"""Like `urllib.request.urlopen`: ``opener(request, timeout=seconds)`` gives a response to read."""

_TIMEOUT = 30  # seconds without a byte
_BLOCK = 1 << 16


def text_digest(path: Path) -> str:
    """Hex SHA-256 of a text file as it would be with LF line ends."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def download(url: str, path: Path, digest: str, *, opener: Opener, progress: bool) -> None:
    """Download `url` to `path`, going on from ``PATH.part`` when an earlier try left one.

    `path` appears only when the whole file has the `text_digest` that it should have. The partial file stays after
    a lost connection and goes after a wrong checksum.

    Raises:
        OSError, HTTPException: the server cannot be reached, refuses, or stops in the middle.
        FerlibError: twice a wrong checksum.
    """
    part = path.with_name(path.name + ".part")
    for _ in range(2):  # the second time from the start, should the rest not fit what an earlier try left
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
    """Append to `part` what it lacks; start again when the server does not give ranges."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = opener(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing after what we have: it is whole, or of another file
            return
        raise
    with response:
        resumed = response.status == 206
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        bar = tqdm(
            total=total, initial=have, desc=url.rsplit("/", 1)[-1], unit="B", unit_scale=True, disable=not progress
        )
        with bar, open(part, "ab" if resumed else "wb") as handle:
            while block := response.read(_BLOCK):
                handle.write(block)
                bar.update(len(block))
    if total is not None and part.stat().st_size < total:
        raise ConnectionError("the connection was lost in the middle")
