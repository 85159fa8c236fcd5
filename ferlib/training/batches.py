"""What an epoch of training is made of: images and targets, their order, their random views, their weights.

Nothing here can see the test split: `prepare` refuses it. Everything random depends on the seed and the epoch alone,
and is drawn for all images at once, so that a resumed run, and each of several processes, draws the same.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ferlib.data.ferplus import FerData
from ferlib.data.votes import hard_labels, targets
from ferlib.errors import FerlibError
from ferlib.models.preprocessing import equalise
from ferlib.training.augmentation import Views, draw_views
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """What `training.fit` needs of the data: equalised uint8 images and targets.

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


@dataclass(frozen=True, eq=False)
class Epoch:
    """One pass over the training images.

    Attributes:
        order: (steps, batch) int64, the images of each step.
        targets: (N, 8) float32, of each image of the training set; in the mode "probability" a label drawn from it.
        views: one view of each image of the training set.
        book: number of the views among those that come back, -1 when they are new ones.
        mirrored: whether the network sees them mirrored.
        generator: for what is drawn step by step (mixing).
    """

    order: torch.Tensor
    targets: torch.Tensor
    views: Views
    book: int
    mirrored: bool
    generator: torch.Generator


def draw_epoch(config: TrainConfig, wanted: torch.Tensor, epoch: int) -> Epoch:
    """Order, targets and views of an epoch (the first is 0) for images with the (N, 8) targets `wanted`."""
    generator = torch.Generator().manual_seed(1_000_003 * config.seed + epoch)
    count = len(wanted)
    if config.balance == "sampling":
        weights = wanted @ class_weights(wanted, config.balance_power)
        order = torch.multinomial(weights, count, replacement=True, generator=generator)
    else:
        order = torch.randperm(count, generator=generator)
    size = min(config.batch_size, count)
    order = order[: count // size * size].view(-1, size)
    targets = wanted
    if config.mode == "probability":
        labels = torch.multinomial(wanted, 1, generator=generator)
        targets = torch.zeros_like(wanted).scatter_(1, labels, 1.0)
    if not config.views:
        return Epoch(order, targets, draw_views(count, config.augmentation, generator), -1, False, generator)
    book = epoch % config.views
    views = draw_views(count, config.augmentation, torch.Generator().manual_seed(7_919 + book))  # alike for all seeds
    return Epoch(order, targets, views, book, config.mirror_views and epoch // config.views % 2 == 1, generator)


def class_weights(wanted: torch.Tensor, power: float) -> torch.Tensor:
    """(8,) weight of each class: its frequency to the power of ``-power``, 1 on average over the training images.

    A class that never occurs gets the weight 0.
    """
    frequency = wanted.mean(dim=0)
    weights = torch.where(frequency > 0, frequency.clamp_min(1e-12) ** -power, 0.0)
    return weights / (frequency * weights).sum()
