"""The training loop: soft vote targets, one-cycle schedule, moving average, atomic checkpoints, exact resume.

Nothing here can see the test split: `fit` takes arrays that hold train and valid images only. Device, mixed precision
and several processes are Hugging Face Accelerate's business; the same code runs on a CPU, on a GPU and on several.
"""

import copy
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import DistributedDataParallelKwargs
from accelerate.utils import broadcast_object_list
from torch import nn
from tqdm.auto import tqdm

from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing, resize
from ferlib.models.pretrained import load_pretrained
from ferlib.training.augmentation import Views, mix, render
from ferlib.training.batches import TrainingSet, class_weights, draw_epoch
from ferlib.training.config import TrainConfig
from ferlib.training.device import accelerator, check_precision
from ferlib.training.distillation import AnswerBook, Teachers, distillation_loss
from ferlib.training.optim import climb, freeze_pretrained, learning_rate, make_optimizer, set_rate

HISTORY_COLUMNS = ("epoch", "size", "lr", "train_loss", "valid_loss", "valid_accuracy", "seconds")
CHECKPOINT = "checkpoint.pt"  # of a run, with its weights


def fit(
    config: TrainConfig, data: TrainingSet, run: Path, *, teachers: Sequence[Checkpoint] = (),
    start: Checkpoint | None = None, answers: Path | None = None, commit: str = "unknown",
    precision: str | None = None, progress: bool = True,
) -> dict:  # fmt: skip
    """Train a network and leave the run in the folder `run`.

    After each epoch the folder holds ``config.json``, ``history.csv`` (`HISTORY_COLUMNS`) and ``checkpoint.pt``
    (weights, moving average, optimiser, best epoch so far), each written atomically. A run that was interrupted
    anywhere goes on from its last whole epoch and ends with the same numbers as an uninterrupted one, since order,
    augmentation and dropout of an epoch depend only on the seed and the epoch.

    Args:
        config: the settings; `batch_size` images a step are shared out among the processes.
        data: of `batches.prepare`.
        run: the folder; it is made when missing.
        teachers: the checkpoints that `config.teachers` names, in that order.
        start: the checkpoint that `config.start` names.
        answers: folder for what the teachers said about views that come back (`config.views`); default: `run`.
        commit: of the code, kept for each time that the run goes on.
        precision: ``"no"``, ``"fp16"`` or ``"bf16"``; None: what ``accelerate launch`` was told, else full precision.
        progress: show a bar for each epoch.

    Returns:
        ``{"epoch", "valid_accuracy", "state", "history", "commits"}``: the first three are of the best epoch by valid
        accuracy of the averaged weights (the first one of equals); `state` is a state dict.

    Raises:
        FerlibError: the folder holds a run of other settings or precision, or a damaged checkpoint; a batch that the
            processes cannot share evenly; a precision that the device does not have.
    """
    if tuple(one.name for one in teachers) != config.teachers:
        raise ValueError(f"the settings ask for the teachers {config.teachers}")
    if (start.name if start else "") != config.start:
        raise ValueError(f"the settings ask for a start from {config.start!r}")
    run.mkdir(parents=True, exist_ok=True)
    state = _Run(config, data, run, Teachers(teachers, config), answers or run, precision, start)
    state.restore()
    if state.main:
        write_json(run / "config.json", config.to_dict())
    while not state.is_over():
        state.commits += [commit] if commit not in state.commits else []
        state.train_epoch(progress)
        state.save()
    return {**state.best, "history": state.history, "commits": state.commits}


