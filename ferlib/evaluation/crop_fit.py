"""How well a crop brings back FER2013's own framing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.faces.detector import Detection, FaceDetector


@dataclass(frozen=True)
class CropAgreement:
    """What `measure_crop_agreement` found for one spec."""

    spec: CropSpec
    detection_rate: float  # share of the pasted faces that the detector found; the rest counts for found faces only
    agreement: float | None  # share for which crop and original get the same class; None without a classifier
    pixel_difference: float  # mean absolute difference of crop and original in grey levels of 0..255


def paste_face(
    face: np.ndarray, size: float, centre: tuple[float, float], roll: float = 0.0, canvas: tuple[int, int] = (480, 640)
) -> np.ndarray:
    """A (48, 48) uint8 grey face, `size` pixels wide and turned by `roll` radians clockwise, in a (H, W, 3) picture.

    Its own border, repeated and blurred, fills the rest: surroundings without an edge that a detector could take for a
    face, and no second face.
    """
    scale = size / face.shape[0]
    turn = scale * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = (np.array(face.shape[::-1]) - 1) / 2
    matrix = np.column_stack([turn, np.asarray(centre) - 0.5 - turn @ middle])
    wide = cv2.warpAffine(face, matrix, canvas[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full_like(face, 255), matrix, canvas[::-1], flags=cv2.INTER_NEAREST) > 0
    picture = np.where(inside, wide, cv2.GaussianBlur(wide, (0, 0), size / 8))
    return np.repeat(picture[..., None], 3, axis=2)


def place_and_find(
    face: np.ndarray, detector: FaceDetector, random: np.random.Generator, sizes: tuple[float, float] = (96.0, 200.0),
    roll: float = 0.0,
) -> tuple[np.ndarray, Detection | None]:  # fmt: skip
    """Paste a (48, 48) uint8 face into a picture of 640x480 and detect it: the picture, and the face found there.

    Place, width (within `sizes`, pixels) and turn (up to `roll` degrees either way) are drawn from `random`. The
    detection nearest to the face counts; None when there is none within half its width.
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
    """How well each spec brings back FER2013's own framing.

    Each of `images` (N, 48, 48) uint8 is pasted into a picture of 640x480 at a random place, at a random width within
    `sizes` pixels, turned by up to `roll` degrees either way; then it is detected and cropped. `predict` maps
    (N, 48, 48) uint8 to (N, classes) scores; the original's class counts as the truth, whatever its label is.
    """
    random = np.random.default_rng(seed)
    found: list[tuple[int, np.ndarray, Detection]] = []
    for index, face in enumerate(images):
        picture, detection = place_and_find(face, detector, random, sizes, roll)
        if detection is not None:
            found.append((index, picture, detection))
    if not found:
        raise FerlibError("The detector found none of the pasted faces; give it more of them.")
    originals = images[[index for index, _, _ in found]]
    wanted = None if predict is None else predict(originals).argmax(axis=1)
    rows = []
    for spec in specs:
        crops = np.stack([crop_face(picture, detection, spec) for _, picture, detection in found])
        same = None if predict is None else float((predict(crops).argmax(axis=1) == wanted).mean())
        difference = float(np.abs(crops.astype(np.int16) - originals).mean())
        rows.append(CropAgreement(spec, len(found) / len(images), same, difference))
    return rows


def _distance(detection: Detection, point: tuple[float, float]) -> float:
    x1, y1, x2, y2 = detection.box
    return float(np.hypot((x1 + x2) / 2 - point[0], (y1 + y2) / 2 - point[1]))
