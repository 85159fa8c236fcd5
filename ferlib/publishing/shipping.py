"""Weights of the package: the shipped model's files and graphs, with which prediction needs no torch.

``python -m ferlib.publishing.shipping NAME`` is for maintainers, in a checkout. The graph in single precision holds no
weights of its own: it refers to places in the safetensors file beside it, so that each number is stored once, in half
precision. ONNX Runtime widens them when it loads the graph, which gives the very numbers that torch computes with.
"""

import argparse
import json
import shutil
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.inference import graphs, int8, onnx_export
from ferlib.inference.sessions import OnnxSession
from ferlib.models import checkpoints

_TYPES = {"F16": (np.float16, 10), "F32": (np.float32, 1)}  # safetensors type: NumPy type and ONNX code
_MIN_BYTES = 512  # smaller constants stay in the graph


def ship(name: str) -> list[Path]:
    """Make a checkpoint the shipped model: its files move into the package, and its graphs are made there.

    Args:
        name: name of a checkpoint; one that is shipped already gets new graphs.

    Returns:
        Paths of the graphs.

    Raises:
        FerlibError: there is no such checkpoint, or its graph cannot be written without its weights.
    """
    source = checkpoints.locate(name)
    for path in (source, source.with_suffix(".json"), source.with_suffix(".int8.json")):
        if path.is_file() and path.parent != paths.WEIGHTS:
            shutil.move(path, paths.WEIGHTS / path.name)
    about, weights = checkpoints.describe(name)
    content = onnx_export.export_graph(checkpoints.load(name))
    small = without_weights(content, weights)
    _check_equal(content, small, weights)
    written = [graphs.shipped_path(name)]
    graphs.store_graph(written[0], small, graphs.graph_identity(about))
    if int8.ranges_path(name).is_file():
        ranges = int8.read_ranges(about)
        written.append(graphs.shipped_path(name, "int8"))
        graph = int8.load_int8_graph(about, partial(checkpoints.load, name))
        graphs.store_graph(written[1], graph, int8.int8_identity(about, ranges))
    return written


def without_weights(graph: bytes, weights: Path) -> bytes:
    """Replace a graph's weights by references into a safetensors file.

    Args:
        graph: bytes of an ONNX graph in single precision.
        weights: path of the file, which must lie beside the graph when that is loaded.

    Returns:
        The graph; constants that the file does not hold stay in it.

    Raises:
        FerlibError: more than a tenth of the weights cannot be found in the file.
    """
    onnx = onnx_export.need_onnx()
    model = onnx.load_model_from_string(graph)
    stored = _stored_tensors(weights)
    unmatched, total = 0, 0
    constants, nodes = [], []
    for constant in model.graph.initializer:
        values = onnx.numpy_helper.to_array(constant)
        total += values.nbytes
        match = None if values.nbytes < _MIN_BYTES else _match(values, stored)
        if match is None:
            unmatched += values.nbytes
            constants.append(constant)
            continue
        key, steps = match
        reference, chain = _reference(onnx, constant.name, stored[key], weights.name, steps)
        constants += reference
        nodes += chain
    if unmatched > total / 10:
        raise FerlibError(f"{unmatched} of {total} bytes of the graph's weights are not those of {weights.name}.")
    del model.graph.initializer[:]
    model.graph.initializer.extend(constants)
    others = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*nodes, *others])
    return model.SerializeToString()


@dataclass(frozen=True, eq=False)
class _StoredTensor:
    """Tensor of a safetensors file.

    Attributes:
        values: the numbers.
        code: ONNX's code of their type.
        start: position of the first byte in the file.
    """

    values: np.ndarray
    code: int
    start: int


