"""Classifiers, from faces to probabilities: one on an exported graph and one in torch, with the same interface."""

from typing import TYPE_CHECKING

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.inference.sessions import Session
from ferlib.models.preprocessing import Preprocessing, equalise, to_grey

if TYPE_CHECKING:
    from ferlib.models.checkpoints import Checkpoint


class Classifier:
    """A trained network in torch, with its preprocessing and temperature.

    Args:
        checkpoint: the network and its sidecar.

    Attributes:
        name: name of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: steps that each face goes through.
        threshold: smallest confidence of an answer; below it the answer is "not sure". It was chosen on valid
            (`calibration.choose_threshold`); 0 when none was.
        about: the checkpoint's sidecar.
        engine: engine that runs it, one of `loading.ENGINES`.
    """

    engine = "torch"

    def __init__(self, checkpoint: "Checkpoint") -> None:
        self.name = checkpoint.name
        self.classes = EMOTIONS
        self.preprocessing = checkpoint.preprocessing
        self.threshold = checkpoint.threshold
        self.about = checkpoint.about
        self._model, self._temperature = checkpoint.model, checkpoint.temperature

    def predict_proba(self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True) -> np.ndarray:
        """Compute the class probabilities of faces.

        Args:
            faces: (N, H, W) grey or (N, H, W, 3) RGB, uint8, cropped as `faces.cropping.crop_face` does.
            batch_size: faces in one forward pass.
            calibrated: divide the logits by the checkpoint's temperature; if false, the network's own probabilities.

        Returns:
            (N, 8) float32 in class order, rows sum to 1.

        Raises:
            ValueError: another shape or type.

        Examples:
            >>> classifier = ferlib.load_classifier(engine="torch")
            >>> classifier.predict_proba(np.zeros((1, 48, 48), np.uint8)).shape
            (1, 8)
        """
        import torch

        faces = np.asarray(faces)
        temperature = self._temperature if calibrated else 1.0
        parts = [np.zeros((0, len(EMOTIONS)), np.float32)]
        with torch.inference_mode():
            for start in range(0, max(len(faces), 1), batch_size):
                images = self.preprocessing(faces[start : start + batch_size])
                if len(images):
                    logits = self._model(images.contiguous(memory_format=torch.channels_last)) / temperature
                    parts.append(logits.softmax(dim=1).numpy())
        return np.concatenate(parts)


class GraphClassifier:
    """A checkpoint's graph with the interface of `Classifier`; it needs no torch.

    Args:
        about: the sidecar of the checkpoint.
        session: its graph, ready to run.
        engine: one of `loading.ENGINES`, for people to read.

    Attributes:
        name: name of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: steps that each face goes through.
        threshold: see `Classifier`.
        about: the checkpoint's sidecar.
        engine: engine that runs it.
    """

    def __init__(self, about: dict, session: Session, engine: str) -> None:
        self.name, self.about, self.engine = about["name"], about, engine
        self.classes = EMOTIONS
        self.preprocessing = Preprocessing(**about["preprocessing"])
        self.threshold = float(about.get("threshold", 0.0))
        self._session = session

    def predict_proba(self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True) -> np.ndarray:
        """Compute the class probabilities of faces.

        Args:
            faces: as `Classifier.predict_proba` takes them.
            batch_size: faces in one run of the graph.
            calibrated: as in `Classifier.predict_proba`.

        Returns:
            (N, 8) float32 in class order, rows sum to 1.

        Raises:
            ValueError: another shape or type.
        """
        grey = to_grey(faces)
        if not len(grey):
            return np.zeros((0, len(EMOTIONS)), np.float32)
        images = np.ascontiguousarray(equalise(grey, self.preprocessing.equalise))
        output = "probabilities" if calibrated else "logits"
        parts = [self._session.run(images[at : at + batch_size], output) for at in range(0, len(images), batch_size)]
        scores = np.concatenate(parts)
        return scores if calibrated else _softmax(scores)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
