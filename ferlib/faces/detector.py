"""Face detection: MTCNN for pictures of any size and shape, and the same faces again in the next frame."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ferlib.errors import FerlibError
from ferlib.faces.mtcnn.cascade import Faces, as_squares, nms_contained
from ferlib.faces.mtcnn.engines import EngineName, open_engine
from ferlib.faces.pictures import check_picture
from ferlib.faces.tiles import FinerCopy, belongs_to_tile, cut_into_tiles, new_faces, plan_copies, turn_back
from ferlib.parallel import cores

if TYPE_CHECKING:
    import torch

MIN_FACE_SIZE = 40  # pixels; the smallest face that is searched for in pictures
THRESHOLDS = (0.6, 0.7, 0.7)  # least probability of a face after each stage
DETECTOR_THREADS = 2
MAX_SIDE = 1920  # pixels; a larger picture is scaled down to this before the search
_BORDERED_SIDE = 256  # pixels; a picture with a shorter side of at most this may be one tightly cut face
_BORDER = 0.25  # width of the border, as a share of the shorter side
_BORDER_GREY = 127  # MTCNN normalises with (x - 127.5) / 128, so this is its zero
_TURNED_PROBABILITY = 0.95  # least probability of a face in a picture that was turned for the search
_MAX_OVERLAP = 0.7  # share of the smaller of two boxes that the larger one covers, above which they are one face


@dataclass(frozen=True, eq=False)
class Detection:
    """Face in a picture. Coordinates are pixels of the picture that was given, x to the right and y down.

    Attributes:
        box: x1, y1, x2, y2, inside the picture.
        landmarks: (5, 2) float32: left eye, right eye, nose, left and right mouth corner, as seen.
        confidence: the detector's probability of a face, 0..1.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    confidence: float


