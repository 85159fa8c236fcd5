"""Teachers: trained networks whose probabilities on the very same view the student learns from.

Beyer et al. 2022, "Knowledge distillation: a good teacher is patient and consistent": teacher and student see one
and the same augmented image for many epochs. Each network sees the view rendered from the original at its own size.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.models.checkpoints import Checkpoint
from ferlib.training.augmentation import Views, render
from ferlib.training.config import TrainConfig

_BATCH = 32  # larger ones leave the processor's cache: 189 pictures a second became 105 with 256


class Teachers(nn.Module):
    """One or several networks whose log-probabilities are averaged and softened.

    Args:
        checkpoints: the teachers; their equalisation must be the student's, since all see the same pixels.
        config: the student's settings, whose `distill_temperature` softens the probabilities (Hinton et al. 2015).
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], config: TrainConfig) -> None:
        super().__init__()
        equalise = config.preprocessing.equalise
        for one in checkpoints:
            if one.preprocessing.equalise != equalise:
                raise FerlibError(
                    f"the teacher {one.name!r} was trained with equalisation {one.preprocessing.equalise!r}, the "
                    f"student uses {equalise!r}; choose one for both."
                )
        self.networks = nn.ModuleList(one.model.eval() for one in checkpoints)
        self.checkpoints = list(checkpoints)
        self.temperature = config.distill_temperature

    def __bool__(self) -> bool:
        return bool(self.checkpoints)

    def forward(self, grey: torch.Tensor, views: Views) -> torch.Tensor:
        """(N, 8) softened mean probabilities for (N, H, W) uint8 images seen through `views`."""
        return self.soften(torch.stack([self.logits(k, grey, views) for k in range(len(self.networks))]))

    @torch.no_grad()
    def logits(self, teacher: int, grey: torch.Tensor, views: Views) -> torch.Tensor:
        """(N, 8) logits of one teacher."""
        pre = self.checkpoints[teacher].preprocessing
        images = pre.normalise(render(grey, views, pre.size)).contiguous(memory_format=torch.channels_last)
        return self.networks[teacher](images)

    def soften(self, logits: torch.Tensor) -> torch.Tensor:
        """(N, 8) probabilities from the teachers' (T, N, 8) logits: their geometric mean, softened."""
        return F.log_softmax(logits / self.temperature, dim=2).mean(dim=0).softmax(dim=1)


class AnswerBook:
    """The teachers' answers to a fixed set of views, asked once and kept on disk.

    A file holds one teacher's half-precision logits for one view of each training image. Its name depends on the
    teacher's weights, the data, the training images and the views, so that runs share what they have in common
    and never mix what differs.

    Args:
        teachers: whom to ask.
        images: (N, H, W) uint8 training images.
        content_hash: of the data.
        folder: where the files are.
    """

    def __init__(self, teachers: Teachers, images: torch.Tensor, content_hash: str, folder: Path) -> None:
        self.teachers, self.images, self.folder = teachers, images, folder
        pixels = hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest()
        self.keys = [[content_hash, pixels, _digest(one)] for one in teachers.checkpoints]

    def answers(self, number: int, views: Views) -> torch.Tensor:
        """(N, 8) softened probabilities for the views of every image, which have this number among those kept."""
        stacked = [self._logits(teacher, number, views) for teacher in range(len(self.keys))]
        return self.teachers.soften(torch.stack(stacked))

    def _logits(self, teacher: int, number: int, views: Views) -> torch.Tensor:
        parts = (views.geometry, views.light, views.patch, views.noise)
        drawn = hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts))
        key = hashlib.sha256(json.dumps([*self.keys[teacher], drawn.hexdigest()]).encode()).hexdigest()[:16]
        path = self.folder / f"teacher-{self.teachers.checkpoints[teacher].name}-{number:02d}-{key}.npy"
        if not path.is_file():
            batches = torch.arange(len(self.images)).split(_BATCH)
            found = [self.teachers.logits(teacher, self.images[batch], views[batch]).cpu() for batch in batches]
            with atomic_path(path) as temporary:
                np.save(temporary, torch.cat(found).half().numpy())
        return torch.from_numpy(np.load(path)).float()


def _digest(teacher: Checkpoint) -> str:
    """Hash of a teacher's weights and of what its faces go through."""
    found = hashlib.sha256(json.dumps(teacher.preprocessing.to_dict(), sort_keys=True).encode())
    for name, value in teacher.model.state_dict().items():
        found.update(name.encode() + value.cpu().numpy().tobytes())
    return found.hexdigest()


def distillation_loss(logits: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Kullback-Leibler divergence of the softened student from the softened teacher, times temperature squared.

    The factor keeps the gradients' size independent of the temperature (Hinton et al. 2015). Mean over the batch.
    """
    student = F.log_softmax(logits / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean") * temperature**2
