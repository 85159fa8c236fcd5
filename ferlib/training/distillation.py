"""Teachers: trained networks from whose probabilities for the very same view the student learns.

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
from ferlib.models.questions import columns
from ferlib.models.temperature import fit_temperature
from ferlib.training.augmentation import Views, render_views
from ferlib.training.config import TrainConfig

_FACES_AT_ONCE = 32  # larger ones leave the processor's cache: 189 pictures a second became 105 with 256


class Teachers(nn.Module):
    """One or several networks whose log-probabilities are averaged and softened, for each question by itself.

    A teacher that was trained with logit adjustment has the offsets in its sidecar (``"logit_offsets"``); they are
    added, so that all teachers speak of the frequencies of the training data. A question that the student answers and
    no teacher does has probabilities of 0. After `calibrate`, each teacher's logits are first divided by its own
    temperature, so that one that is too sure of itself does not teach that.

    Args:
        checkpoints: the teachers; their equalisation must be the student's, since all see the same pixels.
        config: the student's settings; its `distill_temperature` softens the probabilities (Hinton et al. 2015).

    Raises:
        FerlibError: a teacher was trained with another equalisation than the student.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], config: TrainConfig) -> None:
        super().__init__()
        equalise = config.preprocessing.equalise
        for teacher in checkpoints:
            if teacher.preprocessing.equalise != equalise:
                raise FerlibError(
                    f"the teacher {teacher.name!r} was trained with equalisation {teacher.preprocessing.equalise!r}, "
                    f"the student uses {equalise!r}; choose one for both."
                )
        self.networks = nn.ModuleList(teacher.model.eval() for teacher in checkpoints)
        self.checkpoints = list(checkpoints)
        self.temperature = config.distill_temperature
        self.own_temperatures = [dict.fromkeys(config.questions, 1.0) for _ in checkpoints]
        self.questions = config.questions

    def __bool__(self) -> bool:
        return bool(self.checkpoints)

    def forward(self, grey: torch.Tensor, views: Views) -> torch.Tensor:
        """Predict (N, K) softened mean probabilities for (N, H, W) uint8 images seen through N views."""
        return self.soften([self.logits(index, grey, views) for index in range(len(self.networks))])

    @torch.no_grad()
    def logits(self, teacher: int, grey: torch.Tensor, views: Views) -> torch.Tensor:
        """Compute the logits of one teacher.

        Args:
            teacher: index of the teacher.
            grey: (N, H, W) uint8 images.
            views: N views through which the images are seen.

        Returns:
            (N, 8) or (N, 15) logits, one part for each question that the teacher answers.
        """
        checkpoint = self.checkpoints[teacher]
        images = checkpoint.preprocessing.normalise(render_views(grey, views, checkpoint.preprocessing.size))
        logits = self.networks[teacher](images.contiguous(memory_format=torch.channels_last))
        offsets = checkpoint.about.get("logit_offsets")
        return logits if offsets is None else logits + torch.tensor(offsets, device=logits.device)

    def soften(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """Average the teachers' probabilities: their geometric mean, softened.

        Args:
            logits: of each teacher, (N, 8) or (N, 15).

        Returns:
            (N, K) probabilities of the student's questions.
        """
        parts = []
        for question in self.questions:
            place = columns(question)
            answers = [
                row[:, place] / own[question]
                for row, own in zip(logits, self.own_temperatures, strict=True)
                if row.shape[1] >= place.stop
            ]
            if answers:
                softened = torch.stack([F.log_softmax(answer / self.temperature, dim=1) for answer in answers])
                parts.append(softened.mean(dim=0).softmax(dim=1))
            else:
                parts.append(logits[0].new_zeros(len(logits[0]), place.stop - place.start))
        return torch.cat(parts, dim=1)

    def calibrate(self, logits: Sequence[torch.Tensor], labels: dict[str, torch.Tensor]) -> None:
        """Fit each teacher's own temperature for each question that it answers, on images of valid.

        Args:
            logits: of each teacher, (M, 8) or (M, 15) for the images as they are.
            labels: (M,) labels of each question, -1 for none.
        """
        for row, own in zip(logits, self.own_temperatures, strict=True):
            for question in self.questions:
                place = columns(question)
                if row.shape[1] >= place.stop:
                    probabilities = row[:, place].double().softmax(dim=1).cpu().numpy()
                    own[question] = fit_temperature(probabilities, labels[question].cpu().numpy())


class TeacherLogits:
    """Logits of the teachers for views that come back, computed once and kept on disk.

    A file holds one teacher's half-precision logits for one view of each training image. Its name depends on the
    teacher's weights, the data, the training images and the views, so that runs share the files that they have in
    common and never mix others.

    Args:
        teachers: networks that compute the logits.
        images: (N, H, W) uint8 training images.
        content_hash: hash of the data set.
        folder: folder of the files.
    """

    def __init__(self, teachers: Teachers, images: torch.Tensor, content_hash: str, folder: Path) -> None:
        self.teachers, self.images, self.folder = teachers, images, folder
        pixels = hashlib.sha256(images.cpu().numpy().tobytes()).hexdigest()
        self.keys = [[content_hash, pixels, _teacher_digest(teacher)] for teacher in teachers.checkpoints]

    def probabilities(self, view_set: int, views: Views) -> torch.Tensor:
        """Compute the softened probabilities of the teachers, from stored logits where there are some.

        Args:
            view_set: number of the views among those that come back.
            views: one view of each training image.

        Returns:
            (N, K) probabilities on the CPU.
        """
        return self.teachers.soften(self.all_logits(view_set, views))

    def all_logits(self, view_set: int, views: Views) -> list[torch.Tensor]:
        """Compute the logits of each teacher, (N, 8) or (N, 15), or read them.

        Args:
            view_set: number of the views, part of the files' names.
            views: one view of each image.
        """
        return [self._logits(teacher, view_set, views) for teacher in range(len(self.keys))]

    def _logits(self, teacher: int, view_set: int, views: Views) -> torch.Tensor:
        *parts, blur, grain = views.parts()
        parts += [part for part in (blur, grain) if part.any()]  # views without them keep the names of their files
        views_digest = hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest()
        key = hashlib.sha256(json.dumps([*self.keys[teacher], views_digest]).encode()).hexdigest()[:16]
        path = self.folder / f"teacher-{self.teachers.checkpoints[teacher].name}-{view_set:02d}-{key}.npy"
        if not path.is_file():
            batches = torch.arange(len(self.images)).split(_FACES_AT_ONCE)
            logits = [self.teachers.logits(teacher, self.images[batch], views[batch]).cpu() for batch in batches]
            with atomic_path(path) as temporary:
                np.save(temporary, torch.cat(logits).half().numpy())
        return torch.from_numpy(np.load(path)).float()


def _teacher_digest(teacher: Checkpoint) -> str:
    """SHA-256 of a teacher's weights and preprocessing, as hex digits."""
    digest = hashlib.sha256(json.dumps(teacher.preprocessing.to_dict(), sort_keys=True).encode())
    digest.update(json.dumps(teacher.about.get("logit_offsets")).encode() if "logit_offsets" in teacher.about else b"")
    for name, value in teacher.model.state_dict().items():
        digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()


def distillation_loss(logits: torch.Tensor, teacher_probabilities: torch.Tensor, temperature: float) -> torch.Tensor:
    """Kullback-Leibler divergence of the softened student from the softened teachers, times temperature squared.

    The factor keeps the gradients' size independent of the temperature (Hinton et al. 2015).

    Args:
        logits: (N, C) logits of the student for one question.
        teacher_probabilities: (N, C) probabilities that `Teachers` softened with the same temperature.
        temperature: divisor of the student's logits.

    Returns:
        Mean over the batch.
    """
    student = F.log_softmax(logits / temperature, dim=1)
    return F.kl_div(student, teacher_probabilities, reduction="batchmean") * temperature**2
