"""Files that are either whole or absent: atomic writes, and content hashes."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferlib.errors import FerlibError


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Open a temporary path beside `target`, which replaces `target` when the block ends without an error.

    A reader sees the old file or the new one, never half of it, also after a crash or a full disk. The folder is
    made when missing, and the temporary file keeps the suffix of `target` (writers choose the format by it). A link
    stays a link: the file that it points to is replaced.

    Args:
        target: the file to write.

    Yields:
        The temporary path.

    Raises:
        FerlibError: `target` is a folder, a device or a pipe.
    """
    target = Path(target).resolve()
    if target.exists() and not target.is_file():
        raise FerlibError(f"{target.name} is {'a folder' if target.is_dir() else 'no ordinary file'}; name a file.")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "r+b") as handle:  # Windows flushes only what may be written
            os.fsync(handle.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(target: str | Path, value: Any) -> Path:
    """Write indented JSON, atomically; keys keep their order.

    Args:
        target: the file to write.
        value: a JSON-ready value.

    Returns:
        The path of the file.

    Raises:
        ValueError: the value holds NaN or infinity.
    """
    with atomic_path(target) as temporary:
        temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return Path(target)


def sha256(path: str | Path) -> str:
    """Compute the SHA-256 of a file's bytes, in hex.

    Args:
        path: the file.
    """
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _umask() -> int:
    """Read the process's umask, for which it has to be set."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
