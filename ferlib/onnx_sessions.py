"""Sessions of ONNX Runtime: on the CPU, with one thread, silent."""

from pathlib import Path
from typing import Any

from ferlib.errors import FerlibError
from ferlib.packages import need


def open_session(graph: bytes | Path) -> Any:
    """Open a graph in ONNX Runtime on the CPU.

    One thread, because our own workers share out batches and crops: ONNX Runtime's threads share each layer instead and
    are woken for it, which costs more than it gains on networks of this size.

    Args:
        graph: the bytes of a graph, or its file; weights that it keeps in another file lie beside that.

    Returns:
        An ``onnxruntime.InferenceSession``.

    Raises:
        FerlibError: onnxruntime is missing, or cannot use the graph.
    """
    onnxruntime = need("onnxruntime", "the engine 'onnx'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its errors have no common class of their own
        name = graph.name if isinstance(graph, Path) else "the graph"
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FerlibError(f"ONNX Runtime cannot use {name} ({first[:200]}); install ferlib again.") from error
