"""Emotion pipeline: from a picture to faces with emotions, and each face's label for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.faces.detector import DETECTOR_THREADS, MAX_SIDE, MIN_FACE_SIZE, THRESHOLDS, Detection, FaceDetector
from ferlib.faces.pictures import check_picture, load_picture
from ferlib.models.preprocessing import FACE_SIZE
from ferlib.models.questions import Answers


class EmotionClassifier(Protocol):
    """Classifier as the pipeline needs it; `ferlib.inference.classifier.Classifier` is one.

    It may also have a `threshold`: confidences below it are reported as "not sure". One that answers both questions
    has `questions`, `question` and `answer`, as `Classifier` has.
    """

    def predict_proba(self, faces: np.ndarray) -> np.ndarray:
        """Compute the class probabilities of faces.

        Args:
            faces: (N, 48, 48) uint8 grey.

        Returns:
            (N, 8) in class order.
        """


ROW_COLUMNS = ("x1", "y1", "x2", "y2", "detection_confidence", "emotion", "confidence", "sure", *EMOTIONS)
"""Columns of `Face.row`: the box in pixels, `sure` as 1 or 0, and last the eight probabilities."""

_PIXEL_DIGITS, _SHARE_DIGITS = 1, 6  # decimals of coordinates and of probabilities, wherever a face is written


@dataclass(frozen=True, eq=False)
class Face:
    """Face of a picture and the classifier's answer for it.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the upright picture, inside it.
        landmarks: (5, 2) float32 in the same pixels: left eye, right eye, nose, left and right mouth corner, as seen.
        detection_confidence: the detector's probability of a face, 0..1.
        emotion: class with the greatest probability.
        confidence: this probability, 0..1.
        probabilities: (8,) float32 in class order.
        sure: whether the confidence reaches the classifier's threshold.
        seen: (8,) float32 in class order, what people see in the face; None where the classifier does not tell.
        meant: (7,) float32 in the order of `labels.MEANT_EMOTIONS`, what the face was meant to show; None likewise.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    detection_confidence: float
    emotion: str
    confidence: float
    probabilities: np.ndarray
    sure: bool = True
    seen: np.ndarray | None = None
    meant: np.ndarray | None = None

    @property
    def label(self) -> str:
        """Label for people: the emotion, or "not sure"."""
        return self.emotion if self.sure else "not sure"

    def to_dict(self) -> dict[str, Any]:
        """Convert to the JSON-ready form: coordinates to a tenth of a pixel, probabilities to six decimals.

        The keys ``seen`` and ``meant`` are there where the classifier answers both questions.
        """
        value = {
            "box": [round(float(value), _PIXEL_DIGITS) for value in self.box],
            "detection_confidence": round(float(self.detection_confidence), _SHARE_DIGITS),
            "landmarks": [[round(float(value), _PIXEL_DIGITS) for value in point] for point in self.landmarks],
            "emotion": self.emotion,
            "confidence": round(float(self.confidence), _SHARE_DIGITS),
            "sure": bool(self.sure),
            "probabilities": _named(EMOTIONS, self.probabilities),
        }
        if self.seen is not None and self.meant is not None:
            value |= {"seen": _named(EMOTIONS, self.seen), "meant": _named(MEANT_EMOTIONS, self.meant)}
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Face":
        """Build a face from its JSON-ready form.

        Args:
            value: result of `to_dict`; its probabilities may also be a list in class order.
        """
        x1, y1, x2, y2 = value["box"]
        return cls(
            box=(x1, y1, x2, y2),
            landmarks=np.array(value["landmarks"], np.float32).reshape(-1, 2),
            detection_confidence=value["detection_confidence"],
            emotion=value["emotion"],
            confidence=value["confidence"],
            probabilities=_values(EMOTIONS, value["probabilities"]),
            sure=value["sure"],
            seen=_values(EMOTIONS, value["seen"]) if "seen" in value else None,
            meant=_values(MEANT_EMOTIONS, value["meant"]) if "meant" in value else None,
        )

    def row(self) -> list:
        """List the values of `ROW_COLUMNS`, rounded as in `to_dict`."""
        value = self.to_dict()
        answer = [value[name] for name in ("detection_confidence", "emotion", "confidence")]
        return [*value["box"], *answer, int(value["sure"]), *value["probabilities"].values()]


def _named(names: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), _SHARE_DIGITS) for name, value in zip(names, probabilities, strict=True)}


def _values(names: Sequence[str], stored: Mapping[str, float] | Sequence[float]) -> np.ndarray:
    values = [stored[name] for name in names] if isinstance(stored, Mapping) else stored
    return np.array(values, np.float32).reshape(len(names))


