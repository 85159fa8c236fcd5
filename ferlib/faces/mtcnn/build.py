"""MTCNN's three nets as ONNX graphs, built from the weights that facenet-pytorch carries.

``python -m ferlib.faces.mtcnn.build`` writes them into the package's `weights`; it needs the extra ``dev``. A test
compares the stored files with newly built ones.

Three rewrites make the graphs faster and change no result beyond rounding (tested, differences about 1e-6):

- the normalisation (x - 127.5) / 128 is folded into the first convolution, which has no padding;
- two scores and a softmax become one logit, the difference of the scores;
- PReLU behind the first convolution takes longer in ONNX Runtime than the convolution itself (P-Net at 193x145 on one
  thread: PReLU 1.1 of 2.6 ms, convolution 0.2). It equals a x + relu((1 - a) x) for slopes a up to 1: two convolutions,
  one with a fused ReLU and one with a fused sum. A slope above 1 stands before a maximum, which commutes with rising
  functions: that channel passes the pool twice, with slopes 1 and 0, and the next convolution mixes the two. Behind the
  deeper convolutions, where channels are many and pixels few, a second convolution costs more than PReLU.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.faces.mtcnn.nets import NAMES
from ferlib.files import atomic_path

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_BLOCK = 16
"""Channels that ONNX Runtime keeps together. With 29 instead of 32 its convolution and its pool leave their blocked
forms: the R-Net took 1.7 times as long."""


@dataclass(frozen=True)
class _Plan:
    """Layers of one net.

    Attributes:
        pools: size and stride of the pool behind a convolution, by the convolution's number.
        split: convolutions whose PReLU becomes two convolutions, by measurement.
        convolutions: number of convolutions in the trunk.
        dense: number of the first dense layer; 0 where the heads are convolutions.
        heads: number of heads.
        side: of a face at the input, pixels.
    """

    pools: dict[int, tuple[int, int]]
    split: tuple[int, ...]
    convolutions: int
    dense: int = 0
    heads: int = 2
    side: int = 12


_PLANS = {
    "pnet": _Plan({1: (2, 2)}, (1,), 3),
    "rnet": _Plan({1: (3, 2), 2: (3, 2)}, (1,), 3, dense=4, side=24),
    "onet": _Plan({1: (3, 2), 2: (3, 2), 3: (2, 2)}, (1,), 4, dense=5, heads=3, side=48),
}  # fmt: skip


def load_weights(name: str) -> dict[str, np.ndarray]:
    """Read a net's tensors from the facenet-pytorch package, which is not imported for that.

    Args:
        name: one of `nets.NAMES`.

    Raises:
        FerlibError: the package or its file is missing.
    """
    spec = find_spec("facenet_pytorch")
    places = spec.submodule_search_locations if spec else None
    path = Path(next(iter(places))) / "data" / f"{name}.pt" if places else None
    if path is None or not path.is_file():
        raise FerlibError(f"facenet-pytorch's {name}.pt is missing; install facenet-pytorch again.")
    import torch

    return {key: value.numpy() for key, value in torch.load(path, map_location="cpu", weights_only=True).items()}


def build_graph(name: str) -> bytes:
    """Build a net's ONNX graph: input ``x``, output ``out``.

    Args:
        name: one of `nets.NAMES`.

    Raises:
        FerlibError: facenet-pytorch or its file is missing.
    """
    from onnx import TensorProto, helper

    plan, tensors, graph = _PLANS[name], load_weights(name), _GraphBuilder()
    input_shape: list[str | int | None]
    output_shape: list[str | int | None]
    last = _trunk(graph, plan, tensors)
    if plan.dense:
        _dense_heads(graph, plan, tensors, last)
        input_shape, output_shape = ["n", 3, plan.side, plan.side], ["n", None]
    else:
        weight, bias = _heads([(tensors[f"conv4_{k}.weight"], tensors[f"conv4_{k}.bias"]) for k in (1, 2)])
        graph.convolution(last, weight, bias, "out")
        input_shape, output_shape = [1, 3, "height", "width"], [1, 5, None, None]
    ends = [
        helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)
        for label, shape in (("x", input_shape), ("out", output_shape))
    ]
    model = helper.make_model(
        helper.make_graph(graph.nodes, name, ends[:1], ends[1:], graph.constants),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    return model.SerializeToString()


class _GraphBuilder:
    """Nodes and constants of an ONNX graph as they are added; each method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, values: np.ndarray, name: str) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, last: str, weight: np.ndarray, bias: np.ndarray, name: str) -> str:
        inputs = [last, self.constant(weight, f"{name}.weight"), self.constant(bias, f"{name}.bias")]
        return self.node("Conv", inputs, name, kernel_shape=list(weight.shape[2:]))


