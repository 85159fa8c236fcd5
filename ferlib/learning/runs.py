"""Named training runs: from a recipe and the data on disk to a folder under `data/runs`."""

import os
import platform
import subprocess
import time
from pathlib import Path

import torch

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.files import write_json
from ferlib.learning.config import TrainConfig
from ferlib.learning.training import fit, prepare


def code_commit() -> str:
    """Hash of the project's checked-out commit, with ``+changes`` when files differ from it; "unknown" without git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no", "--", "ferlib") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def train(
    config: TrainConfig, name: str, *, folder: Path | None = None, root: Path | None = None, progress=True
) -> dict:
    """Train on FER2013+ (or another data folder `root`) and leave the run in ``data/runs/NAME``.

    The whole of FER2013+ is read once to find copies across splits; what reaches the training loop is train and
    valid only. Returns what `training.fit` returns.
    """
    run = folder or paths.RUNS / name
    data = ferplus.load_train_valid(root)
    manifest = cleaning.load_manifest(ferplus.load_all(root)) if config.clean else None
    started = time.perf_counter()
    commit = code_commit()
    best = fit(config, prepare(data, config, manifest), run, progress=progress)
    write_json(
        run / "run.json",
        {
            "name": name, "config": config.to_dict(), "data": data.source, "data_hash": data.content_hash,
            "code_commit": commit, "best_epoch": best["epoch"], "valid_accuracy": best["valid_accuracy"],
            "seconds": sum(row["seconds"] for row in best["history"]),
            "seconds_this_time": time.perf_counter() - started,
            "torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count(),
            "machine": platform.machine(),
        },
    )  # fmt: skip
    return best


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(paths.ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()
