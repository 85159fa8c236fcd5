"""A picture in, faces with emotions out."""

from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live.cropping import FACE_SIZE, CropSpec, crop_face
from ferlib.live.detection import Detection, FaceDetector
from ferlib.live.pictures import check_picture, load_picture


class Classifier(Protocol):
    """What the pipeline needs of a classifier; `ferlib.learning.classifier.Classifier` is one.

    It may also have a `threshold`: confidences below it are reported as "not sure".
    """

    def predict_proba(self, faces: np.ndarray) -> np.ndarray:
        """(N, 8) probabilities in class order of (N, 48, 48) uint8 grey faces."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face of a picture and what the classifier says of it. Coordinates are pixels of the upright picture."""

    box: tuple[float, float, float, float]  # x1, y1, x2, y2, inside the picture
    landmarks: np.ndarray  # (5, 2) float32: left eye, right eye, nose, left and right mouth corner, as seen
    detection_confidence: float  # the detector's probability of a face, 0..1
    emotion: str  # the class with the greatest probability
    confidence: float  # that probability, 0..1
    probabilities: np.ndarray  # (8,) float32 in class order
    sure: bool = True  # the confidence reaches the classifier's threshold

    @property
    def label(self) -> str:
        """What to tell people: the emotion, or "not sure"."""
        return self.emotion if self.sure else "not sure"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: box and landmarks to a tenth of a pixel, the confidences and probabilities to six decimals."""
        return {
            "box": [round(float(value), 1) for value in self.box],
            "detection_confidence": round(float(self.detection_confidence), 6),
            "landmarks": [[round(float(x), 1), round(float(y), 1)] for x, y in self.landmarks],
            "emotion": self.emotion,
            "confidence": round(float(self.confidence), 6),
            "sure": bool(self.sure),
            "probabilities": {
                name: round(float(value), 6) for name, value in zip(EMOTIONS, self.probabilities, strict=True)
            },
        }


class EmotionPipeline:
    """Detector, crop and classifier in a row.

    `classifier` has ``predict_proba((N, 48, 48) uint8) -> (N, 8)``. The steps can be called one by one where a video
    detects less often than it classifies: `detector(image)`, then `classify(image, detections)`, which is `crops` and
    then `classify_crops`. Threads that share a pipeline hold its `lock` for the steps of one picture.
    """

    def __init__(self, detector: FaceDetector, classifier: Classifier, crop: CropSpec | None = None):
        self.detector = detector
        self.classifier = classifier
        self.crop = crop or CropSpec()
        self.lock = Lock()

    @property
    def threshold(self) -> float:
        """Confidence below which a face is "not sure": the classifier's, 0 when it has none."""
        return float(getattr(self.classifier, "threshold", 0.0))

    def __call__(self, image: str | Path | Image.Image | np.ndarray) -> list[Face]:
        """The faces of a picture from left to right, an empty list when there is none.

        `image`: a file, a Pillow image (both of any mode, turned upright first), or an (H, W, 3) uint8 RGB array.
        Raises FerlibError for a picture that cannot be read.
        """
        if not isinstance(image, np.ndarray):
            image = load_picture(image)
        return self.classify(image, self.detector(image))

    def identity(self) -> dict[str, Any]:
        """What its answers depend on besides the picture, JSON-ready; stored results of another one are of no use."""
        about = getattr(self.classifier, "about", {})
        return {
            "model": str(getattr(self.classifier, "name", type(self.classifier).__name__)),
            "weights": about.get("weights_sha256"),
            "temperature": about.get("temperature"),
            "engine": getattr(self.classifier, "engine", None),
            "least": self.detector.min_face_size,
            "crop": repr(self.crop),
        }

    def classify(self, image: np.ndarray, detections: list[Detection]) -> list[Face]:
        """The emotion of each detection, in the given order; all faces go through the classifier as one batch."""
        check_picture(image)
        if not detections:
            return []
        return self.classify_crops(detections, self.crops(image, detections))

    def crops(self, image: np.ndarray, detections: list[Detection]) -> np.ndarray:
        """(N, 48, 48) uint8 grey, what the classifier sees of each detection."""
        cut = [crop_face(image, detection, self.crop, FACE_SIZE) for detection in detections]
        return np.stack(cut) if cut else np.zeros((0, FACE_SIZE, FACE_SIZE), np.uint8)

    def classify_crops(self, detections: list[Detection], crops: np.ndarray) -> list[Face]:
        """The emotion of each detection from its crop, which may have been changed on the way."""
        if not detections:
            return []
        probabilities = np.asarray(self.classifier.predict_proba(crops), np.float32)
        if probabilities.shape != (len(crops), len(EMOTIONS)) or not np.isfinite(probabilities).all():
            raise FerlibError("The classifier gave no valid probabilities; load another checkpoint.")
        return [_face(*pair, self.threshold) for pair in zip(detections, probabilities, strict=True)]


def load_pipeline(
    model: str | None = None, *, crop: CropSpec | None = None, engine: str | None = None, threads: int | None = None,
    **detector_options: Any,
) -> EmotionPipeline:  # fmt: skip
    """The pipeline with a shipped or trained classifier; nothing is downloaded.

    `model`: a checkpoint's name, None for the default one. `engine` is the classifier's, as `load_classifier` has it;
    `threads` are the classifier's and the detector's. `detector_options` go to `FaceDetector`: `min_face_size`,
    `thresholds`, `device`, `max_side`.
    """
    from ferlib.learning.classifier import load_classifier  # brings timm, which is slow to import

    how: dict[str, Any] = {key: value for key, value in (("engine", engine), ("threads", threads)) if value is not None}
    if threads is not None:
        detector_options["threads"] = threads
    return EmotionPipeline(FaceDetector(**detector_options), load_classifier(model, **how), crop)


def _face(detection: Detection, probabilities: np.ndarray, threshold: float) -> Face:
    best = int(probabilities.argmax())
    return Face(
        box=detection.box,
        landmarks=detection.landmarks,
        detection_confidence=detection.confidence,
        emotion=EMOTIONS[best],
        confidence=float(probabilities[best]),
        probabilities=probabilities,
        sure=bool(probabilities[best] >= threshold),
    )