def _trunk(graph: _GraphBuilder, plan: _Plan, tensors: dict[str, np.ndarray]) -> str:
    """Add convolutions, PReLUs and pools."""
    last, mixed = "x", None
    for number in range(1, plan.convolutions + 1):
        weight, bias, slopes = (
            tensors[key].astype(np.float64)
            for key in (f"conv{number}.weight", f"conv{number}.bias", f"prelu{number}.weight")
        )
        if number == 1:
            bias, weight = bias - weight.sum((1, 2, 3)) * 127.5 / 128, weight / 128
        if mixed is not None:  # the layer before gave some channels twice: PReLU is a x + (1 - a) relu(x)
            steep, above = mixed
            again = weight[:, steep] * (1 - above)[:, None, None]
            weight[:, steep] *= above[:, None, None]
            weight, mixed = _padded(np.concatenate([weight, again], axis=1), axis=1), None
        if number in plan.split:
            steep = np.flatnonzero(slopes > 1)
            mixed = steep, slopes[steep]
            last = _split_prelu(graph, last, weight, bias, slopes, number)
        else:
            last = graph.convolution(last, weight, bias, f"conv{number}")
            last = graph.node(
                "PRelu", [last, graph.constant(slopes[:, None, None], f"slope{number}")], f"prelu{number}"
            )
        if number in plan.pools:
            size, stride = plan.pools[number]
            shape = {"kernel_shape": [size, size], "strides": [stride, stride], "ceil_mode": 1}
            last = graph.node("MaxPool", [last], f"pool{number}", **shape)
    return last


def _split_prelu(
    graph: _GraphBuilder, last: str, weight: np.ndarray, bias: np.ndarray, slopes: np.ndarray, number: int
) -> str:
    """Add convolution and PReLU as a x + relu((1 - a) x); channels with a > 1 as x, and their relu(x) at the end."""
    steep = np.flatnonzero(slopes > 1)
    low = np.concatenate([np.minimum(slopes, 1), np.zeros(len(steep))])
    weight, bias, low = (_padded(values) for values in (_twice(weight, steep), _twice(bias, steep), low))
    bent = graph.convolution(last, weight * (1 - low)[:, None, None, None], bias * (1 - low), f"bent{number}")
    bent = graph.node("Relu", [bent], f"relu{number}")
    straight = graph.convolution(last, weight * low[:, None, None, None], bias * low, f"straight{number}")
    return graph.node("Add", [straight, bent], f"sum{number}")


def _twice(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Append copies of some rows."""
    return np.concatenate([values, values[rows]])


def _padded(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """Add zeros up to a multiple of `_BLOCK` along `axis`."""
    missing = [(0, 0)] * values.ndim
    missing[axis] = (0, -values.shape[axis] % _BLOCK)
    return np.pad(values, missing)


def _dense_heads(graph: _GraphBuilder, plan: _Plan, tensors: dict[str, np.ndarray], last: str) -> None:
    """Add the dense layer and the heads of R- or O-Net."""
    name = f"dense{plan.dense}"
    weight = tensors[f"{name}.weight"]
    channels, side = len(tensors[f"conv{plan.convolutions}.bias"]), 3
    # facenet-pytorch flattens (width, height, channel) as Caffe's MATLAB did; here it is (channel, height, width).
    weight = weight.reshape(-1, side, side, channels).transpose(0, 3, 2, 1).reshape(len(weight), -1)
    last = graph.node("Flatten", [last], "flat", axis=1)
    inputs = [last, graph.constant(weight, f"{name}.weight"), graph.constant(tensors[f"{name}.bias"], f"{name}.bias")]
    last = graph.node("Gemm", inputs, name, transB=1)
    last = graph.node("PRelu", [last, graph.constant(tensors[f"prelu{plan.dense}.weight"], "slope")], "prelu")
    names = [f"dense{plan.dense + 1}_{k + 1}" for k in range(plan.heads)]
    weight, bias = _heads([(tensors[f"{head}.weight"], tensors[f"{head}.bias"]) for head in names])
    graph.node("Gemm", [last, graph.constant(weight, "out.weight"), graph.constant(bias, "out.bias")], "out", transB=1)


def _heads(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Join all heads into one layer, the two scores of the first as their difference."""
    (weight, bias), *others = parts
    first = weight[1:] - weight[:1], bias[1:] - bias[:1]
    joined = [first, *others]
    return np.concatenate([weight for weight, _ in joined]), np.concatenate([bias for _, bias in joined])


def write_graphs() -> None:
    """Write the three graphs into the package's folder of weights."""
    for name in NAMES:
        with atomic_path(paths.WEIGHTS / "mtcnn" / f"{name}.onnx") as temporary:
            temporary.write_bytes(build_graph(name))


if __name__ == "__main__":
    write_graphs()
