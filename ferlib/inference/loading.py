"""Loading a classifier: by name, on the engine that is asked for or the fastest that works."""

import warnings
from functools import partial
from typing import TYPE_CHECKING

import torch

from ferlib.errors import FerlibError
from ferlib.models import checkpoints

if TYPE_CHECKING:
    from ferlib.inference.classifier import GraphClassifier
from ferlib.inference.classifier import Classifier

ENGINES = ("onnx", "int8", "openvino", "torch")
"""What can run a classifier. "onnx": ONNX Runtime, single precision. "int8": the same with 8-bit weights and
activations, for checkpoints that `ferlib export --int8` has found to keep their accuracy. "openvino": OpenVINO, single
precision (extra ``openvino``). "torch": the network as it was trained, which all published numbers come from."""


_told: set[str] = set()  # names of checkpoints whose fallback to torch was told


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
    from ferlib.inference import classifier, int8, onnx_export, sessions

    load = partial(checkpoints.load, about["name"])
    graph = int8.load_graph(about, load) if engine == "int8" else onnx_export.load_graph(about, load)
    session = (sessions.OpenVinoSession if engine == "openvino" else sessions.OnnxSession)(graph, threads)
    return classifier.GraphClassifier(about, session, engine, lambda: Classifier(load()))


def _tell_once(name: str, error: FerlibError) -> None:
    """A program that loads the same model again and again hears of it once."""
    if name not in _told:
        _told.add(name)
        warnings.warn(f"{name} runs in torch, which is slower: {error}", RuntimeWarning, stacklevel=3)
