"""What runs an exported graph: ONNX Runtime or OpenVINO, behind the same small call as torch.

A session takes (N, 48, 48) uint8 faces and gives probabilities or logits; `GraphClassifier` makes a classifier of it.
"""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

import numpy as np
import torch

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.learning.classifier import Classifier
from ferlib.learning.export import FACE_SIZE
from ferlib.learning.transforms import Preprocessing, equalise, to_grey
from ferlib.workers import Workers

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


class GraphClassifier:
    """A checkpoint's graph with the interface of `classifier.Classifier`.

    The graph takes faces of 48 pixels, as cropping gives them. Faces of another size go through torch, so that they
    are resized once only; the network is loaded when the first of them comes.

    Args:
        about: the sidecar of the checkpoint.
        session: its graph, ready to run.
        engine: one of `classifier.ENGINES`, for people to read.
        load: gives the classifier in torch.
    """

    def __init__(self, about: dict, session: Session, engine: str, load: Callable[[], Classifier]) -> None:
        self.name, self.about, self.engine = about["name"], about, engine
        self.classes = EMOTIONS
        self.preprocessing = Preprocessing(**about["preprocessing"])
        self.threshold = float(about.get("threshold", 0.0))
        self._session, self._load = session, load
        self._torch: Classifier | None = None

    def predict_proba(self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True) -> np.ndarray:
        """(N, 8) float32 probabilities in class order, rows sum to 1; arguments as `Classifier.predict_proba` has.

        Raises:
            ValueError: another shape or type.
        """
        grey = to_grey(faces)
        if not len(grey):
            return np.zeros((0, len(EMOTIONS)), np.float32)
        if grey.shape[1:] != (FACE_SIZE, FACE_SIZE):
            self._torch = self._torch or self._load()
            return self._torch.predict_proba(grey, batch_size, calibrated=calibrated)
        seen = np.ascontiguousarray(equalise(grey, self.preprocessing.equalise))
        output = "probabilities" if calibrated else "logits"
        parts = [self._session.run(seen[at : at + batch_size], output) for at in range(0, len(seen), batch_size)]
        found = np.concatenate(parts)
        return found if calibrated else torch.from_numpy(found).softmax(dim=1).numpy()


def _missing(package: str, engine: str) -> FerlibError:
    extra = f" 'ferlib[{engine}]'" if engine == "openvino" else f" {package}"
    return FerlibError(f"the engine {engine!r} needs the package {package}; install it (pip install{extra}).")


def _unusable(runtime: str, error: Exception) -> FerlibError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return FerlibError(f"{runtime} cannot use the graph ({first[:200]}); use the engine 'torch'.")
