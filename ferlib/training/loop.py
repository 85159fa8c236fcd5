"""Training loop: soft vote targets, one-cycle schedule, moving average, atomic checkpoints, exact resume.

Nothing here can see the test split: `fit` takes arrays that hold train and valid images only. Hugging Face Accelerate
manages device, mixed precision and processes; the same code runs on a CPU, on a GPU and on several.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedDataParallelKwargs
from accelerate.utils import broadcast_object_list
from torch import nn
from tqdm.auto import tqdm

from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.faceres import FaceRes
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import resize
from ferlib.models.pretrained import load_pretrained
from ferlib.models.questions import widen_head
from ferlib.training.augmentation import Views, mix_batch, plain_views, render_views
from ferlib.training.average import WeightAverage
from ferlib.training.batches import TrainingSet, adjustment_offsets, class_weights, draw_epoch
from ferlib.training.config import TrainConfig
from ferlib.training.device import accelerator, check_precision
from ferlib.training.distillation import TeacherLogits, Teachers
from ferlib.training.loss import training_loss
from ferlib.training.optim import freeze_pretrained, learning_rate, make_optimizer, set_rate
from ferlib.training.run_files import CHECKPOINT, HISTORY_COLUMNS, saved_run, write_history
from ferlib.training.validation import valid_scores


def fit(
    config: TrainConfig, data: TrainingSet, run: Path, *, teachers: Sequence[Checkpoint] = (),
    start: Checkpoint | None = None, teacher_folder: Path | None = None, commit: str = "unknown",
    precision: str | None = None, progress: bool = True,
) -> dict:  # fmt: skip
    """Train a network and leave the run in the folder `run`.

    After each epoch the folder holds ``config.json``, ``history.csv`` (`HISTORY_COLUMNS`) and ``checkpoint.pt``
    (weights, moving average, optimiser, best epoch so far), each written atomically. A run that was interrupted
    anywhere goes on from its last complete epoch and ends with the same numbers as an uninterrupted one, since order,
    augmentation and dropout of an epoch depend only on the seed and the epoch.

    Args:
        config: settings; the processes share `batch_size` images a step.
        data: images and targets from `batches.prepare`.
        run: folder of the run; it is made when missing.
        teachers: the checkpoints that `config.teachers` names, in that order.
        start: the checkpoint that `config.start` names.
        teacher_folder: folder that keeps the teachers' logits for views that come back (`config.views`); None for
            `run`.
        commit: commit of the code, recorded each time that the run goes on.
        precision: ``"no"``, ``"fp16"`` or ``"bf16"``; None for the setting of ``accelerate launch``, else full
            precision.
        progress: whether to show a bar for each epoch.

    Returns:
        ``{"epoch", "valid_accuracy", "state", "history", "commits", "logit_offsets"}``: number, accuracy and state
        dict of the best epoch by valid accuracy of the averaged weights (the first one of equals; for two questions by
        the mean of both accuracies, of which that of "seen" is given), then the rows of all epochs, the commits of the
        code that trained, and the offsets of the logit adjustment.

    Raises:
        ValueError: other teachers or another start than the settings name.
        FerlibError: the folder holds a run of other settings or precision, or a damaged checkpoint; a batch that the
            processes cannot share evenly; a precision that the device does not have.
    """
    if tuple(teacher.name for teacher in teachers) != config.teachers:
        raise ValueError(f"the settings ask for the teachers {config.teachers}")
    if (start.name if start else "") != config.start:
        raise ValueError(f"the settings ask for a start from {config.start!r}")
    run.mkdir(parents=True, exist_ok=True)
    state = _Run(config, data, run, Teachers(teachers, config), teacher_folder or run, precision, start)
    state.restore()
    if state.main:
        write_json(run / "config.json", config.to_dict())
    while not state.is_over():
        state.commits += [commit] if commit not in state.commits else []
        state.train_epoch(progress)
        state.save()
    return {
        **{key: state.best[key] for key in ("epoch", "valid_accuracy", "state")}, "history": state.history,
        "commits": state.commits, "logit_offsets": state.offsets.tolist(),
    }  # fmt: skip


class _Run:
    """State of a training run in one process."""

    def __init__(
        self, config: TrainConfig, data: TrainingSet, folder: Path, teachers: Teachers, teacher_folder: Path,
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
            _initialise(self.model, config, start, data.images[:512])
        if isinstance(self.model, FaceRes) and config.frozen_norms:
            self.model.freeze_norms()
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        self.average = WeightAverage(self.model, config.ema_decay)  # before `prepare`: it stays in full precision
        self.net, self.optimizer = self.accelerator.prepare(self.model, make_optimizer(self.model, config))
        self.images = data.images.to(self.device)
        self.teachers = teachers.to(self.device)
        self.teacher_logits = TeacherLogits(teachers, self.images, data.content_hash, teacher_folder)
        if config.calibrate_teachers:
            self._calibrate_teachers(teacher_folder)
        weighted = config.balance == "loss"
        self.offsets = adjustment_offsets(config, data.targets).to(self.device)
        self.class_weights = class_weights(data.targets, config.balance_power).to(self.device) if weighted else None
        self.steps = max(1, len(data.images) // config.batch_size)
        self.epoch = 0
        self.history: list[dict] = []
        self.commits: list[str] = []
        self.best: dict[str, Any] = {"epoch": 0, "valid_accuracy": -1.0, "state": None, "criterion": -1.0}

    def is_over(self) -> bool:
        """Return whether all epochs are done."""
        return self.epoch >= self.config.epochs

    def train_epoch(self, progress: bool) -> None:
        """Pass once over the training images, then score on valid."""
        start = time.perf_counter()
        config, size = self.config, self.config.size_at(self.epoch)
        epoch = draw_epoch(config, self.data.targets, self.epoch)
        stored = self._stored_probabilities(epoch.view_set, epoch.views) if self.teachers else None
        student_views = epoch.views.mirrored() if epoch.mirrored else epoch.views
        torch.manual_seed(1_000_003 * config.seed + self.epoch)  # dropout
        self.net.train()
        freeze_pretrained(self.model, config.stem, self.epoch < config.head_epochs)
        title = f"epoch {self.epoch + 1}/{config.epochs}"
        bar = tqdm(epoch.order, desc=title, unit="batch", disable=not (progress and self.main), leave=False)
        total, rate = torch.zeros((), device=self.device), 0.0
        for step, batch in enumerate(bar):
            rate = learning_rate(config, self.epoch * self.steps + step, self.steps * config.epochs)
            set_rate(self.optimizer, rate)
            indices = batch.chunk(self.accelerator.num_processes)[self.accelerator.process_index]
            views, targets = student_views[indices], [epoch.targets[indices].to(self.device)]
            if stored is not None:
                targets.append(stored[indices].to(self.device))
            elif self.teachers:
                targets.append(self._teacher_probabilities(indices, views))
            faces = render_views(self.images[indices], views, size)
            faces, mixed = mix_batch(faces, torch.cat(targets, dim=1), config.mixup, epoch.generator)
            total += self._step(faces, *mixed.tensor_split([epoch.targets.shape[1]], dim=1))
            self.average.update(self.model, self.epoch * self.steps + step)
        loss = self.accelerator.reduce(total, "mean").item() / len(epoch.order)
        self._finish_epoch(size, rate, loss, start)

    def _calibrate_teachers(self, folder: Path) -> None:
        """Fit the teachers' own temperatures on valid."""
        images, labels = self.data.valid_images, {"seen": self.data.valid_labels, "meant": self.data.valid_meant}
        on_valid = TeacherLogits(self.teachers, images.to(self.device), self.data.content_hash, folder)
        with self.accelerator.main_process_first():  # the others then find its files
            self.teachers.calibrate(on_valid.all_logits(0, plain_views(len(images))), labels)

    def _teacher_probabilities(self, indices: torch.Tensor, views: Views) -> torch.Tensor:
        """(N, K) softened probabilities of the teachers for new views."""
        with self.accelerator.autocast():
            return self.teachers(self.images[indices], views).float()

    def _stored_probabilities(self, view_set: int, views: Views) -> torch.Tensor | None:
        """(N, K) softened probabilities of the teachers for views that come back; None for new ones."""
        if view_set < 0:
            return None
        with self.accelerator.main_process_first():  # the others then find its files
            return self.teacher_logits.probabilities(view_set, views)

    def _finish_epoch(self, size: int, rate: float, loss: float, start: float) -> None:
        """Score on valid, in one process for all of them, and keep the weights of the best epoch."""
        scores = [valid_scores(self.average.model, self.data, self.config.preprocessing) if self.main else None]
        valid = broadcast_object_list(scores)[0]
        row = (self.epoch + 1, size, rate, loss, valid.loss, valid.accuracy, time.perf_counter() - start)
        self.history.append(dict(zip(HISTORY_COLUMNS, row, strict=True)) | valid.meant_entry())
        self.epoch += 1
        if valid.criterion > self.best.get("criterion", self.best["valid_accuracy"]):
            self.best = {
                "epoch": self.epoch, "valid_accuracy": valid.accuracy, "state": self.average.snapshot(),
                "criterion": valid.criterion,
            }  # fmt: skip

    def _step(self, faces: torch.Tensor, targets: torch.Tensor, teacher_probabilities: torch.Tensor) -> torch.Tensor:
        """Update the weights from (N, 1, S, S) intensities in 0..1; return the loss."""
        config = self.config
        images = config.preprocessing.normalise(faces).contiguous(memory_format=torch.channels_last)
        loss = self._loss(images, targets, teacher_probabilities)
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        if config.clip_norm:
            self.accelerator.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def _loss(self, images: torch.Tensor, targets: torch.Tensor, teacher_probabilities: torch.Tensor) -> torch.Tensor:
        """Loss of the network's logits, see `loss.training_loss`."""
        with self.accelerator.autocast():
            logits = self.net(images).float()
        return training_loss(self.config, logits, targets, teacher_probabilities, self.offsets, self.class_weights)

    def save(self) -> None:
        """Write checkpoint and history, each atomically."""
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
        """Restore the state from the folder's checkpoint when there is one."""
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
            write_history(self.folder, self.history)  # an interrupt between the writes of `save` leaves it short


def _initialise(model: nn.Module, config: TrainConfig, start: Checkpoint | None, images: torch.Tensor) -> None:
    """Load the weights that the settings name into a new network; `images` are (N, H, W) uint8 training faces."""
    if config.pretrained:
        faces = config.preprocessing.normalise(resize(images, config.preprocessing.size))
        load_pretrained(model, config.model, config.stem, faces)
    elif start is not None:
        try:
            model.load_state_dict(widen_head(start.model.state_dict(), model.state_dict()))
        except RuntimeError as error:
            raise FerlibError(
                f"the weights of {config.start!r} are of another network than {config.model!r}."
            ) from error