class _Run:
    """The moving parts of one training run; each of several processes has its own."""

    def __init__(
        self, config: TrainConfig, data: TrainingSet, folder: Path, teachers: Teachers, answers: Path,
        precision: str | None = None, start: Checkpoint | None = None,
    ) -> None:  # fmt: skip
        self.config, self.data, self.folder = config, data, folder
        # In the first stage most weights get no gradient, which DistributedDataParallel must be told.
        handlers = [DistributedDataParallelKwargs(find_unused_parameters=config.head_epochs > 0)]
        self.accelerator = accelerator(precision, handlers)
        self.main, self.device = self.accelerator.is_main_process, self.accelerator.device
        if config.batch_size % self.accelerator.num_processes:
            raise FerlibError(
                f"a batch of {config.batch_size} cannot be shared evenly by {self.accelerator.num_processes} "
                "processes; choose another number of processes."
            )
        torch.manual_seed(config.seed)
        self.model = build_model(**config.model_arguments())
        if not (folder / CHECKPOINT).is_file():
            _begin(self.model, config, start, data.images[:512])
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        self.average = copy.deepcopy(self.model).eval()  # before `prepare`, so it answers in full precision
        self.net, self.optimizer = self.accelerator.prepare(self.model, make_optimizer(self.model, config))
        self.images = data.images.to(self.device)
        self.teachers = teachers.to(self.device)
        self.book = AnswerBook(teachers, self.images, data.content_hash, answers)
        weighted = config.balance == "loss"
        self.class_weights = class_weights(data.targets, config.balance_power).to(self.device) if weighted else None
        self.steps = max(1, len(data.images) // config.batch_size)
        self.epoch = 0
        self.history: list[dict] = []
        self.commits: list[str] = []
        self.best: dict[str, Any] = {"epoch": 0, "valid_accuracy": -1.0, "state": None}

    def is_over(self) -> bool:
        """Whether all epochs are done, or valid has not improved for `patience` of them."""
        waited = self.epoch - self.best["epoch"]
        return self.epoch >= self.config.epochs or (0 < self.config.patience <= waited and self.best["epoch"] > 0)

    def train_epoch(self, progress: bool) -> None:
        """One pass over the training images and the scores after it."""
        start = time.perf_counter()
        config, size = self.config, self.config.size_at(self.epoch)
        epoch = draw_epoch(config, self.data.targets, self.epoch)
        taught = self._answers(epoch.book, epoch.views) if self.teachers and epoch.book >= 0 else None
        shown = epoch.views.mirrored() if epoch.mirrored else epoch.views
        torch.manual_seed(1_000_003 * config.seed + self.epoch)  # dropout
        self.net.train()
        freeze_pretrained(self.model, config.stem, self.epoch < config.head_epochs)
        title = f"epoch {self.epoch + 1}/{config.epochs}"
        bar = tqdm(epoch.order, desc=title, unit="batch", disable=not (progress and self.main), leave=False)
        total, rate = torch.zeros((), device=self.device), 0.0
        for step, batch in enumerate(bar):
            rate = learning_rate(config, self.epoch * self.steps + step, self.steps * config.epochs)
            set_rate(self.optimizer, rate)
            mine = batch.chunk(self.accelerator.num_processes)[self.accelerator.process_index]
            views, targets = shown[mine], [epoch.targets[mine].to(self.device)]
            if self.teachers:
                targets.append(taught[mine].to(self.device) if taught is not None else self._ask(mine, views))
            faces = render(self.images[mine], views, size)
            faces, mixed = mix(faces, torch.cat(targets, dim=1), config.mixup, config.cutmix, epoch.generator)
            total += self._step(faces, mixed[:, :8], mixed[:, 8:])
            self._update_average(self.epoch * self.steps + step)
        loss = self.accelerator.reduce(total, "mean").item() / len(epoch.order)
        self._finish_epoch(size, rate, loss, start)

    def _ask(self, chosen: torch.Tensor, views: Views) -> torch.Tensor:
        with self.accelerator.autocast():
            return self.teachers(self.images[chosen], views).float()

    def _answers(self, number: int, views: Views) -> torch.Tensor:
        with self.accelerator.main_process_first():  # the others then find its files
            return self.book.answers(number, views)

    def _finish_epoch(self, size: int, rate: float, loss: float, start: float) -> None:
        """Score on valid, in one process for all of them, and keep the weights of the best epoch."""
        scores = [valid_scores(self.average, self.data, self.config.preprocessing) if self.main else None]
        valid_loss, accuracy = broadcast_object_list(scores)[0]
        row = (self.epoch + 1, size, rate, loss, valid_loss, accuracy, time.perf_counter() - start)
        self.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)))
        self.epoch += 1
        if accuracy > self.best["valid_accuracy"]:
            weights = {name: value.cpu().clone() for name, value in self.average.state_dict().items()}
            self.best = {"epoch": self.epoch, "valid_accuracy": accuracy, "state": weights}

    def _step(self, faces: torch.Tensor, wanted: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """One update from (N, 1, S, S) intensities in 0..1; gives the loss."""
        config = self.config
        images = config.preprocessing.normalise(faces).contiguous(memory_format=torch.channels_last)
        loss = self._loss(images, wanted, taught)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        if config.sam:
            with climb(self.model, config.sam):
                uphill = self._loss(images, wanted, taught)
                self.optimizer.zero_grad(set_to_none=True)
                self.accelerator.backward(uphill)
        if config.clip_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def _loss(self, images: torch.Tensor, wanted: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """Cross-entropy with the votes, and the divergence from the teachers where there are any."""
        config = self.config
        with self.accelerator.autocast():
            logits = self.net(images).float()
        loss = F.cross_entropy(logits, wanted, self.class_weights, label_smoothing=config.label_smoothing)
        if taught.shape[1]:
            distilled = distillation_loss(logits, taught, config.distill_temperature)
            loss = (1 - config.distill_weight) * loss + config.distill_weight * distilled
        return loss

    @torch.no_grad()
    def _update_average(self, step: int) -> None:
        """Exponential moving average whose decay is warmed up, so that it does not lag on short runs; 0: no average."""
        decay = min(self.config.ema_decay, (1 + step) / (10 + step))
        for slow, fast in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - decay)
            else:
                slow.copy_(fast)

    def save(self) -> None:
        """Write checkpoint and history, each whole or not at all."""
        if not self.main:
            return
        scaler = self.accelerator.scaler
        with atomic_path(self.folder / CHECKPOINT) as temporary:
            torch.save(
                {
                    "config": self.config.to_dict(), "data": self.data.content_hash, "epoch": self.epoch,
                    "model": self.model.state_dict(), "average": self.average.state_dict(),
                    "optimizer": self.optimizer.state_dict(), "history": self.history, "best": self.best,
                    "commits": self.commits, "scaler": scaler.state_dict() if scaler else None,
                    "precision": self.accelerator.mixed_precision,
                },
                temporary,
            )  # fmt: skip
        write_history(self.folder, self.history)

    def restore(self) -> None:
        """Go on from the folder's checkpoint when there is one."""
        saved = saved_run(self.folder, self.config, self.data.content_hash)
        if saved is None:
            return
        check_precision(saved, self.accelerator.mixed_precision)
        self.epoch, self.history, self.best = saved["epoch"], saved["history"], saved["best"]
        self.model.load_state_dict(saved["model"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.commits = saved["commits"]
        if self.accelerator.scaler and saved["scaler"]:
            self.accelerator.scaler.load_state_dict(saved["scaler"])
        if self.main:
            write_history(self.folder, self.history)  # a stop between the two writes of `save` had left it a row short


def saved_run(run: Path, config: TrainConfig, content_hash: str) -> dict | None:
    """What the folder's checkpoint holds, None without one.

    Raises:
        FerlibError: it is damaged, or of a run with other settings or data, which must not be lost.
    """
    path = run / CHECKPOINT
    if not path.is_file():
        return None
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds here; all mean the same to the user
        raise FerlibError(f"{path.name} in {run.name} is damaged; delete the folder and train again.") from error
    if TrainConfig.from_dict(saved["config"]) != config or saved["data"] != content_hash:
        raise FerlibError(f"the folder {run.name} holds a run with other settings or data; choose another --name.")
    return saved


def write_history(run: Path, rows: Sequence[dict]) -> None:
    """``history.csv`` of a run, whole or not at all: `HISTORY_COLUMNS`, a row an epoch."""
    with atomic_path(run / "history.csv") as temporary, open(temporary, "w", newline="") as handle:
        writer = csv.DictWriter(handle, HISTORY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _begin(model: nn.Module, config: TrainConfig, start: Checkpoint | None, images: torch.Tensor) -> None:
    """Put the weights that the settings ask for into a new network; `images` are (N, H, W) uint8 training faces."""
    if config.pretrained:
        faces = config.preprocessing.normalise(resize(images, config.preprocessing.size))
        load_pretrained(model, config.model, config.stem, faces)
    elif start is not None:
        try:
            model.load_state_dict(start.model.state_dict())
        except RuntimeError as error:
            raise FerlibError(
                f"the weights of {config.start!r} are of another network than {config.model!r}."
            ) from error


@torch.inference_mode()
def predict(model: nn.Module, grey: torch.Tensor, preprocessing: Preprocessing, batch_size: int = 256) -> torch.Tensor:
    """(N, 8) float32 probabilities of (N, H, W) uint8 images that are already equalised; the model is set to eval."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for batch in grey.split(batch_size):
        images = preprocessing.normalise(resize(batch.to(device), preprocessing.size))
        parts.append(model(images.contiguous(memory_format=torch.channels_last)).float().softmax(dim=1).cpu())
    return torch.cat(parts) if parts else torch.zeros(0, 8)


def valid_scores(model: nn.Module, data: TrainingSet, preprocessing: Preprocessing) -> tuple[float, float]:
    """Cross-entropy against the majority label of valid, and accuracy in 0..1."""
    probabilities = predict(model, data.valid_images, preprocessing)
    loss = F.nll_loss(probabilities.clamp_min(1e-12).log(), data.valid_labels).item()
    return loss, (probabilities.argmax(dim=1) == data.valid_labels).double().mean().item()
