"""Graphs with 8-bit weights and activations, kept only where they cost hardly any accuracy.

Static quantisation: each activation's range is measured on training faces, once. The ranges are a small text file
beside the checkpoint (``NAME.int8.json``), from which the graph is made again on first use, as the other graphs are:
no binary that is a tenth of the weights has to be committed, and it cannot fall out of step with them. Weights are
signed with a scale a channel, activations unsigned, which is what the VNNI instructions multiply.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ferlib.errors import FerlibError
from ferlib.files import sha256, write_json
from ferlib.inference import graphs
from ferlib.models.checkpoints import Checkpoint, locate
from ferlib.models.preprocessing import equalise
from ferlib.packages import need

QUANTISED = ("Conv", "Gemm", "Relu", "Clip", "MaxPool")
"""Operators that get 8 bits. The sums of residual networks, layer norms and GELU stay in single precision."""

MAX_LOSS = 0.3
"""Percentage points of accuracy on valid that 8 bits may cost."""

CALIBRATION_FACES = 1024
"""Training faces that the ranges are measured on."""

_BATCH = 64
_MAX_DIFFERENCE = 0.25  # of probabilities from single precision, mean over faces; wrong 8-bit arithmetic exceeds it


def ranges_path(name: str | Path) -> Path:
    """Path of a checkpoint's ranges, beside its weights; a checkpoint without the file has no 8-bit graph.

    Args:
        name: as `checkpoints.locate` takes it.
    """
    return locate(name).with_suffix(".int8.json")


def int8_identity(about: dict, ranges: dict) -> dict[str, str]:
    """Collect the values that decide an 8-bit graph's content.

    Args:
        about: sidecar of the checkpoint.
        ranges: content of the ranges file, as `read_ranges` returns it.
    """
    return graphs.graph_identity(about) | {"precision": "int8", "ranges": ranges["sha256"]}


def measure_ranges(graph: bytes, faces: np.ndarray) -> dict[str, list[float]]:
    """Measure the range of every activation around an operator of `QUANTISED`.

    Each bound is the mean over batches of 64 of the batch's extremes, so that single strange faces do not widen it.

    Args:
        graph: bytes of the graph in single precision.
        faces: (N, 48, 48) uint8, equalised if the model asks for it.

    Returns:
        ``{tensor: [low, high]}``.

    Raises:
        FerlibError: the package onnx is missing.
    """
    import onnxruntime

    onnx = need("onnx", "measuring 8-bit ranges", "train")
    model = onnx.load_model_from_string(graph)
    names = _activations(model)
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # all tensors must exist
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    extremes = []
    for at in range(0, len(faces), _BATCH):
        activations = session.run(names, {"faces": faces[at : at + _BATCH]})
        extremes.append([(float(value.min()), float(value.max())) for value in activations])
    means = np.mean(extremes, axis=0)
    return {name: [float(f"{value:.6g}") for value in pair] for name, pair in zip(names, means, strict=True)}


def _activations(model: Any) -> list[str]:
    """List the tensors that operators of `QUANTISED` read and write, constants aside, in the order of the graph."""
    constants = {weights.name for weights in model.graph.initializer}
    constants |= {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    names: dict[str, None] = {}
    for node in model.graph.node:
        if node.op_type in QUANTISED:
            inputs = node.input if node.op_type == "Gemm" else node.input[:1]  # Clip's others are its limits
            names |= dict.fromkeys(name for name in (*inputs, *node.output) if name and name not in constants)
    return list(names)


def quantise(graph: bytes, ranges: dict[str, list[float]]) -> bytes:
    """Quantise a graph, with quantise-dequantise pairs that ONNX Runtime turns into integer operators.

    Args:
        graph: bytes of the graph in single precision.
        ranges: ranges of its activations, as `measure_ranges` returns them.

    Returns:
        The bytes of the 8-bit graph.

    Raises:
        FerlibError: the ranges were measured on a graph with other tensors.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    onnx = need("onnx", "an 8-bit graph", "train")
    model = onnx.load_model_from_string(graph)
    about = {entry.key: entry.value for entry in model.metadata_props}
    if set(_activations(model)) != set(ranges):
        raise FerlibError(f"the 8-bit ranges of {about['name']!r} are of another graph; run 'ferlib export' again.")
    activation_ranges = TensorsData(
        CalibrationMethod.MinMax, {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    )
    quantizer = QDQQuantizer(
        model, True, False, QuantType.QInt8, QuantType.QUInt8, activation_ranges, [], [], list(QUANTISED), {}
    )  # fmt: skip
    quantizer.quantize_model()
    result = quantizer.model.model
    del result.metadata_props[:]
    onnx.helper.set_model_props(result, about | {"precision": "int8"})
    return result.SerializeToString()


def load_int8_graph(about: dict, load: Callable[[], Checkpoint], weights: Path | None = None) -> bytes:
    """Read the 8-bit graph of a checkpoint from its file, or make it now and store it there.

    A new graph is compared with the one in single precision on this machine: without the VNNI instructions some
    processors' 8-bit sums overflow.

    Args:
        about: sidecar of the checkpoint.
        load: loads the checkpoint when the graph has to be made.
        weights: the weights file, where the checkpoint is not found by its name.

    Raises:
        FerlibError: the checkpoint has no ranges of its weights; the graph is too far from single precision.
    """
    ranges = read_ranges(about, weights)
    return graphs.read_or_make_graph(
        graphs.graph_path(about, "int8"), int8_identity(about, ranges), lambda: _make(about, load, ranges)
    )


def _make(about: dict, load: Callable[[], Checkpoint], ranges: dict) -> bytes:
    """Make an 8-bit graph and compare it with the one in single precision."""
    from ferlib.inference import onnx_export
    from ferlib.inference.sessions import OnnxSession

    single = onnx_export.load_graph(about, load)
    graph = _with_hash(quantise(single, ranges["ranges"]), ranges["sha256"])
    faces = equalise(onnx_export.checking_faces(), about["preprocessing"]["equalise"])
    probabilities = [OnnxSession(content, threads=1).run(faces, "probabilities") for content in (single, graph)]
    difference = float(np.abs(probabilities[0] - probabilities[1]).max(axis=1).mean())
    if not difference < _MAX_DIFFERENCE:
        raise FerlibError(
            f"8 bits are too coarse on this processor (differences of {difference:.2f}); use another engine."
        )
    return graph


def _with_hash(graph: bytes, ranges: str) -> bytes:
    """Add the hash of the ranges file to a graph's metadata."""
    onnx = need("onnx", "an 8-bit graph", "train")
    model = onnx.load_model_from_string(graph)
    entry = model.metadata_props.add()
    entry.key, entry.value = "ranges", ranges
    return model.SerializeToString()


def read_ranges(about: dict, weights: Path | None = None) -> dict:
    """Read ``NAME.int8.json`` of a checkpoint, and add the ``sha256`` of the file.

    Args:
        about: sidecar of the checkpoint.
        weights: the weights file, where the checkpoint is not found by its name.

    Raises:
        FerlibError: there is none, it cannot be read, or it is of other weights or another layout of the graph.
    """
    name, path = about["name"], ranges_path(weights or about["name"])
    if not path.is_file():
        raise FerlibError(f"{name!r} has no 8-bit version; 'ferlib export {name} --int8' tries to make one.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = content["weights_sha256"] == about["weights_sha256"] and content["layout"] == graphs.LAYOUT
        content["ranges"].items()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FerlibError(f"{path.name} cannot be read; get it again (git checkout, or ferlib export).") from error
    if not same:
        raise FerlibError(f"{path.name} is of other weights; run 'ferlib export {name} --int8' again.")
    return content | {"sha256": sha256(path)}


def write_ranges(about: dict, ranges: dict[str, list[float]], faces: int) -> None:
    """Write the ranges of a checkpoint beside its weights.

    Args:
        about: sidecar of the checkpoint.
        ranges: ``{tensor: [low, high]}``.
        faces: number of faces that they were measured on.
    """
    value = {
        "name": about["name"], "weights_sha256": about["weights_sha256"], "layout": graphs.LAYOUT, "faces": faces,
        "ranges": ranges,
    }  # fmt: skip
    write_json(ranges_path(about["name"]), value)
