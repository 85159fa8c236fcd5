"""Loading of classifiers by name or file, on the engine that is asked for or the fastest that works."""

import logging
from functools import partial
from pathlib import Path

from ferlib.errors import FerlibError
from ferlib.inference import graphs
from ferlib.inference.classifier import Classifier, GraphClassifier
from ferlib.inference.sessions import OnnxSession, OpenVinoSession
from ferlib.models import checkpoints
from ferlib.models.questions import QuestionRule
from ferlib.parallel import default_threads

ENGINES = ("onnx", "int8", "openvino", "torch")
"""Engines that run a classifier.

"onnx": ONNX Runtime, single precision. "int8": the same with 8-bit weights and activations, for checkpoints that
``ferlib export --int8`` has found to keep their accuracy. "openvino": OpenVINO, single precision (extra ``openvino``).
"torch": the network as it was trained, from which all published numbers come (extra ``train``)."""

_log = logging.getLogger(__name__)
_warned: set[str] = set()  # names of checkpoints whose fallback to torch was reported


def load_classifier(
    name: str | Path | None = None, engine: str | None = None, threads: int | None = None, question: str | None = None
) -> Classifier | GraphClassifier:
    """Load a trained classifier; never uses the network.

    The shipped model comes with its graph. The first call for another checkpoint makes its graph
    (`inference.onnx_export`, extra ``train``), which takes some seconds; later ones read it.

    Args:
        name: name of a checkpoint, or the path of a ``.safetensors`` file beside its sidecar; None: the shipped one.
        engine: one of `ENGINES`. None takes ONNX Runtime, which is the fastest for single faces on a CPU, and torch,
            with one warning in the log, where that is impossible. An engine that is named and cannot be had is an
            error.
        threads: threads that share one batch; None: one a core, or as many as ``OMP_NUM_THREADS`` says. With the
            engine torch it sets torch's own number, which holds for the whole process.
        question: "seen" (what people see in the face), "meant" (what it was meant to show) or "both", a blend of the
            two; None for the model's own default.

    Raises:
        FerlibError: there is no such checkpoint, engine or question, or it is damaged or cannot be had.

    Examples:
        >>> import ferlib, numpy as np
        >>> ferlib.load_classifier().predict_proba(np.zeros((2, 48, 48), np.uint8)).shape
        (2, 8)
    """
    if engine not in (None, *ENGINES):
        raise FerlibError(f"there is no engine {engine!r}; choose one of {', '.join(ENGINES)}.")
    if threads is not None and threads < 1:
        raise FerlibError(f"threads must be at least 1, not {threads}.")
    if engine != "torch":
        about, weights = checkpoints.describe(name)
        QuestionRule.of(about).check(about["name"], question)
        try:
            return _load_graph_classifier(about, weights, engine or "onnx", threads or default_threads(), question)
        except FerlibError as error:
            if engine is not None:
                raise
            _warn_once(about["name"], error)
    network = checkpoints.load(name)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return Classifier(network, question)


def _load_graph_classifier(
    about: dict, weights: Path, engine: str, threads: int, question: str | None
) -> GraphClassifier:
    """Load a classifier on one of the engines that run a graph."""
    graph = _int8_graph(about, weights) if engine == "int8" else _float32_graph(about, weights)
    session = OpenVinoSession(graph, threads) if engine == "openvino" else OnnxSession(graph, threads)
    return GraphClassifier(about, session, engine, question)


def _float32_graph(about: dict, weights: Path) -> bytes | Path:
    """Find the graph in single precision, or make it, for which torch is needed."""
    path = graphs.find_graph(graphs.graph_identity(about), about)
    if path is not None:
        return path
    load = partial(checkpoints.load, weights)
    network = load()  # says in one sentence what is missing, before the exporter is imported
    from ferlib.inference import onnx_export

    return onnx_export.load_graph(about, lambda: network)


def _int8_graph(about: dict, weights: Path) -> bytes | Path:
    """Find the graph in 8 bits, or make it."""
    from ferlib.inference import int8

    path = graphs.find_graph(int8.int8_identity(about, int8.read_ranges(about, weights)), about)
    return path if path is not None else int8.load_int8_graph(about, partial(checkpoints.load, weights), weights)


def _warn_once(name: str, error: FerlibError) -> None:
    """Log the fallback; a program that loads the same model again and again hears of it once."""
    if name not in _warned:
        _warned.add(name)
        _log.warning("%s runs in torch, which is slower: %s", name, error)
