"""The training loop: soft vote targets, one-cycle schedule, moving average, atomic checkpoints, exact resume.

Nothing here can see the test split: `fit` takes arrays that hold train and valid images only.
"""

import copy
import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from ferlib.data.ferplus import FerData
from ferlib.data.votes import hard_labels, targets
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.learning.checkpoints import Checkpoint
from ferlib.learning.config import TrainConfig
from ferlib.learning.distillation import Teachers, distillation_loss
from ferlib.learning.models import build_model
from ferlib.learning.optim import freeze_all_but_head, learning_rate, make_optimizer, set_rate
from ferlib.learning.pretrained import load_imagenet
from ferlib.learning.transforms import Preprocessing, augment, equalise, mix, resize

HISTORY_COLUMNS = ("epoch", "size", "lr", "train_loss", "valid_loss", "valid_accuracy", "seconds")
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What `fit` needs of the data: equalised uint8 images and targets.

    Attributes:
        images: (N, 48, 48) uint8 tensor; targets: (N, 8) float32 tensor, rows sum to 1.
        valid_images: (M, 48, 48) uint8 tensor; valid_labels: (M,) int64 tensor, majority rule.
        valid_ids: (M,) names in the same order.
        content_hash: of the data it was made from.
    """

    images: torch.Tensor
    targets: torch.Tensor
    valid_images: torch.Tensor
    valid_labels: torch.Tensor
    valid_ids: np.ndarray
    content_hash: str


def prepare(data: FerData, config: TrainConfig, manifest: pd.DataFrame | None) -> TrainingSet:
    """Choose and equalise the images of a run.

    Args:
        data: train and valid rows; a test row is an error.
        config: mode, clean and preprocessing are used.
        manifest: of `cleaning.build_manifest`, looked up by id; needed when `config.clean`.
    """
    if (data.split == "test").any():
        raise ValueError("training must not see the test split; use ferplus.load_train_valid")
    wanted = targets(data.votes, config.mode)
    use = (data.split == "train") & wanted.any(axis=1)
    if config.clean:
        if manifest is None:
            raise ValueError("a clean run needs the manifest")
        use &= np.isin(data.ids, manifest.loc[manifest["kept"], "id"].to_numpy(dtype=str))
    labels = hard_labels(data.votes)
    held = (data.split == "valid") & (labels >= 0)
    if not use.any() or not held.any():
        raise FerlibError("there are no usable training or validation images; look with 'ferlib data check'.")
    images = equalise(np.asarray(data.images), config.preprocessing.equalise)
    return TrainingSet(
        torch.from_numpy(images[use]), torch.from_numpy(wanted[use]),
        torch.from_numpy(images[held]), torch.from_numpy(labels[held]), data.ids[held], data.content_hash,
    )  # fmt: skip


def fit(
    config: TrainConfig, data: TrainingSet, run: Path, *, teachers: Sequence[Checkpoint] = (), commit: str = "unknown",
    progress: bool = True,
) -> dict:  # fmt: skip
    """Train a network and leave the run in the folder `run`.

    After each epoch the folder holds ``config.json``, ``history.csv`` (`HISTORY_COLUMNS`) and ``checkpoint.pt``
    (weights, moving average, optimiser, best epoch so far), each written atomically. A run that was interrupted
    anywhere goes on from its last whole epoch and ends with the same numbers as an uninterrupted one, since order,
    augmentation and dropout of an epoch depend only on the seed and the epoch.

    Args:
        config: the settings.
        data: of `prepare`.
        run: the folder; it is made when missing.
        teachers: the checkpoints that `config.teachers` names, in that order.
        commit: of the code, kept for each time that the run goes on.
        progress: show a bar for each epoch.

    Returns:
        ``{"epoch", "valid_accuracy", "state", "history", "commits"}``: the first three are of the best epoch by valid
        accuracy of the averaged weights (the first one of equals); `state` is a state dict.

    Raises:
        FerlibError: the folder holds a run of other settings, or a damaged checkpoint.
    """
    if tuple(one.name for one in teachers) != config.teachers:
        raise ValueError(f"the settings ask for the teachers {config.teachers}")
    run.mkdir(parents=True, exist_ok=True)
    state = _Run(config, data, run, teachers)
    state.restore()
    write_json(run / "config.json", config.to_dict())
    while state.epoch < config.epochs:
        state.commits += [commit] if commit not in state.commits else []
        state.train_epoch(progress)
        state.save()
    return {**state.best, "history": state.history, "commits": state.commits}


class _Run:
    """The moving parts of one training run."""

    def __init__(self, config: TrainConfig, data: TrainingSet, folder: Path, teachers: Sequence[Checkpoint]) -> None:
        self.config, self.data, self.folder = config, data, folder
        torch.manual_seed(config.seed)
        self.model = build_model(**config.model_arguments())
        if config.pretrained and not (folder / _CHECKPOINT).is_file():
            load_imagenet(self.model, config.model)
        self.teachers = Teachers(teachers, config.distill_temperature, config.preprocessing) if teachers else None
        self.model.to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).eval() if config.ema_decay else self.model
        self.optimizer = make_optimizer(self.model, config)
        self.steps = max(1, len(data.images) // config.batch_size)
        self.epoch, self.history, self.commits = 0, [], []
        self.best = {"epoch": 0, "valid_accuracy": -1.0, "state": None}

    def train_epoch(self, progress: bool) -> None:
        """One pass over the training images and the scores after it."""
        start = time.perf_counter()
        config, data, size = self.config, self.data, self.config.size_at(self.epoch)
        generator = torch.Generator().manual_seed(1_000_003 * config.seed + self.epoch)
        torch.manual_seed(1_000_003 * config.seed + self.epoch)  # dropout
        count = self.steps * min(config.batch_size, len(data.images))
        order = torch.randperm(len(data.images), generator=generator)[:count].view(self.steps, -1)
        self.model.train()
        freeze_all_but_head(self.model, self.epoch < config.head_epochs)
        total, rate = 0.0, 0.0
        bar = tqdm(
            order, desc=f"epoch {self.epoch + 1}/{config.epochs}", unit="batch", disable=not progress, leave=False
        )
        for step, chosen in enumerate(bar):
            rate = learning_rate(config, self.epoch * self.steps + step, self.steps * config.epochs)
            views = augment(data.images[chosen], size, config.augmentation, generator)
            views, wanted = mix(views, data.targets[chosen], config.mixup, config.cutmix, generator)
            set_rate(self.optimizer, rate)
            total += self._step(views, wanted)
            self._update_average(self.epoch * self.steps + step)
        probabilities = predict(self.average, data.valid_images, config.preprocessing)
        scores = self._valid_scores(probabilities)
        row = (self.epoch + 1, size, rate, total / self.steps, *scores, time.perf_counter() - start)
        self.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)))
        self.epoch += 1
        if scores[1] > self.best["valid_accuracy"]:
            weights = {name: value.clone() for name, value in self.average.state_dict().items()}
            self.best = {"epoch": self.epoch, "valid_accuracy": scores[1], "state": weights}

    def _step(self, views: torch.Tensor, wanted: torch.Tensor) -> float:
        """One update from (N, 1, S, S) views with intensities in 0..1; gives the loss."""
        config = self.config
        images = config.preprocessing.normalise(views).contiguous(memory_format=torch.channels_last)
        logits = self.model(images)
        loss = F.cross_entropy(logits, wanted, label_smoothing=config.label_smoothing)
        if self.teachers:
            taught = distillation_loss(logits, self.teachers(views).clone(), config.distill_temperature)
            loss = (1 - config.distill_weight) * loss + config.distill_weight * taught
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Exponential moving average whose decay is warmed up, so that it does not lag on short runs."""
        if self.average is self.model:
            return
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        for slow, fast in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - decay)
            else:
                slow.copy_(fast)

    def _valid_scores(self, probabilities: torch.Tensor) -> tuple[float, float]:
        """Cross-entropy against the majority label, and accuracy."""
        labels = self.data.valid_labels
        loss = F.nll_loss(probabilities.clamp_min(1e-12).log(), labels).item()
        return loss, (probabilities.argmax(dim=1) == labels).double().mean().item()

    def save(self) -> None:
        """Write checkpoint and history, each whole or not at all."""
        with atomic_path(self.folder / _CHECKPOINT) as temporary:
            torch.save(
                {
                    "config": self.config.to_dict(), "data": self.data.content_hash, "epoch": self.epoch,
                    "model": self.model.state_dict(), "average": self.average.state_dict(),
                    "optimizer": self.optimizer.state_dict(), "history": self.history, "best": self.best,
                    "commits": self.commits,
                },
                temporary,
            )  # fmt: skip
        self._write_history()

    def _write_history(self) -> None:
        with atomic_path(self.folder / "history.csv") as temporary, open(temporary, "w", newline="") as handle:
            writer = csv.DictWriter(handle, HISTORY_COLUMNS)
            writer.writeheader()
            writer.writerows(self.history)

    def restore(self) -> None:
        """Go on from the folder's checkpoint when there is one."""
        path = self.folder / _CHECKPOINT
        if not path.is_file():
            return
        try:
            saved = torch.load(path, weights_only=True)
        except Exception as error:  # torch raises many kinds here; all mean the same to the user
            raise FerlibError(
                f"{path.name} in {self.folder.name} is damaged; delete the folder and train again."
            ) from error
        same = TrainConfig.from_dict(saved["config"]) == self.config and saved["data"] == self.data.content_hash
        if not same:
            raise FerlibError(
                f"the folder {self.folder.name} holds a run with other settings or data; choose another --name."
            )
        self.epoch, self.history, self.best = saved["epoch"], saved["history"], saved["best"]
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.commits = saved["commits"]
        self._write_history()  # a stop between the two writes of `save` had left it a row short


@torch.inference_mode()
def predict(model: nn.Module, grey: torch.Tensor, preprocessing: Preprocessing, batch_size: int = 256) -> torch.Tensor:
    """(N, 8) float32 probabilities of (N, H, W) uint8 images that are already equalised; the model is set to eval."""
    model.eval()
    parts = []
    for batch in grey.split(batch_size):
        images = preprocessing.normalise(resize(batch, preprocessing.size))
        parts.append(model(images.contiguous(memory_format=torch.channels_last)).softmax(dim=1))
    return torch.cat(parts) if parts else torch.zeros(0, 8)