def _stored_tensors(path: Path) -> dict[str, _StoredTensor]:
    """Read a safetensors file: eight bytes with the length of a JSON header, the header, then the tensors."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] in _TYPES:
            dtype, code = _TYPES[entry["dtype"]]
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            values = np.frombuffer(content[first:last], dtype).reshape(entry["shape"])
            tensors[name] = _StoredTensor(values, code, first)
    return tensors


def _match(values: np.ndarray, stored: dict[str, _StoredTensor]) -> tuple[str, list[tuple[str, Any]]] | None:
    """Find the tensor that a constant comes from, and the steps between them: transpose, reshape, scale rows."""
    for name, tensor in stored.items():
        if tensor.values.size != values.size:
            continue
        wide = tensor.values.astype(np.float32)
        if wide.ndim == 2 and wide.T.shape == values.shape and np.array_equal(wide.T, values):
            return name, [("transpose", None)]
        if np.array_equal(wide.reshape(values.shape), values):
            return name, [("reshape", values.shape)] if wide.shape != values.shape else []
        scale_name = name.rpartition(".mlp.")[0] + ".gamma"  # `deployed` folds a ConvNeXt block's layer scale
        if scale_name in stored and len(stored[scale_name].values) == len(wide):
            scaled = wide * stored[scale_name].values.reshape(-1, *[1] * (wide.ndim - 1))
            if np.array_equal(scaled.reshape(values.shape), values):
                steps: list[tuple[str, Any]] = [("scale", stored[scale_name])]
                return name, steps + ([("reshape", values.shape)] if wide.shape != values.shape else [])
            if wide.ndim == 2 and scaled.T.shape == values.shape and np.array_equal(scaled.T, values):
                return name, [("scale", stored[scale_name]), ("transpose", None)]
    return None


def _reference(
    onnx: Any, target: str, tensor: _StoredTensor, location: str, steps: list[tuple[str, Any]]
) -> tuple[list[Any], list[Any]]:
    """Build an external constant, and the nodes from it to the constant `target`; ONNX Runtime runs them once."""
    helper = onnx.helper

    def external(name: str, source: _StoredTensor) -> Any:
        proto = onnx.TensorProto(name=name, data_type=source.code, dims=source.values.shape)
        proto.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", source.start), ("length", source.values.nbytes)):
            proto.external_data.add(key=key, value=str(value))
        return proto

    operations: list[tuple[str, list[str], dict]] = []
    constants = [external(f"{target}.stored", tensor)]
    if tensor.code != onnx.TensorProto.FLOAT:
        operations.append(("Cast", [], {"to": onnx.TensorProto.FLOAT}))
    for step, value in steps:
        if step == "transpose":
            operations.append(("Transpose", [], {"perm": [1, 0]}))
        elif step == "scale":
            shape = [-1, *[1] * (tensor.values.ndim - 1)]
            factor = value.values.reshape(shape)
            constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(factor), f"{target}.scale"))
            operations.append(("Mul", [f"{target}.scale"], {}))
        else:
            constants.append(onnx.numpy_helper.from_array(np.array(value, np.int64), f"{target}.shape"))
            operations.append(("Reshape", [f"{target}.shape"], {}))
    if not operations:
        return [external(target, tensor)], []
    nodes, last = [], f"{target}.stored"
    for number, (operator, others, attributes) in enumerate(operations):
        result = target if number == len(operations) - 1 else f"{target}.{number}"
        nodes.append(helper.make_node(operator, [last, *others], [result], name=f"{target}.{operator}", **attributes))
        last = result
    return constants, nodes


def _check_equal(complete: bytes, small: bytes, weights: Path) -> None:
    """Check that two graphs give the same probabilities, to the last bit."""
    with atomic_path(weights.with_name(f"{weights.stem}.check.onnx")) as temporary:
        temporary.write_bytes(small)
        faces = onnx_export.checking_faces()
        results = [OnnxSession(graph, 1).run(faces, "probabilities") for graph in (complete, temporary)]
    weights.with_name(f"{weights.stem}.check.onnx").unlink()
    if not np.array_equal(results[0], results[1]):
        difference = float(np.abs(results[0] - results[1]).max())
        raise FerlibError(f"the graph without weights differs from the complete one by {difference:.1e}.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a checkpoint the shipped model.")
    parser.add_argument("name", nargs="?", default=checkpoints.DEFAULT_MODEL)
    for path in ship(parser.parse_args().name):
        print(f"written: {paths.relative(path)}")