class EmotionPipeline:
    """Face detector, crop and classifier one after another; callable.

    The steps can be called one by one where a video detects less often than it classifies: ``detector(image)``, then
    `classify`, which is `crops` and then `classify_crops`. Threads that share a pipeline hold its `lock` for the steps
    of one picture.

    Args:
        detector: finds the faces.
        classifier: has ``predict_proba((N, 48, 48) uint8) -> (N, 8)``.
        crop: how a face is cut out; None for the framing of FER2013.

    Attributes:
        detector: as given.
        classifier: as given.
        crop: as given.
        lock: for threads that share the pipeline.
    """

    def __init__(self, detector: FaceDetector, classifier: EmotionClassifier, crop: CropSpec | None = None):
        self.detector = detector
        self.classifier = classifier
        self.crop = crop or CropSpec()
        self.lock = Lock()

    @property
    def threshold(self) -> float:
        """Confidence below which a face is "not sure": the classifier's, 0 when it has none."""
        return float(getattr(self.classifier, "threshold", 0.0))

    def __call__(self, image: str | Path | Image.Image | np.ndarray) -> list[Face]:
        """Find the faces of a picture and their emotions.

        Args:
            image: a file or a Pillow image of any mode, turned upright first, or an (H, W, 3) uint8 RGB array.

        Returns:
            The faces from left to right; an empty list when there is none.

        Raises:
            FerlibError: a picture that cannot be read.
        """
        if not isinstance(image, np.ndarray):
            image = load_picture(image)
        return self.classify(image, self.detector.search(image))

    def identity(self) -> dict[str, Any]:
        """Collect everything besides the picture that the answers depend on, JSON-ready.

        Results that were stored under another identity cannot be used again.
        """
        about = getattr(self.classifier, "about", {})
        both = len(getattr(self.classifier, "questions", ())) > 1
        return {
            "model": str(getattr(self.classifier, "name", type(self.classifier).__name__)),
            "weights": about.get("weights_sha256"),
            "temperature": about.get("temperature"),
            "engine": getattr(self.classifier, "engine", None),
            "least": self.detector.min_face_size,
            "crop": repr(self.crop),
            **({"question": getattr(self.classifier, "question", None)} if both else {}),
        }

    def classify(self, image: np.ndarray, detections: list[Detection]) -> list[Face]:
        """Classify detected faces, all as one batch.

        Args:
            image: (H, W, 3) uint8 RGB.
            detections: faces of the picture.

        Returns:
            The faces in the order of the detections.

        Raises:
            FerlibError: a picture of another shape or type, or a classifier that gives no valid probabilities.
        """
        check_picture(image)
        if not detections:
            return []
        return self.classify_crops(detections, self.crops(image, detections))

    def crops(self, image: np.ndarray, detections: list[Detection]) -> np.ndarray:
        """Cut out each detection's face as the classifier sees it.

        Args:
            image: (H, W, 3) uint8 RGB.
            detections: faces of the picture.

        Returns:
            (N, 48, 48) uint8 grey.
        """
        faces = [crop_face(image, detection, self.crop, size=FACE_SIZE) for detection in detections]
        return np.stack(faces) if faces else np.zeros((0, FACE_SIZE, FACE_SIZE), np.uint8)

    def classify_crops(self, detections: list[Detection], crops: np.ndarray) -> list[Face]:
        """Classify faces that were cut out before.

        Args:
            detections: faces of a picture.
            crops: (N, 48, 48) uint8 grey in the same order; they may have been changed since `crops` cut them.

        Returns:
            The faces in the same order.

        Raises:
            FerlibError: the classifier gives no valid probabilities.
        """
        if not detections:
            return []
        answers = self._answers(crops)
        probabilities = answers.probabilities
        if probabilities.shape != (len(crops), len(EMOTIONS)) or not np.isfinite(probabilities).all():
            raise FerlibError("The classifier gave no valid probabilities; load another checkpoint.")
        return [_face(detection, answers, index, self.threshold) for index, detection in enumerate(detections)]

    def _answers(self, crops: np.ndarray) -> Answers:
        """Ask the classifier; one that only predicts probabilities answers no single question."""
        answer = getattr(self.classifier, "answer", None)
        if answer is not None:
            return answer(crops)
        probabilities = np.asarray(self.classifier.predict_proba(crops), np.float32)
        return Answers(probabilities, probabilities, None)


def load_pipeline(
    model: str | Path | None = None,
    *,
    engine: str | None = None,
    threads: int | None = None,
    min_face_size: int = MIN_FACE_SIZE,
    thresholds: Sequence[float] = THRESHOLDS,
    max_side: int = MAX_SIDE,
    device: str = "cpu",
    crop: CropSpec | None = None,
    question: str | None = None,
) -> EmotionPipeline:
    """Load detector and classifier; nothing is downloaded.

    Args:
        model: name of a checkpoint, or the path of a ``.safetensors`` file beside its sidecar; None: the shipped one.
        engine: of the classifier, as `load_classifier` takes it.
        threads: of the classifier and of the detector; None: as many as each takes by itself.
        min_face_size: smallest face that is searched for, pixels; smaller is slower.
        thresholds: least probability of a face after each of the detector's three stages, 0..1.
        max_side: pictures with a longer side are searched in a copy of this side, pixels, and then in tiles.
        device: where the detector's nets run, see `FaceDetector`.
        crop: how a face is cut out; None for the framing of FER2013.
        question: how the classifier reads a face, as `load_classifier` takes it.

    Raises:
        FerlibError: an unknown model, engine or question, or a value out of range.

    Examples:
        >>> pipeline = load_pipeline(min_face_size=60)
        >>> [face.label for face in pipeline("photo.jpg")]
        ['happy']
    """
    from ferlib.inference.loading import load_classifier

    detector = FaceDetector(min_face_size, thresholds, device, max_side, threads=threads or DETECTOR_THREADS)
    return EmotionPipeline(detector, load_classifier(model, engine, threads, question), crop)


def _face(detection: Detection, answers: Answers, index: int, threshold: float) -> Face:
    probabilities = answers.probabilities[index]
    best = int(probabilities.argmax())
    apart = (None, None) if answers.meant is None else (answers.seen[index], answers.meant[index])
    return Face(
        detection.box, detection.landmarks, detection.confidence, EMOTIONS[best], float(probabilities[best]),
        probabilities, bool(probabilities[best] >= threshold), *apart,
    )  # fmt: skip
