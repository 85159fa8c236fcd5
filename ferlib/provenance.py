"""Which code made a number."""

import subprocess

from ferlib import paths


def code_commit() -> str:
    """Hash of the project's checked-out commit, with ``+changes`` when files differ from it; "unknown" without git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", "--", "ferlib") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(paths.ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
