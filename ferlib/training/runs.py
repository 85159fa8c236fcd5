"""Named training runs: from a recipe and the data on disk to a run's folder under `data/runs`."""

import json
import os
import platform
import re
from pathlib import Path

import torch
from accelerate.state import AcceleratorState, PartialState

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.errors import FerlibError
from ferlib.files import write_json
from ferlib.models import checkpoints
from ferlib.provenance import code_commit
from ferlib.training.batches import prepare
from ferlib.training.config import TrainConfig
from ferlib.training.loop import fit
from ferlib.training.soup import cook


def check_name(name: str) -> str:
    """The name of a run or model, which is also a file name; FerlibError when it could not be one."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise FerlibError(f"{name!r} is no name for a run; use letters, digits, '-', '_' and '.'.")
    return name


def train(
    config: TrainConfig, name: str, *, root: Path | None = None, runs: Path | None = None,
    precision: str | None = None, progress: bool = True,
) -> dict:  # fmt: skip
    """Train on FER2013+ (or another data folder `root`) and leave the run in ``data/runs/NAME`` (or ``runs/NAME``).

    The whole of FER2013+ is read once to find copies across splits; what reaches the training loop is train and
    valid only. ``run.json`` names settings, data hash, the commits of the code that trained, and the seconds that
    training took; a finished run that is asked for again keeps it as it is. `precision` is of `training.fit`. Returns
    what `training.fit` returns.
    """
    run = (runs or paths.RUNS) / check_name(name)
    data = ferplus.load_train_valid(root)
    manifest = cleaning.manifest_of(root) if config.clean else None
    prepared = prepare(data, config, manifest)
    if config.soup:
        best = cook(config, prepared, run, [checkpoints.load(one) for one in config.soup], code_commit())
    else:
        best = fit(
            config, prepared, run, teachers=[checkpoints.load(one) for one in config.teachers],
            start=checkpoints.load(config.start) if config.start else None, answers=paths.PROCESSED,
            commit=code_commit(), precision=precision, progress=progress,
        )  # fmt: skip
    state = PartialState()
    if state.is_main_process and not (run / "run.json").is_file():
        about = {
            "name": name, "config": config.to_dict(), "data": data.source, "data_hash": data.content_hash,
            "code_commit": ", ".join(best["commits"]), "best_epoch": best["epoch"],
            "valid_accuracy": best["valid_accuracy"], "seconds": sum(row["seconds"] for row in best["history"]),
            "torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count(),
            "machine": platform.machine(), "device": state.device.type, "processes": state.num_processes,
            "precision": AcceleratorState().mixed_precision,
        }  # fmt: skip
        write_json(run / "run.json", about)
    return best


def read_run(name: str) -> dict:
    """``run.json`` of a finished run, whose other files are all there; FerlibError when they are not."""
    run = paths.RUNS / check_name(name)
    lacking = [file for file in ("run.json", "checkpoint.pt", "history.csv") if not (run / file).is_file()]
    if lacking:
        raise FerlibError(f"the run {name} is missing or unfinished (no {lacking[0]}); 'ferlib train' finishes it.")
    return json.loads((run / "run.json").read_text(encoding="utf-8"))