class FaceDetector:
    """Face detector for RGB pictures: MTCNN (Zhang et al. 2016); callable.

    One detector may be shared between threads: calls run one after another.

    Args:
        min_face_size: smallest face that is searched for, pixels; smaller is slower.
        thresholds: least probability after each of the three stages, 0..1; higher finds fewer wrong faces and misses
            more true ones.
        device: where the nets run. They cannot be moved later, and on Apple's MPS they fail, so leave them on the CPU
            there.
        max_side: pictures with a longer side are scaled down to it, pixels. In a call `min_face_size` then counts in
            the smaller picture; `search` goes on in tiles of this size.
        engine: "onnx", our cascade on ONNX Runtime; "torch", facenet-pytorch itself, which finds the same boxes in
            about four times the time; None for the fastest that the device has.
        threads: threads of "onnx", at most the cores that there are.

    Attributes:
        min_face_size: as given.
        max_side: as given.

    Raises:
        FerlibError: a value out of range, or an engine that cannot be had.

    Examples:
        >>> detector = FaceDetector(min_face_size=60)
        >>> [detection.box for detection in detector(image)]
        [(180.3, 60.7, 268.4, 172.2)]
    """

    def __init__(
        self,
        min_face_size: int = MIN_FACE_SIZE,
        thresholds: Sequence[float] = THRESHOLDS,
        device: "str | torch.device" = "cpu",
        max_side: int = MAX_SIDE,
        engine: EngineName | None = None,
        threads: int = DETECTOR_THREADS,
    ):
        _check_face_size(min_face_size)
        if len(thresholds) != 3 or not all(0 < t < 1 for t in thresholds):
            raise FerlibError(f"thresholds must be three numbers between 0 and 1, not {thresholds!r}.")
        if max_side <= min_face_size:
            raise FerlibError(f"max_side ({max_side}) must be larger than min_face_size ({min_face_size}).")
        if threads < 1:
            raise FerlibError(f"threads must be at least 1, not {threads}.")
        self.min_face_size = min_face_size
        self.max_side = max_side
        self._min_probability = float(thresholds[2])
        self._lock = Lock()
        self._engine = open_engine(engine, thresholds, device, min(threads, cores()))

    @property
    def engine(self) -> EngineName:
        """Name of the engine that runs the nets."""
        return self._engine.name

    def __call__(self, image: np.ndarray, min_face_size: int | None = None) -> list[Detection]:
        """Find the faces of a frame, or of a picture where time counts.

        `search` takes longer and finds more: in a picture above `max_side` small faces, too, and faces on their side.
        The order of the channels cannot be checked: a BGR picture (OpenCV's order) is accepted and finds worse.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_face_size: replaces the detector's own for this picture, pixels.

        Returns:
            The faces from left to right; an empty list when there is none.

        Raises:
            FerlibError: another shape or type.
        """
        check_picture(image)
        smallest = self.min_face_size if min_face_size is None else _check_face_size(min_face_size)
        small, scale = _scale_down(image, self.max_side)
        return _from_left(self._detect(small, smallest, image.shape, scale))

    def search(self, image: np.ndarray, min_face_size: int | None = None) -> list[Detection]:
        """Find all faces of a picture, down to the smallest size in its own pixels.

        The picture is searched as a whole, as a call does it, and those faces stay as they are. A picture above
        `max_side` is then searched in tiles for smaller ones, which takes the longer the smaller they may be. Where no
        face has a probability of 0.95, the picture is turned by 90, 270 and 180 degrees, and the turn with the most
        probable face counts if that one has it.

        Args:
            image: (H, W, 3) uint8 RGB.
            min_face_size: replaces the detector's own for this picture, pixels.

        Returns:
            The faces from left to right; an empty list when there is none.

        Raises:
            FerlibError: another shape or type.
        """
        check_picture(image)
        smallest = self.min_face_size if min_face_size is None else _check_face_size(min_face_size)
        searched_size, longer_side = min(smallest, MIN_FACE_SIZE), max(image.shape[:2])
        in_copy = max(searched_size, round(smallest * min(1.0, self.max_side / longer_side)))
        detections = self(image, in_copy)
        for finer in plan_copies(longer_side, self.max_side, smallest, searched_size):
            known = np.array([detection.box for detection in detections]).reshape(-1, 4)
            smaller = self._search_tiles(image, searched_size, finer)
            boxes = np.array([detection.box for detection in smaller]).reshape(-1, 4)
            scores = np.array([detection.confidence for detection in smaller])
            detections = detections + [smaller[index] for index in new_faces(known, boxes, scores)]
        if all(detection.confidence < _TURNED_PROBABILITY for detection in detections):
            detections = self._search_turned(image, in_copy) or detections
        return _from_left(detections)

    def _detect(
        self, part: np.ndarray, smallest: int, shape: tuple[int, ...], scale: np.ndarray
    ) -> list[Detection | None]:
        """Faces of a part of a picture, or of a copy, as `_detections` gives them for `shape` and `scale`."""
        framed, border = _add_border(part)
        if min(framed.shape[:2]) <= smallest:  # MTCNN would have no scale to search, and raises
            return []
        with self._lock:
            faces = self._engine.detect(framed, smallest)
        return _detections(faces, shape, scale, border)

    def _search_tiles(self, image: np.ndarray, smallest: int, finer: FinerCopy) -> list[Detection]:
        """Faces that are new in a finer copy, one by one tile, perhaps several times."""
        copy, scale = _scale_down(image, round(finer.factor * max(image.shape[:2])))
        detections: list[Detection] = []
        for tile in cut_into_tiles(copy.shape[0], copy.shape[1], self.max_side, finer.max_face_size):
            x1, y1, x2, y2 = tile
            part = copy[y1:y2, x1:x2]
            faces = list(filter(None, self._detect(part, smallest, part.shape, np.ones(2))))
            boxes = np.array([face.box for face in faces]).reshape(-1, 4)
            counts = belongs_to_tile(boxes, tile, copy.shape, finer.max_face_size)
            detections += [
                _mapped(face, partial(_out_of_tile, corner=np.array([x1, y1]), scale=scale))
                for face, does_count in zip(faces, counts, strict=True)
                if does_count
            ]
        return detections

    def _search_turned(self, image: np.ndarray, smallest: int) -> list[Detection]:
        """Faces of the picture's copy in the turn that shows the most probable one."""
        small, scale = _scale_down(image, self.max_side)
        best: list[Detection] = []
        for quarters in (1, 3, 2):
            turned = np.ascontiguousarray(np.rot90(small, quarters))
            faces = filter(None, self._detect(turned, smallest, turned.shape, np.ones(2)))
            sure = [
                _mapped(face, partial(_out_of_turn, quarters=quarters, shape=small.shape, scale=scale))
                for face in faces
                if face.confidence >= _TURNED_PROBABILITY
            ]
            best = max(best, sure, key=lambda turn: max((face.confidence for face in turn), default=0.0))
        return best

    def refine(self, image: np.ndarray, detections: Sequence[Detection]) -> list[Detection | None]:
        """Find the faces of the previous frame in this one, by MTCNN's last net alone on the old boxes.

        It takes about 0.5 ms a face.

        Args:
            image: (H, W, 3) uint8 RGB.
            detections: faces of the previous frame.

        Returns:
            The faces in the given order; None for one that is no longer there, has moved by more than about a third of
            its size, or has come to lie on another one of them.

        Raises:
            FerlibError: another shape or type.
        """
        check_picture(image)
        if not detections:
            return []
        framed, border = _add_border(image)
        previous = np.array([detection.box for detection in detections], np.float32) + np.float32(border)
        with self._lock:
            boxes, scores, points = self._engine.score_squares(framed, as_squares(previous))
        good = np.flatnonzero(scores > self._min_probability)
        good = good[nms_contained(boxes[good], scores[good], _MAX_OVERLAP)]
        refined = _detections((boxes[good], scores[good], points[good]), image.shape, np.ones(2), border)
        by_index = dict(zip(good.tolist(), refined, strict=True))
        return [by_index.get(index) for index in range(len(detections))]


