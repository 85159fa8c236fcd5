"""Scores on valid while a network trains, for each question that it answers."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from ferlib.models.preprocessing import Preprocessing, resize
from ferlib.models.questions import columns
from ferlib.training.batches import TrainingSet
from ferlib.training.run_files import MEANT_COLUMN


@torch.inference_mode()
def predict_logits(
    model: nn.Module, grey: torch.Tensor, preprocessing: Preprocessing, batch_size: int = 256
) -> torch.Tensor:
    """Predict the logits of images that are already equalised; the model is set to eval.

    Args:
        model: the network.
        grey: (N, H, W) uint8 images.
        preprocessing: size and normalisation of the input.
        batch_size: images at once.

    Returns:
        (N, K) float32 on the CPU; (0, 8) for no image.
    """
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for batch in grey.split(batch_size):
        images = preprocessing.normalise(resize(batch.to(device), preprocessing.size))
        parts.append(model(images.contiguous(memory_format=torch.channels_last)).float().cpu())
    return torch.cat(parts) if len(grey) else torch.zeros(0, 8)


class ValidScores(NamedTuple):
    """Scores of a network on valid.

    Attributes:
        loss: mean cross-entropy of "seen" against the majority labels.
        accuracy: of "seen", 0..1.
        meant_accuracy: of "meant", 0..1; None for a network that does not answer it.
    """

    loss: float
    accuracy: float
    meant_accuracy: float | None = None

    @property
    def criterion(self) -> float:
        """Mean of the accuracies, by which the best epoch is chosen."""
        return self.accuracy if self.meant_accuracy is None else (self.accuracy + self.meant_accuracy) / 2

    def meant_entry(self) -> dict[str, float]:
        """Entry of a history's row for "meant"; empty for a network that does not answer it."""
        return {} if self.meant_accuracy is None else {MEANT_COLUMN: self.meant_accuracy}


def valid_scores(model: nn.Module, data: TrainingSet, preprocessing: Preprocessing) -> ValidScores:
    """Score a network on valid.

    Args:
        model: the network; it is set to eval.
        data: the validation images and their labels.
        preprocessing: size and normalisation of the input.
    """
    logits = predict_logits(model, data.valid_images, preprocessing)
    seen, labelled = logits[:, columns("seen")], data.valid_labels >= 0
    probabilities, labels = seen[labelled].softmax(dim=1), data.valid_labels[labelled]
    loss = F.nll_loss(probabilities.clamp_min(1e-12).log(), labels).item()
    meant, known = logits[:, columns("meant")], data.valid_meant >= 0
    return ValidScores(
        loss,
        (probabilities.argmax(dim=1) == labels).double().mean().item(),
        (meant[known].argmax(dim=1) == data.valid_meant[known]).double().mean().item() if meant.shape[1] else None,
    )
