"""Files of a training run: its name, ``checkpoint.pt`` and ``history.csv``."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.paths import relative
from ferlib.training.config import TrainConfig

if TYPE_CHECKING:
    import torch

HISTORY_COLUMNS = ("epoch", "size", "lr", "train_loss", "valid_loss", "valid_accuracy", "seconds")
MEANT_COLUMN = "valid_meant_accuracy"
"""Further column in the history of a network that answers both questions."""

CHECKPOINT = "checkpoint.pt"
"""File of a run that holds its weights and everything that a resumed run needs."""


def check_name(name: str) -> str:
    """Check the name of a run or model, which is also a file name.

    Args:
        name: letters, digits, '-', '_' and '.', beginning with a letter or digit.

    Returns:
        The same name.

    Raises:
        FerlibError: it could not be a file name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise FerlibError(f"{name!r} is no name for a run; use letters, digits, '-', '_' and '.'.")
    return name


def saved_run(run: Path, config: TrainConfig, content_hash: str) -> dict | None:
    """Read the checkpoint of a run.

    Args:
        run: folder of the run.
        config: settings that the run must have.
        content_hash: hash of the data that the run must be of.

    Returns:
        The checkpoint's entries; None without a checkpoint.

    Raises:
        FerlibError: the checkpoint is damaged, or of a run with other settings or data, which must not be lost.
    """
    if not (run / CHECKPOINT).is_file():
        return None
    saved = _load(run)
    if TrainConfig.from_dict(saved["config"]) != config or saved["data"] != content_hash:
        raise FerlibError(f"the folder {run.name} holds a run with other settings or data; choose another --name.")
    return saved


def best_state(run: Path) -> "dict[str, torch.Tensor]":
    """Read the state dict of the epoch that a run kept.

    Args:
        run: folder of the run.

    Raises:
        FerlibError: there is no checkpoint, or a damaged one.
    """
    if not (run / CHECKPOINT).is_file():
        raise FerlibError(f"there is no run in {relative(run)}; train it first.")
    return _load(run)["best"]["state"]


def _load(run: Path) -> dict:
    import torch

    try:
        return torch.load(run / CHECKPOINT, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds here; all mean the same to the user
        raise FerlibError(f"{CHECKPOINT} in {run.name} is damaged; delete the folder and train again.") from error


def write_history(run: Path, rows: Sequence[dict]) -> None:
    """Write ``history.csv`` of a run atomically.

    Args:
        run: folder of the run.
        rows: one row an epoch, with the keys `HISTORY_COLUMNS`, and `MEANT_COLUMN` where both questions are answered.
    """
    columns = (*HISTORY_COLUMNS, MEANT_COLUMN) if any(MEANT_COLUMN in row for row in rows) else HISTORY_COLUMNS
    with atomic_path(run / "history.csv") as temporary, open(temporary, "w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
