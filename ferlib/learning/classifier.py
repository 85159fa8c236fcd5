"""Faces in, probabilities out: the trained network behind one small call."""

import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.learning import checkpoints
from ferlib.learning.checkpoints import Checkpoint

if TYPE_CHECKING:
    from ferlib.learning.engines import GraphClassifier

ENGINES = ("onnx", "int8", "openvino", "torch")
"""What can run a classifier. "onnx": ONNX Runtime, single precision. "int8": the same with 8-bit weights and
activations, for checkpoints that `ferlib export --int8` has found to keep their accuracy. "openvino": OpenVINO, single
precision (extra ``openvino``). "torch": the network as it was trained, which all published numbers come from."""

_told: set[str] = set()  # names of checkpoints whose fallback to torch was told


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


def load_classifier(
    name: str | None = None, engine: str | None = None, threads: int | None = None
) -> "Classifier | GraphClassifier":
    """The trained classifier `name` from `data/checkpoints`, by default the shipped one; never uses the network.

    Args:
        name: of a checkpoint.
        engine: one of `ENGINES`. None takes ONNX Runtime, which is the fastest for single faces on a CPU, and torch,
            with one warning, where that is impossible. An engine that is named and cannot be had is an error.
        threads: that share one batch; None: as many as torch uses. With the engine torch it sets torch's own number,
            which holds for the whole process.

    The first call for a checkpoint makes its graph (`export`), which takes some seconds; later ones read it.

    Raises:
        FerlibError: there is no such checkpoint or engine, or it is damaged or cannot be had.
    """
    if engine not in (None, *ENGINES):
        raise FerlibError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    if threads is not None and threads < 1:
        raise FerlibError(f"threads must be at least 1, not {threads}.")
    if engine != "torch":
        about, _ = checkpoints.describe(name)
        try:
            return _on_graph(about, engine or "onnx", threads or torch.get_num_threads())
        except FerlibError as error:
            if engine is not None:
                raise
            _tell_once(about["name"], error)
    if threads is not None:
        torch.set_num_threads(threads)
    return Classifier(checkpoints.load(name))


def _on_graph(about: dict, engine: str, threads: int) -> "GraphClassifier":
    from ferlib.learning import engines, export, quantisation

    load = partial(checkpoints.load, about["name"])
    graph = quantisation.load_graph(about, load) if engine == "int8" else export.load_graph(about, load)
    session = (engines.OpenVinoSession if engine == "openvino" else engines.OnnxSession)(graph, threads)
    return engines.GraphClassifier(about, session, engine, lambda: Classifier(load()))


def _tell_once(name: str, error: FerlibError) -> None:
    """A program that loads the same model again and again hears of it once."""
    if name not in _told:
        _told.add(name)
        warnings.warn(f"{name} runs in torch, which is slower: {error}", RuntimeWarning, stacklevel=3)
