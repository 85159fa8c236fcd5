"""Faces in, probabilities out: the trained network behind one small call."""

import numpy as np
import torch

from ferlib.data.labels import EMOTIONS
from ferlib.learning import checkpoints
from ferlib.learning.checkpoints import Checkpoint


class Classifier:
    """A trained network with its preprocessing and temperature.

    Attributes:
        name: of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: what each face goes through.
        threshold: the least confidence at which the answer is worth giving; below it one should say "not sure". It
            was chosen on valid (`calibration.choose_threshold`); 0 when none was.
        about: the checkpoint's sidecar.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.name = checkpoint.name
        self.classes = EMOTIONS
        self.preprocessing = checkpoint.preprocessing
        self.threshold = checkpoint.threshold
        self.about = checkpoint.about
        self._model, self._temperature = checkpoint.model, checkpoint.temperature

    @torch.inference_mode()
    def predict_proba(self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True) -> np.ndarray:
        """(N, 8) float32 probabilities in class order, rows sum to 1.

        Args:
            faces: (N, H, W) grey or (N, H, W, 3) RGB, uint8, cropped like FER2013 (`live.cropping.crop_face` does it).
            batch_size: faces in one forward pass.
            calibrated: divide the logits by the checkpoint's temperature; without, the network's own probabilities.

        Raises:
            ValueError: another shape or type.
        """
        faces = np.asarray(faces)
        temperature = self._temperature if calibrated else 1.0
        parts = [np.zeros((0, len(EMOTIONS)), np.float32)]
        for start in range(0, max(len(faces), 1), batch_size):
            images = self.preprocessing(faces[start : start + batch_size])
            if len(images):
                logits = self._model(images.contiguous(memory_format=torch.channels_last)) / temperature
                parts.append(logits.softmax(dim=1).numpy())
        return np.concatenate(parts)


def load_classifier(name: str | None = None) -> Classifier:
    """The trained classifier `name` from `data/checkpoints`, by default the shipped one; never uses the network.

    Raises:
        FerlibError: there is no such checkpoint, or it is damaged.
    """
    return Classifier(checkpoints.load(name))
