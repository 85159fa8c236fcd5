"""Sessions: an exported graph in ONNX Runtime or OpenVINO, with the same interface."""

from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np

from ferlib.errors import FerlibError
from ferlib.models.preprocessing import FACE_SIZE, resampling_matrix
from ferlib.onnx_sessions import open_session
from ferlib.packages import need
from ferlib.parallel import Workers

RESAMPLING = ("rows", "columns")
"""Inputs of a graph that resize faces of another size than `FACE_SIZE`, see `onnx_export`."""

_MAX_PORTION = 16  # faces that each of several threads runs at once, at most


class Session(Protocol):
    """Graph that is ready to run."""

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """Run the graph.

        Args:
            faces: (N, H, W) uint8, N at least 1.
            output: ``"probabilities"`` or ``"logits"``.

        Returns:
            (N, 8) float32, or (N, 15) of a graph that answers both questions.
        """


class OnnxSession:
    """A graph in ONNX Runtime on the CPU.

    Threads share the faces of a batch: for four faces they take 0.6 of the time that ONNX Runtime's own threads take.

    Args:
        graph: bytes or file of the graph.
        threads: threads that share one batch.

    Raises:
        FerlibError: onnxruntime is missing, or cannot use the graph.
    """

    def __init__(self, graph: bytes | Path, threads: int) -> None:
        self._session = open_session(graph)
        self._workers, self._lock = Workers(threads, "ferlib-onnx"), Lock()
        sizes = [value.shape[0] for value in self._session.get_overridable_initializers() if value.name == "rows"]
        self._size = int(sizes[0]) if sizes else FACE_SIZE

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """Run the graph, as `Session.run` says."""
        if self._workers.threads == 1 or len(faces) == 1:  # several threads may then call at once, as a folder's do
            return self._run(faces, output)
        parts = self._workers.portions(faces, _MAX_PORTION)
        with self._lock, self._workers.apart():
            return np.concatenate(self._workers.share(lambda part: self._run(part, output), parts))

    def _run(self, faces: np.ndarray, output: str) -> np.ndarray:
        inputs = {"faces": faces}
        height, width = faces.shape[1:]
        if (height, width) != (FACE_SIZE, FACE_SIZE):
            inputs["rows"] = resampling_matrix(height, self._size)
            inputs["columns"] = np.ascontiguousarray(resampling_matrix(width, self._size).T)
        return self._session.run([output], inputs)[0]


class OpenVinoSession:
    """A graph in OpenVINO on the CPU, in single precision.

    OpenVINO takes the graph's defaults for constants, so faces of another size than 48 pixels go through ONNX Runtime.

    Args:
        graph: bytes or file of the graph.
        threads: threads that share one batch.

    Raises:
        FerlibError: openvino is missing (it is the extra ``openvino``), or cannot use the graph.
    """

    def __init__(self, graph: bytes | Path, threads: int) -> None:
        openvino = need("openvino", "the engine 'openvino'", "openvino")
        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(graph), "CPU", hints)
        except Exception as error:  # its errors have no common class of their own
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise FerlibError(f"OpenVINO cannot use the graph ({first[:200]}); use the engine 'torch'.") from error
        self._request, self._lock = compiled.create_infer_request(), Lock()
        self._graph, self._threads = graph, threads
        self._for_other_sizes: OnnxSession | None = None

    def run(self, faces: np.ndarray, output: str) -> np.ndarray:
        """Run the graph, as `Session.run` says."""
        with self._lock:  # one request serves one call at a time, and its memory is used again
            if faces.shape[1:] == (FACE_SIZE, FACE_SIZE):
                return np.array(self._request.infer({"faces": faces})[output])
            self._for_other_sizes = self._for_other_sizes or OnnxSession(self._graph, self._threads)
            return self._for_other_sizes.run(faces, output)
