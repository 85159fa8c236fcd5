"""Images and targets of a training run; order, random views and class weights of its epochs.

Nothing here can see the test split: `prepare` refuses it. Everything random depends on the seed and the epoch alone,
and is drawn for all images at once, so that a resumed run, and each of several processes, draws the same.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ferlib.data.ferplus import FerData
from ferlib.data.labels import MEANT_EMOTIONS
from ferlib.data.votes import hard_labels, share_targets, targets
from ferlib.errors import FerlibError
from ferlib.models.preprocessing import equalise
from ferlib.models.questions import columns
from ferlib.training.augmentation import Views, draw_views
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Equalised images and their targets, as `loop.fit` takes them.

    Attributes:
        images: (N, 48, 48) uint8, training images.
        targets: (N, K) float32, K = 8 or 15: target distribution of each training image for each question in turn
            (`questions.columns`). A question's part sums to 1, or to 0 where the image has no label for it.
        valid_images: (M, 48, 48) uint8, validation images.
        valid_labels: (M,) int64, their classes by the majority rule, -1 for none.
        valid_meant: (M,) int64, their classes by FER2013's own labels, -1 for none; all -1 for "seen" alone.
        valid_ids: (M,) names of the validation images.
        content_hash: hash of the data set that the images come from.
    """

    images: torch.Tensor
    targets: torch.Tensor
    valid_images: torch.Tensor
    valid_labels: torch.Tensor
    valid_meant: torch.Tensor
    valid_ids: np.ndarray
    content_hash: str


def prepare(data: FerData, config: TrainConfig, manifest: pd.DataFrame | None) -> TrainingSet:
    """Choose and equalise the images of a run.

    Args:
        data: rows of train and valid.
        config: settings of the run; `questions`, `mode`, `clean` and `preprocessing` are used.
        manifest: table of `cleaning.build_manifest`, looked up by id; needed when `config.clean`.

    Raises:
        ValueError: a row of test among the data, or a clean run without a manifest.
        FerlibError: no usable training or validation image, or no label of FER2013 for the question "meant".
    """
    if (data.split == "test").any():
        raise ValueError("training must not see the test split; give it DataSet.train_valid")
    target_rows = share_targets(data.votes) if config.mode == "shares" else targets(data.votes, config.mode)
    labels, meant = hard_labels(data.votes), np.full(len(data), -1)
    if "meant" in config.questions:
        meant = data.meant.astype(np.int64)
        target_rows = np.concatenate([target_rows, _one_hot(meant, len(MEANT_EMOTIONS))], axis=1)
    use = (data.split == "train") & target_rows.any(axis=1)
    if config.clean:
        if manifest is None:
            raise ValueError("a clean run needs the manifest")
        use &= np.isin(data.ids, manifest.loc[manifest["kept"], "id"].to_numpy(dtype=str))
    _check_meant(config, meant[use])
    validate = (data.split == "valid") & ((labels >= 0) | (meant >= 0))
    if not use.any() or not validate.any():
        raise FerlibError("there are no usable training or validation images; look with 'ferlib data check'.")
    images = equalise(np.asarray(data.images), config.preprocessing.equalise)
    return TrainingSet(
        torch.from_numpy(images[use]), torch.from_numpy(target_rows[use]), torch.from_numpy(images[validate]),
        torch.from_numpy(labels[validate]), torch.from_numpy(meant[validate]), data.ids[validate], data.content_hash,
    )  # fmt: skip


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes) float32; the row of a label of -1 is zero."""
    return (labels[:, None] == np.arange(classes)).astype(np.float32)


def _check_meant(config: TrainConfig, meant: np.ndarray) -> None:
    if "meant" in config.questions and not (meant >= 0).any():
        raise FerlibError(
            "the data has no labels of FER2013, which the question 'meant' is trained on; add Kaggle's fer2013.csv or "
            "an emotions.csv ('ferlib data check' says how), or train with questions ('seen',)."
        )


def adjustment_offsets(config: TrainConfig, targets: torch.Tensor) -> torch.Tensor:
    """Compute the offsets that training adds to the logits: tau times the log of each class's frequency.

    Args:
        config: settings; `seen_adjustment` and `meant_adjustment` are used.
        targets: (N, K) targets of the training images.

    Returns:
        (K,) offsets, all 0 or below; 0 for a class that never occurs.
    """
    offsets = torch.zeros(targets.shape[1])
    for question, tau in (("seen", config.seen_adjustment), ("meant", config.meant_adjustment)):
        if tau and question in config.questions:
            totals = targets[:, columns(question)].sum(dim=0)
            frequency = totals / totals.sum()
            offsets[columns(question)] = torch.where(frequency > 0, tau * frequency.clamp_min(1e-12).log(), 0.0)
    return offsets


@dataclass(frozen=True, eq=False)
class Epoch:
    """One pass over the training images.

    Attributes:
        order: (steps, batch) int64, indices of the images of each step.
        targets: (N, K) float32, target of each training image; in the mode "probability" a label drawn from it.
        views: views of all training images.
        view_set: number of the views among those that come back, -1 for new ones.
        mirrored: whether the network sees the views mirrored.
        generator: source of what is drawn step by step (mixup).
    """

    order: torch.Tensor
    targets: torch.Tensor
    views: Views
    view_set: int
    mirrored: bool
    generator: torch.Generator


def draw_epoch(config: TrainConfig, targets: torch.Tensor, epoch: int) -> Epoch:
    """Draw order, targets and views of an epoch.

    Args:
        config: settings of the run.
        targets: (N, K) targets of the training images.
        epoch: number of the epoch; the first is 0.
    """
    generator = torch.Generator().manual_seed(1_000_003 * config.seed + epoch)
    count = len(targets)
    if config.balance == "sampling":
        weights = targets @ class_weights(targets, config.balance_power)
        order = torch.multinomial(weights, count, replacement=True, generator=generator)
    else:
        order = torch.randperm(count, generator=generator)
    size = min(config.batch_size, count)
    order = order[: count // size * size].view(-1, size)
    if config.mode == "probability":
        labels = torch.multinomial(targets, 1, generator=generator)
        targets = torch.zeros_like(targets).scatter_(1, labels, 1.0)
    if not config.views:
        return Epoch(order, targets, draw_views(count, config.augmentation, generator), -1, False, generator)
    view_set = epoch % config.views
    same_for_all_seeds = torch.Generator().manual_seed(7_919 + view_set)
    views = draw_views(count, config.augmentation, same_for_all_seeds)
    mirrored = config.mirror_views and epoch // config.views % 2 == 1
    return Epoch(order, targets, views, view_set, mirrored, generator)


def class_weights(targets: torch.Tensor, power: float) -> torch.Tensor:
    """Weigh each class by its frequency to the power of ``-power``.

    Args:
        targets: (N, 8) target distributions of the training images.
        power: 0 leaves the classes as they are, 1 makes all of them count alike.

    Returns:
        (8,) weights, 1 on average over the training images; 0 for a class that never occurs.
    """
    frequency = targets.mean(dim=0)
    weights = torch.where(frequency > 0, frequency.clamp_min(1e-12) ** -power, 0.0)
    return weights / (frequency * weights).sum()
