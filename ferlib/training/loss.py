"""Loss of a training step: what the labels and the teachers say, for each question that the network answers."""

import torch
import torch.nn.functional as F

from ferlib.models.questions import columns
from ferlib.training.config import TrainConfig
from ferlib.training.distillation import distillation_loss


def training_loss(
    config: TrainConfig, logits: torch.Tensor, targets: torch.Tensor, teacher_probabilities: torch.Tensor,
    offsets: torch.Tensor, class_weights: torch.Tensor | None = None,
) -> torch.Tensor:  # fmt: skip
    """Compute the loss of a batch.

    For each question it is the soft cross-entropy with the labels, and with teachers `config.distill_weight` of the
    divergence from them. Both see the logits with the offsets of the logit adjustment (Menon et al. 2021).

    Args:
        config: settings of the run.
        logits: (N, K) logits of the network, K = 8 or 15.
        targets: (N, K) targets; a question's part is 0 for an image without a label, which then does not count.
        teacher_probabilities: (N, K) softened probabilities of the teachers, (N, 0) without any; 0 for a question that
            no teacher answers.
        offsets: (K,) offsets of `batches.adjustment_offsets`.
        class_weights: (8,) weights of the classes of "seen"; None for equal ones.

    Returns:
        The mean over the images that count, summed over the questions with their weights.
    """
    total = logits.new_zeros(())
    for question, weight in (("seen", 1.0), ("meant", config.meant_weight)):
        if question not in config.questions:
            continue
        place = columns(question)
        adjusted = logits[:, place] + offsets[place]
        loss = soft_cross_entropy(adjusted, targets[:, place], class_weights if question == "seen" else None)
        teachers = teacher_probabilities[:, place]
        if teachers.numel() and teachers.any():
            distilled = distillation_loss(adjusted, teachers, config.distill_temperature)
            loss = (1 - config.distill_weight) * loss + config.distill_weight * distilled
        total = total + weight * loss
    return total


def soft_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, class_weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Compute the cross-entropy with target distributions, over the images that have one.

    Args:
        logits: (N, C) logits.
        targets: (N, C) distributions; rows of 0 do not count.
        class_weights: (C,) weights; None for equal ones.

    Returns:
        The mean over the images that count; 0 when there is none.
    """
    images = targets.sum()
    return F.cross_entropy(logits, targets, class_weights, reduction="sum") / images.clamp_min(1e-6)
