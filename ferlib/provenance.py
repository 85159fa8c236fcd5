"""Provenance of results: the code that they were computed with."""

import subprocess
from pathlib import Path

from ferlib import paths


def code_commit() -> str:
    """Read the hash of the project's checked-out commit.

    Returns:
        The hash, with ``+changes`` when the package's files differ from the commit; "unknown" without git, and where
        the project is no repository of its own.
    """
    try:
        if not Path(_git("rev-parse", "--show-toplevel")).samefile(paths.ROOT):
            return "unknown"
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=normal", "--", "ferlib")
        return commit + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(paths.ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
