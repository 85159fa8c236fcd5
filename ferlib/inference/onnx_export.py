"""Checkpoints as ONNX graphs: grey faces in, probabilities out, checked against torch when they are made.

A graph takes ``faces`` (N, 48, 48) uint8 and gives ``probabilities`` and ``logits``, (N, 8) float32 each, or (N, 15)
for a network that answers both questions (`models.questions`): resizing, normalisation, network, temperature and
softmax are inside. Faces of H x W pixels need two more inputs, whose defaults
are those of 48 pixels: ``rows`` (S, H) and ``columns`` (W, S), the matrices of `preprocessing.resampling_matrix`, where
S is the network's own size. Histogram equalisation has no ONNX operator; a model that asks for it needs its faces
equalised first, as the metadata's ``preprocessing`` says.
"""

import io
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.inference.deployed import DeployedNet
from ferlib.inference.graphs import graph_identity, graph_path, read_or_make_graph
from ferlib.inference.sessions import RESAMPLING
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.preprocessing import FACE_SIZE, equalise
from ferlib.models.questions import QuestionRule
from ferlib.packages import need

TOLERANCE = 1e-4
"""Largest difference from torch's probabilities that a graph may show on the faces it is checked with."""

OPSET = 20
"""ONNX operator set: the first with GELU as one operator, which ONNX Runtime has had since 1.17."""


def need_onnx() -> ModuleType:
    """Import the package onnx, which is needed only to make graphs.

    Raises:
        FerlibError: it is missing.
    """
    return need("onnx", "an exported graph", "train")


def metadata(graph: bytes) -> dict[str, str] | None:
    """Read a graph's metadata.

    Args:
        graph: bytes of the graph.

    Returns:
        The metadata; None for bytes that are no ONNX model, or only part of one.
    """
    onnx = need_onnx()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(graph)
    except DecodeError:
        return None
    return {entry.key: entry.value for entry in model.metadata_props}


def export_graph(checkpoint: Checkpoint) -> bytes:
    """Export a checkpoint as an ONNX graph in single precision and compare it with torch.

    Args:
        checkpoint: the network and its sidecar.

    Returns:
        The bytes of the graph.

    Raises:
        FerlibError: torch cannot write the network as ONNX, or the graph's probabilities differ by more than 1e-4.
    """
    onnx = need_onnx()
    rule = QuestionRule.of(checkpoint.about, checkpoint.temperature)
    net = DeployedNet(checkpoint.model, checkpoint.preprocessing, rule, FACE_SIZE).eval()
    model = onnx.load_model_from_string(_torch_export(net, checkpoint.name))
    _name_weights_once(model)
    for name in RESAMPLING:  # defaults, so that whoever gives faces of `FACE_SIZE` gives nothing else
        model.graph.initializer.append(onnx.numpy_helper.from_array(getattr(net, name).numpy(), name))
    onnx.helper.set_model_props(model, graph_identity(checkpoint.about))
    content = model.SerializeToString()
    difference = largest_difference(checkpoint, content)
    if not difference <= TOLERANCE:
        raise FerlibError(
            f"the ONNX graph of {checkpoint.name!r} differs from torch by {difference:.1e} (at most {TOLERANCE:.0e} is "
            "allowed); use the engine 'torch', and please report it."
        )
    return content


def _torch_export(net: DeployedNet, name: str) -> bytes:
    """Run torch's older exporter: it needs no further package and takes a fifth of the newer one's time.

    Its names of nodes and tensors also stay the same from run to run, which the calibration ranges need.
    """
    target = io.BytesIO()
    faces = torch.zeros(2, FACE_SIZE, FACE_SIZE, dtype=torch.uint8)
    batch = {0: "faces"}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that it is the older one, and that shapes are constants
            torch.onnx.export(
                net, (faces, *(getattr(net, name) for name in RESAMPLING)),
                target,  # type: ignore[arg-type]  # the older exporter takes open files; torch types paths only
                dynamo=False, opset_version=OPSET, input_names=["faces", *RESAMPLING],
                output_names=["probabilities", "logits"],
                dynamic_axes={
                    "faces": {0: "faces", 1: "height", 2: "width"}, "rows": {1: "height"}, "columns": {0: "width"},
                    "probabilities": batch, "logits": batch,
                },
            )  # fmt: skip
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FerlibError(f"the model {name!r} cannot be written as ONNX ({first}); use the engine 'torch'.") from error
    return target.getvalue()


def _name_weights_once(model: Any) -> None:
    """Give equal weights one name: torch's exporter gives them several by way of "identity" operators.

    The quantiser would take those for activations.
    """
    weights = {constant.name for constant in model.graph.initializer}
    copies = [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]
    names = {node.output[0]: node.input[0] for node in copies}
    for node in copies:
        model.graph.node.remove(node)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def checking_faces(count: int = 12) -> np.ndarray:
    """Draw the faces on which graphs are compared: drawn ones, then noise, black and white.

    Args:
        count: number of faces, at least 4.

    Returns:
        (count, 48, 48) uint8.
    """
    from ferlib.data.drawn.dataset import draw_faces

    drawn = draw_faces([index % len(EMOTIONS) for index in range(count - 3)], seed=0, size=FACE_SIZE)
    noise = np.random.default_rng(0).integers(0, 256, (1, FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    return np.concatenate([drawn, noise, np.zeros_like(noise), np.full_like(noise, 255)])


def largest_difference(checkpoint: Checkpoint, graph: bytes, faces: np.ndarray | None = None) -> float:
    """Measure how far a graph's probabilities are from torch's, in batches of one and of many.

    Args:
        checkpoint: the network and its sidecar.
        graph: bytes of its graph.
        faces: (N, 48, 48) uint8, N at least 2; None for `checking_faces`.

    Returns:
        The largest difference of any probability; infinity when the graph gives numbers that are not finite.
    """
    from ferlib.inference.classifier import Classifier
    from ferlib.inference.sessions import OnnxSession

    faces = checking_faces() if faces is None else faces
    answers = Classifier(checkpoint).answer(faces)
    expected = answers.seen if answers.meant is None else np.concatenate([answers.seen, answers.meant], axis=1)
    images = equalise(faces, checkpoint.preprocessing.equalise)
    session = OnnxSession(graph, threads=1)
    probabilities = np.concatenate([session.run(part, "probabilities") for part in (images[:1], images[1:])])
    return float(np.abs(probabilities - expected).max()) if np.isfinite(probabilities).all() else float("inf")


def load_graph(about: dict, load: Callable[[], Checkpoint]) -> bytes:
    """Read the graph of a checkpoint from its file, or make it now and store it there.

    Args:
        about: sidecar of the checkpoint.
        load: loads the checkpoint; it is called when the file is missing, damaged, or was made from something else.

    Returns:
        The graph in single precision, complete in itself.

    Raises:
        FerlibError: it cannot be made; the package onnx is missing.
    """
    return read_or_make_graph(graph_path(about), graph_identity(about), lambda: export_graph(load()))
