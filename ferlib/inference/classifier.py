"""Faces in, probabilities out: the trained network behind one small call."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from ferlib.data.labels import EMOTIONS
from ferlib.inference.sessions import Session
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.preprocessing import FACE_SIZE, Preprocessing, equalise, to_grey

if TYPE_CHECKING:
    pass


class Classifier:
    """A trained network with its preprocessing and temperature.

    Attributes:
        name: of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: what each face goes through.
        threshold: the least confidence at which the answer is worth giving; below it one should say "not sure". It
            was chosen on valid (`calibration.choose_threshold`); 0 when none was.
        about: the checkpoint's sidecar.
        engine: what runs it, one of `ENGINES`.
    """

    engine = "torch"

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
            faces: (N, H, W) grey or (N, H, W, 3) RGB, uint8, cropped like FER2013 (`faces.cropping.crop_face` does it).
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


class GraphClassifier:
    """A checkpoint's graph with the interface of `classifier.Classifier`.

    The graph takes faces of 48 pixels, as cropping gives them. Faces of another size go through torch, so that they
    are resized once only; the network is loaded when the first of them comes.

    Args:
        about: the sidecar of the checkpoint.
        session: its graph, ready to run.
        engine: one of `classifier.ENGINES`, for people to read.
        load: gives the classifier in torch.
    """

    def __init__(self, about: dict, session: Session, engine: str, load: Callable[[], Classifier]) -> None:
        self.name, self.about, self.engine = about["name"], about, engine
        self.classes = EMOTIONS
        self.preprocessing = Preprocessing(**about["preprocessing"])
        self.threshold = float(about.get("threshold", 0.0))
        self._session, self._load = session, load
        self._torch: Classifier | None = None

    def predict_proba(self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True) -> np.ndarray:
        """(N, 8) float32 probabilities in class order, rows sum to 1; arguments as `Classifier.predict_proba` has.

        Raises:
            ValueError: another shape or type.
        """
        grey = to_grey(faces)
        if not len(grey):
            return np.zeros((0, len(EMOTIONS)), np.float32)
        if grey.shape[1:] != (FACE_SIZE, FACE_SIZE):
            self._torch = self._torch or self._load()
            return self._torch.predict_proba(grey, batch_size, calibrated=calibrated)
        seen = np.ascontiguousarray(equalise(grey, self.preprocessing.equalise))
        output = "probabilities" if calibrated else "logits"
        parts = [self._session.run(seen[at : at + batch_size], output) for at in range(0, len(seen), batch_size)]
        found = np.concatenate(parts)
        return found if calibrated else torch.from_numpy(found).softmax(dim=1).numpy()
