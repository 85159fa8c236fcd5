"""Ledger of test reads: one entry for each time that a model was scored on the test split.

Entries are only ever appended. `splits.score_test` does it, so no score on test is returned without an entry. The
entries of reads before there was a ledger say in ``recorded`` what proves them.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ferlib import paths
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.files import write_json
from ferlib.provenance import code_commit

LEDGER_NAME = "test_reads.json"
"""File name of a ledger, in the folder of the results."""

AT_THE_READ = "at the read"
"""Value of `TestRead.recorded` for entries that were written by the read itself."""


@dataclass(frozen=True)
class TestRead:
    """One read of the test split by one model.

    Attributes:
        model: name of the model.
        date: time of the read, ISO 8601 in UTC.
        code_commit: commit of the code that read.
        protocol: how the labels were made, and from which label file.
        n: number of test images with a label.
        data_hash: content hash of the data.
        weights_sha256: SHA-256 of the weights file; None for an old read whose weights were not stored.
        purpose: what the read was for.
        repeat: whether an earlier entry has the same weights and data.
        recorded: `AT_THE_READ`, or what proves a read that was recorded afterwards.
    """

    __test__ = False  # not a test case of pytest

    model: str
    date: str
    code_commit: str
    protocol: str
    n: int
    data_hash: str
    weights_sha256: str | None
    purpose: str
    repeat: bool
    recorded: str


def ledger_path(data_hash: str, results: Path | None = None) -> Path:
    """Path of the ledger that a read belongs in, there or not.

    Args:
        data_hash: content hash of the data. Reads of the official data belong in the published ledger wherever their
            results go.
        results: folder of the results; None for ``data/published``.
    """
    if results is None or data_hash in OFFICIAL_HASHES:
        return paths.PUBLISHED / LEDGER_NAME
    return results / LEDGER_NAME


def read_ledger(path: Path) -> list[TestRead]:
    """Read a ledger.

    Args:
        path: the file; a missing one has no entries.

    Returns:
        The entries, in the order in which they were appended.

    Raises:
        FerlibError: the file is damaged.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["reads"]
        return [TestRead(**entry) for entry in entries]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        raise FerlibError(
            f"the ledger of test reads {paths.relative(path)} is damaged; restore it (git checkout) before test is "
            "read again."
        ) from error


def record_read(
    path: Path, *, model: str, protocol: str, n: int, data_hash: str, weights_sha256: str, purpose: str
) -> TestRead:
    """Append the entry of a read that has just been made.

    The file is replaced as a whole, so that a kill leaves the old ledger or the new one, and processes that append at
    once wait for each other.

    Args:
        path: the ledger, as `ledger_path` gives it.
        model: see `TestRead`, as for all others.
        protocol: see `TestRead`.
        n: see `TestRead`.
        data_hash: see `TestRead`.
        weights_sha256: see `TestRead`.
        purpose: see `TestRead`.

    Returns:
        The entry.

    Raises:
        FerlibError: the ledger is damaged; it stays as it is.
    """
    with _lock():
        reads = read_ledger(path)
        entry = TestRead(
            model=model, date=datetime.now(UTC).isoformat(timespec="seconds"), code_commit=code_commit(),
            protocol=protocol, n=n, data_hash=data_hash, weights_sha256=weights_sha256, purpose=purpose,
            repeat=bool(reads_of(reads, weights_sha256, data_hash)), recorded=AT_THE_READ,
        )  # fmt: skip
        write_json(path, {"reads": [asdict(read) for read in (*reads, entry)]})
    return entry


def reads_of(reads: list[TestRead], weights_sha256: str, data_hash: str) -> list[TestRead]:
    """Select the reads of the same weights on the same data.

    Args:
        reads: entries of a ledger.
        weights_sha256: SHA-256 of the weights file.
        data_hash: content hash of the data.
    """
    return [read for read in reads if (read.weights_sha256, read.data_hash) == (weights_sha256, data_hash)]


@contextmanager
def _lock() -> Iterator[None]:
    """Hold the lock of this project's ledgers; the system releases it when the process ends, also by a kill."""
    paths.PROCESSED.mkdir(parents=True, exist_ok=True)
    with open(paths.PROCESSED / "test_reads.lock", "wb") as handle:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
