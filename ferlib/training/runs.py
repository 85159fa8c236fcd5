"""Named training runs: from a recipe and the data on disk to a folder under `data/runs`."""

import json
import os
import platform
from functools import partial
from pathlib import Path

import torch
from accelerate.state import AcceleratorState, PartialState

from ferlib import paths
from ferlib.data.data_set import open_data_set
from ferlib.errors import FerlibError
from ferlib.files import write_json
from ferlib.models import checkpoints
from ferlib.models.checkpoints import Checkpoint
from ferlib.provenance import code_commit
from ferlib.training.batches import prepare
from ferlib.training.config import TrainConfig
from ferlib.training.loop import fit
from ferlib.training.run_files import best_state, check_name
from ferlib.training.soup import make_soup


def train(
    config: TrainConfig, name: str, *, root: Path | None = None, runs: Path | None = None,
    precision: str | None = None, progress: bool = True,
) -> dict:  # fmt: skip
    """Train on FER2013+ or other data of its form, and leave the run in a folder.

    All of the data is read once to find copies across splits; only train and valid reach the training loop.
    ``run.json`` records settings, data hash, the commits of the code that trained, and the seconds that training
    took; a finished run that is asked for again keeps it as it is.

    Args:
        config: settings.
        name: name of the run.
        root: the data folder; None for `paths.data_root()`.
        runs: folder of all runs; None for ``data/runs``. A start, teacher or member of a soup that is no checkpoint is
            taken from the finished run of its name there.
        precision: as in `loop.fit`.
        progress: whether to show a bar for each epoch.

    Returns:
        The same entries as `loop.fit`.

    Raises:
        FerlibError: no data or none that can be used, a checkpoint that is missing, or what `loop.fit` refuses.
    """
    folder = runs or paths.RUNS
    run = folder / check_name(name)
    data_set = open_data_set(root, manifest_version=config.manifest_version)
    load = partial(_load_network, folder=folder, content_hash=data_set.content_hash)
    prepared = prepare(data_set.train_valid, config, data_set.manifest if config.clean else None)
    if config.soup:
        best = make_soup(config, prepared, run, [load(member) for member in config.soup], code_commit())
    else:
        best = fit(
            config, prepared, run, teachers=[load(teacher) for teacher in config.teachers],
            start=load(config.start) if config.start else None, teacher_folder=paths.PROCESSED,
            commit=code_commit(), precision=precision, progress=progress,
        )  # fmt: skip
    state = PartialState()
    if state.is_main_process and not (run / "run.json").is_file():
        about = {
            "name": name, "config": config.to_dict(), "data": data_set.source, "data_hash": data_set.content_hash,
            "code_commit": ", ".join(best["commits"]), "best_epoch": best["epoch"],
            "valid_accuracy": best["valid_accuracy"], "seconds": sum(row["seconds"] for row in best["history"]),
            "torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count(),
            "machine": platform.machine(), "device": state.device.type, "processes": state.num_processes,
            "precision": AcceleratorState().mixed_precision,
            **({"logit_offsets": best["logit_offsets"]} if any(best["logit_offsets"]) else {}),
        }  # fmt: skip
        write_json(run / "run.json", about)
    return best


def _load_network(name: str, folder: Path, content_hash: str) -> Checkpoint:
    """Load a checkpoint, or else the weights that a finished run on the same data kept, in half precision."""
    run = folder / name
    if name in checkpoints.available() or name.endswith(".safetensors"):
        return checkpoints.load(name)
    if not (run / "run.json").is_file():
        raise FerlibError(f"{name!r} is no checkpoint and no finished run; train it first: ferlib train {name}")
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if about["data_hash"] != content_hash:
        raise FerlibError(f"the run {name!r} was trained on other data; train it again on this data.")
    config = TrainConfig.from_dict(about["config"])
    sidecar = {"model": config.model_arguments(), "preprocessing": config.preprocessing.to_dict()}
    sidecar |= {key: about[key] for key in ("logit_offsets",) if key in about}
    return checkpoints.as_shipped(name, best_state(run), sidecar)


def read_run(name: str) -> dict:
    """Read ``run.json`` of a finished run.

    Args:
        name: name of a run under ``data/runs``.

    Raises:
        FerlibError: one of the run's files is missing.
    """
    run = paths.RUNS / check_name(name)
    missing = [file for file in ("run.json", "checkpoint.pt", "history.csv") if not (run / file).is_file()]
    if missing:
        raise FerlibError(f"the run {name} is missing or unfinished (no {missing[0]}); 'ferlib train' finishes it.")
    return json.loads((run / "run.json").read_text(encoding="utf-8"))