def _from_left(detections: Iterable[Detection | None]) -> list[Detection]:
    return sorted(filter(None, detections), key=lambda d: (d.box[0] + d.box[2], d.box[1]))


def _mapped(detection: Detection, place: Callable[[np.ndarray], np.ndarray]) -> Detection:
    """Move a face by a map of points that keeps boxes upright."""
    corners = place(np.array(detection.box).reshape(2, 2))
    x1, y1, x2, y2 = (float(value) for value in (*corners.min(axis=0), *corners.max(axis=0)))
    points = place(detection.landmarks.astype(np.float64)).astype(np.float32)
    return Detection((x1, y1, x2, y2), points, detection.confidence)


def _out_of_tile(points: np.ndarray, corner: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return (points + corner) / scale


def _out_of_turn(points: np.ndarray, quarters: int, shape: tuple[int, ...], scale: np.ndarray) -> np.ndarray:
    return turn_back(points, quarters, shape) / scale


def _detections(faces: Faces, shape: tuple[int, ...], scale: np.ndarray, border: int) -> list[Detection | None]:
    """Convert the engine's faces to pixels of the picture that was given; None for one that lies outside it."""
    boxes, scores, points = faces
    boxes = ((boxes.astype(np.float64).reshape(-1, 2, 2) - border) / scale).clip(0, shape[1::-1]).reshape(-1, 4)
    points = (points.astype(np.float64) - border) / scale
    parts = zip(boxes, points, scores, strict=True)
    return [_detection(*face) if _is_sound(*face) else None for face in parts]


def _check_face_size(pixels: int) -> int:
    if pixels < 12:
        raise FerlibError(f"min_face_size must be at least 12 pixels, the first net's window, not {pixels}.")
    return pixels


def _is_sound(box: np.ndarray, points: np.ndarray, confidence: float) -> bool:
    """Tell whether the box lies inside the picture and all numbers are finite."""
    finite = np.isfinite(box).all() and np.isfinite(points).all() and np.isfinite(float(confidence))
    return bool(finite) and box[2] - box[0] >= 1 and box[3] - box[1] >= 1


def _detection(box: np.ndarray, points: np.ndarray, confidence: float) -> Detection:
    x1, y1, x2, y2 = (float(value) for value in box)
    return Detection((x1, y1, x2, y2), points.astype(np.float32), float(min(max(float(confidence), 0.0), 1.0)))


def _scale_down(image: np.ndarray, max_side: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale a picture down to no side above `max_side`; also give the exact factors (x, y)."""
    height, width = image.shape[:2]
    factor = max_side / max(height, width)
    if factor >= 1:
        return image, np.ones(2)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.array([size[0] / width, size[1] / height])


def _add_border(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Put a grey border around a small picture; also give the border's width.

    MTCNN was trained on faces with surroundings. Of 200 FER2013 faces, which fill their picture, it finds 80 % as they
    are and 89 % with this border.
    """
    short = min(image.shape[:2])
    if short > _BORDERED_SIDE:
        return image, 0
    border = round(_BORDER * short)
    return cv2.copyMakeBorder(image, *(border,) * 4, cv2.BORDER_CONSTANT, value=(_BORDER_GREY,) * 3), border
