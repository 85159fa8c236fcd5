"""Teachers: trained networks whose probabilities on the very same view the student learns from.

Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent": teacher and student see one
and the same augmented image, mixing included, for many epochs.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ferlib.learning.checkpoints import Checkpoint
from ferlib.learning.transforms import Preprocessing


class Teachers(nn.Module):
    """One or several networks whose log-probabilities are averaged and softened.

    Args:
        checkpoints: the teachers; their equalisation must be the student's, since both see the same pixels.
        temperature: above 1 the probabilities become softer (Hinton et al. 2015).
        preprocessing: the student's.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], temperature: float, preprocessing: Preprocessing) -> None:
        super().__init__()
        for one in checkpoints:
            if one.preprocessing.equalise != preprocessing.equalise:
                raise ValueError(
                    f"the teacher {one.name!r} was trained with equalisation {one.preprocessing.equalise!r}, the "
                    f"student uses {preprocessing.equalise!r}"
                )
        self.networks = nn.ModuleList(one.model.eval() for one in checkpoints)
        self.preprocessings = [one.preprocessing for one in checkpoints]
        self.temperature = temperature

    @torch.inference_mode()
    def forward(self, views: torch.Tensor) -> torch.Tensor:
        """(N, 8) softened mean probabilities for (N, 1, S, S) views with intensities in 0..1."""
        logs = []
        for network, pre in zip(self.networks, self.preprocessings, strict=True):
            sized = views
            if views.shape[-1] != pre.size:
                sized = F.interpolate(views, (pre.size, pre.size), mode="bilinear", antialias=True, align_corners=False)
            logits = network(pre.normalise(sized).contiguous(memory_format=torch.channels_last))
            logs.append(F.log_softmax(logits / self.temperature, dim=1))
        return torch.stack(logs).mean(dim=0).softmax(dim=1)


def distillation_loss(logits: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Kullback-Leibler divergence of the softened student from the softened teacher, times temperature squared.

    The factor keeps the gradients' size independent of the temperature (Hinton et al. 2015). Mean over the batch.
    """
    student = F.log_softmax(logits / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2
