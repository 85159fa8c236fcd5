"""Checkpoints as ONNX graphs: grey faces in, probabilities out, checked against torch when they are made.

A graph takes ``faces`` (N, 48, 48) uint8 and gives ``probabilities`` and ``logits``, (N, 8) float32 each: resizing,
normalisation, network, temperature and softmax are inside. Histogram equalisation has no ONNX operator; a model that
asks for it needs its faces equalised first, as the metadata's ``preprocessing`` says.

Graphs are made on first use and kept in `data/processed/graphs`, outside of git: they follow from the checkpoint, and
would double what the repository weighs. Each carries in its metadata what it was made from; another one is made anew.
"""

import io
import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.inference.deployed import DeployedNet
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.preprocessing import FACE_SIZE, equalise

LAYOUT = "1"
"""Of the graph: inputs, outputs and how the network is rewritten. Graphs of another layout are made anew."""


TOLERANCE = 1e-4
"""Largest difference from torch's probabilities that a graph may show on the faces it is checked with."""

OPSET = 20
"""ONNX operator set: the first with GELU as one operator, which ONNX Runtime has had since 1.17."""


def identity(about: dict) -> dict[str, str]:
    """What decides a graph's content, from a checkpoint's sidecar; it is stored in the graph's metadata."""
    return {
        "name": str(about["name"]), "weights_sha256": str(about["weights_sha256"]), "layout": LAYOUT,
        "classes": json.dumps(list(EMOTIONS)), "temperature": json.dumps(about["temperature"]),
        "preprocessing": json.dumps(about["preprocessing"]), "precision": "float32",
    }  # fmt: skip


def graph_path(about: dict, precision: str = "float32") -> Path:
    """Where the graph of a checkpoint lies, made or not; the weights' hash is in the name."""
    ending = "" if precision == "float32" else f"-{precision}"
    return paths.PROCESSED / "graphs" / f"{about['name']}-{about['weights_sha256'][:12]}{ending}.onnx"


def need_onnx() -> ModuleType:
    """The package onnx, which is imported late because torch's users do not need it.

    Raises:
        FerlibError: it is missing.
    """
    try:
        import onnx
    except ImportError as error:
        raise FerlibError("an exported graph needs the package onnx; install it (pip install onnx).") from error
    return onnx


def metadata(graph: bytes) -> dict[str, str] | None:
    """What a graph says of itself; None for bytes that are no ONNX model, or only part of one."""
    onnx = need_onnx()
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(graph)
    except DecodeError:
        return None
    return {entry.key: entry.value for entry in model.metadata_props}


def export_graph(checkpoint: Checkpoint) -> bytes:
    """The ONNX graph of a checkpoint in single precision, checked.

    Raises:
        FerlibError: torch cannot write the network as ONNX, or the graph's probabilities differ by more than 1e-4.
    """
    onnx = need_onnx()
    faces = torch.zeros(2, FACE_SIZE, FACE_SIZE, dtype=torch.uint8)
    net = DeployedNet(checkpoint.model, checkpoint.preprocessing, checkpoint.temperature, FACE_SIZE).eval()
    model = onnx.load_model_from_string(_torch_export(net, faces, checkpoint.name))
    _name_weights_once(model)
    onnx.helper.set_model_props(model, identity(checkpoint.about))
    content = model.SerializeToString()
    difference = largest_difference(checkpoint, content)
    if not difference <= TOLERANCE:
        raise FerlibError(
            f"the ONNX graph of {checkpoint.name!r} differs from torch by {difference:.1e} (at most {TOLERANCE:.0e} is "
            "allowed); use the engine 'torch', and please report it."
        )
    return content


def _torch_export(net: nn.Module, faces: torch.Tensor, name: str) -> bytes:
    """Torch's older exporter: it needs no further package, takes a fifth of the newer one's time, and is in torch 2.x.

    Its names of nodes and tensors also stay the same from run to run, which the calibration ranges need.
    """
    target = io.BytesIO()
    batch = {0: "faces"}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # that it is the older one, and that shapes are constants
            torch.onnx.export(
                net, (faces,),
                target,  # type: ignore[arg-type]  # the older exporter takes open files; torch types paths only
                dynamo=False, opset_version=OPSET, input_names=["faces"],
                output_names=["probabilities", "logits"],
                dynamic_axes={"faces": batch, "probabilities": batch, "logits": batch},
            )  # fmt: skip
    except Exception as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FerlibError(f"the model {name!r} cannot be written as ONNX ({first}); use the engine 'torch'.") from error
    return target.getvalue()


def _name_weights_once(model: Any) -> None:
    """Let equal weights be used under one name: torch's exporter gives them others by way of "identity" operators.

    The quantiser would take those for activations.
    """
    weights = {one.name for one in model.graph.initializer}
    copies = [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]
    names = {node.output[0]: node.input[0] for node in copies}
    for node in copies:
        model.graph.node.remove(node)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def checking_faces(count: int = 12) -> np.ndarray:
    """(N, 48, 48) uint8 on which graphs are compared: drawn faces, and noise, black and white."""
    from ferlib.data.drawn.dataset import draw_faces

    drawn = draw_faces([index % len(EMOTIONS) for index in range(count - 3)], seed=0, size=FACE_SIZE)
    noise = np.random.default_rng(0).integers(0, 256, (1, FACE_SIZE, FACE_SIZE), dtype=np.uint8)
    return np.concatenate([drawn, noise, np.zeros_like(noise), np.full_like(noise, 255)])


def largest_difference(checkpoint: Checkpoint, graph: bytes, faces: np.ndarray | None = None) -> float:
    """The largest difference of any probability of a graph from torch's; batches of one and of many are compared."""
    from ferlib.inference.classifier import Classifier
    from ferlib.inference.sessions import OnnxSession

    faces = checking_faces() if faces is None else faces
    wanted = Classifier(checkpoint).predict_proba(faces)
    seen = equalise(faces, checkpoint.preprocessing.equalise)
    session = OnnxSession(graph, threads=1)
    found = np.concatenate([session.run(part, "probabilities") for part in (seen[:1], seen[1:])])
    return float(np.abs(found - wanted).max()) if np.isfinite(found).all() else float("inf")


def load_graph(about: dict, load: Callable[[], Checkpoint]) -> bytes:
    """The graph of a checkpoint from its file, or made now and kept there.

    Args:
        about: the sidecar.
        load: gives the checkpoint; it is called when the file is missing, cut short, or was made from something else.

    Raises:
        FerlibError: it cannot be made; the package onnx is missing.
    """
    return kept(graph_path(about), identity(about), lambda: export_graph(load()))


def kept(path: Path, wanted: dict[str, str], make: Callable[[], bytes]) -> bytes:
    """The graph in a file if its metadata are those `wanted`, else a new one, which replaces the file.

    Where no file can be written (a read-only installation) the graph is made each time.
    """
    with suppress(OSError):
        content = path.read_bytes()
        if metadata(content) == wanted:
            return content
    content = make()
    with suppress(OSError), atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return content
