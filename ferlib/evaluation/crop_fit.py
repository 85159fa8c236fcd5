"""Crop fit: agreement of a crop with FER2013's own framing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.faces.detector import Detection, FaceDetector
from ferlib.models.preprocessing import FACE_SIZE


@dataclass(frozen=True)
class CropAgreement:
    """Agreement of one crop with FER2013's framing.

    Attributes:
        spec: the crop.
        detection_rate: share of the pasted faces that the detector found; the other figures are of these.
        agreement: share of faces for which crop and original get the same class; None without a classifier.
        pixel_difference: mean absolute difference of crop and original in grey levels of 0..255.
    """

    spec: CropSpec
    detection_rate: float
    agreement: float | None
    pixel_difference: float


def paste_face(
    face: np.ndarray, size: float, centre: tuple[float, float], roll: float = 0.0, canvas: tuple[int, int] = (480, 640)
) -> np.ndarray:
    """Paste a face into a picture.

    Its own border, repeated and blurred, fills the rest: surroundings without an edge that a detector could take for a
    face, and no second face.

    Args:
        face: (48, 48) uint8 grey.
        size: width of the pasted face, pixels.
        centre: its centre in the picture, (x, y) in pixels.
        roll: its turn clockwise, radians.
        canvas: height and width of the picture, pixels.

    Returns:
        (H, W, 3) uint8.
    """
    scale = size / face.shape[0]
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = (np.array(face.shape[::-1]) - 1) / 2
    matrix = np.column_stack([turn, np.asarray(centre) - 0.5 - turn @ middle])
    pasted = cv2.warpAffine(face, matrix, canvas[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full_like(face, 255), matrix, canvas[::-1], flags=cv2.INTER_NEAREST) > 0
    picture = np.where(inside, pasted, cv2.GaussianBlur(pasted, (0, 0), size / 8))
    return np.repeat(picture[..., None], 3, axis=2)


def place_and_find(
    face: np.ndarray, detector: FaceDetector, random: np.random.Generator, sizes: tuple[float, float] = (96.0, 200.0),
    roll: float = 0.0,
) -> tuple[np.ndarray, Detection | None]:  # fmt: skip
    """Paste a face at a random place of a picture of 640x480 and detect it.

    Args:
        face: (48, 48) uint8 grey.
        detector: the face detector.
        random: source of place, width and turn.
        sizes: least and largest width of the pasted face, pixels.
        roll: largest turn to either side, degrees.

    Returns:
        The picture, and the detection nearest to the face; None when there is none within half its width.
    """
    size = random.uniform(*sizes)
    centre = (random.uniform(size, 640 - size), random.uniform(0.7 * size, 480 - 0.7 * size))
    picture = paste_face(face, size, centre, np.radians(random.uniform(-roll, roll)))
    hits = [d for d in detector(picture) if _distance(d, centre) < size / 2]
    return picture, min(hits, key=lambda d: _distance(d, centre), default=None)


def measure_crop_agreement(
    images: np.ndarray,
    specs: Sequence[CropSpec],
    detector: FaceDetector,
    predict: Callable[[np.ndarray], np.ndarray] | None = None,
    *,
    sizes: tuple[float, float] = (96.0, 200.0),
    roll: float = 0.0,
    seed: int = 0,
) -> list[CropAgreement]:
    """Measure how well each crop brings back FER2013's own framing.

    Each image is pasted into a picture (`place_and_find`), detected and cropped; the class of the original counts as
    the truth, whatever its label is.

    Args:
        images: (N, 48, 48) uint8.
        specs: the crops.
        detector: the face detector.
        predict: (N, 48, 48) uint8 faces -> (N, classes) scores; None for no classifier.
        sizes: least and largest width of a pasted face, pixels.
        roll: largest turn to either side, degrees.
        seed: seed of place, width and turn.

    Returns:
        The agreement of each crop, in the order of `specs`.

    Raises:
        FerlibError: the detector found none of the faces.
    """
    random = np.random.default_rng(seed)
    detected: list[tuple[int, np.ndarray, Detection]] = []
    for index, face in enumerate(images):
        picture, detection = place_and_find(face, detector, random, sizes, roll)
        if detection is not None:
            detected.append((index, picture, detection))
    if not detected:
        raise FerlibError("The detector found none of the pasted faces; give it more of them.")
    originals = images[[index for index, _, _ in detected]]
    original_classes = None if predict is None else predict(originals).argmax(axis=1)
    rows = []
    for spec in specs:
        crops = np.stack([crop_face(picture, detection, spec, size=FACE_SIZE) for _, picture, detection in detected])
        same = None if predict is None else float((predict(crops).argmax(axis=1) == original_classes).mean())
        difference = float(np.abs(crops.astype(np.int16) - originals).mean())
        rows.append(CropAgreement(spec, len(detected) / len(images), same, difference))
    return rows


def _distance(detection: Detection, point: tuple[float, float]) -> float:
    x1, y1, x2, y2 = detection.box
    return float(np.hypot((x1 + x2) / 2 - point[0], (y1 + y2) / 2 - point[1]))
