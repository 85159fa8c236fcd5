"""What runs an exported graph: ONNX Runtime or OpenVINO, behind the same small call as torch.

A session takes (N, 48, 48) uint8 faces and gives probabilities or logits; `GraphClassifier` makes a classifier of it.
"""

from threading import Lock
from typing import Protocol

import numpy as np

from ferlib.errors import FerlibError
from ferlib.parallel import Workers

_CHUNK = 16  # faces that each of several threads puts through ONNX Runtime at once, at most


class Session(Protocol):
    """A graph that is ready to run."""

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """(N, 8) float32 ``"probabilities"`` or ``"logits"`` of (N, 48, 48) uint8 faces, N at least 1."""


class OnnxSession:
    """A graph in ONNX Runtime on the CPU.

    Threads share the faces of a batch: for four faces they take 0.6 of the time that ONNX Runtime's own threads take,
    which share each layer and are woken for it.

    Args:
        graph: its bytes.
        threads: that share one batch.

    Raises:
        FerlibError: onnxruntime is missing, or cannot use the graph.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise _missing("onnxruntime", "onnx") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class of their own
            raise _unusable("ONNX Runtime", error) from error
        self._workers, self._lock = Workers(threads, "ferlib-onnx"), Lock()

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """As `Session` says."""
        if self._workers.threads == 1 or len(faces) == 1:  # several threads may then call at once, as a folder's do
            return self._run(faces, output)
        parts = self._workers.portions(faces, _CHUNK)
        with self._lock, self._workers.apart():
            return np.concatenate(self._workers.share(lambda part: self._run(part, output), parts))

    def _run(self, faces: np.ndarray, output: str) -> np.ndarray:
        return self._session.run([output], {"faces": faces})[0]


class OpenVinoSession:
    """The same graph in OpenVINO on the CPU, in full precision.

    Raises:
        FerlibError: openvino is missing (it is the extra ``openvino``), or cannot use the graph.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        try:
            import openvino
        except ImportError as error:
            raise _missing("openvino", "openvino") from error
        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(graph), "CPU", hints)
        except Exception as error:  # its errors have no common class of their own
            raise _unusable("OpenVINO", error) from error
        self._request, self._lock = compiled.create_infer_request(), Lock()

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """As `Session` says."""
        with self._lock:  # one request serves one call at a time, and its memory is used again
            return np.array(self._request.infer({"faces": faces})[output])


def _missing(package: str, engine: str) -> FerlibError:
    extra = f" 'ferlib[{engine}]'" if engine == "openvino" else f" {package}"
    return FerlibError(f"the engine {engine!r} needs the package {package}; install it (pip install{extra}).")


def _unusable(runtime: str, error: Exception) -> FerlibError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return FerlibError(f"{runtime} cannot use the graph ({first[:200]}); use the engine 'torch'.")
