"""The same face from frame to frame: identities by place and shape, through crossings and short gaps.

Each frame's faces are matched with the known tracks by the overlap of their boxes and the distance of their landmarks,
where each track is expected by its own speed; the best matching of all together is Kuhn's "Hungarian" one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live.assignment import assign
from ferlib.live.smoothing import MARGIN, TIME_CONSTANT, LabelSmoother
from ferlib.pipeline import Face

_MIN_SIMILARITY = 0.25  # of 0..1; below it two faces are not the same one
_OVERLAP_SHARE = 0.5  # of the similarity; the rest is the landmarks'
_LANDMARK_REACH = 0.5  # mean distance, in face sizes, at which landmarks are 1/e similar
_SPARSE = 0.5  # seconds from one frame to the next; the farther they lie apart, the farther a face may have moved
_WIDEST_REACH = 4.0  # times the reach at most
_SPEED_GAIN = 0.5  # share of a new speed that is believed at once
_LONGEST_STEP = 1.5  # seconds over which a face's speed is trusted

PATIENCE_FRAMES = 2
"""Frames of a video in which a face may be missed, however far they lie apart."""


@dataclass(frozen=True, eq=False)
class TrackedFace:
    """A face of one frame with its identity and its steadied emotion.

    Attributes:
        track: number of the track: 1, 2, 3, ... in the order of appearance, never used again.
        face: the detection and classification of this frame alone.
        probabilities: (8,) float32, smoothed over time, in class order.
        emotion: the label with hysteresis.
        confidence: smoothed probability of that label, 0..1.
        age: seconds since the track began.
    """

    track: int
    face: Face
    probabilities: np.ndarray
    emotion: str
    confidence: float
    age: float

    def steadied(self, threshold: float = 0.0) -> Face:
        """Give the face with its smoothed probabilities and its steady label.

        Args:
            threshold: the face is "not sure" where the smoothed confidence is below it, 0..1.
        """
        return replace(
            self.face,
            emotion=self.emotion,
            confidence=self.confidence,
            probabilities=self.probabilities,
            sure=self.confidence >= threshold,
        )


@dataclass(eq=False)
class _Track:
    number: int
    born: float
    seen: float
    box: np.ndarray  # x1, y1, x2, y2 when last seen
    landmarks: np.ndarray  # (5, 2) when last seen
    smoother: LabelSmoother
    missed: int = 0  # frames since it was last seen
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))  # pixels a second

    def offset(self, time: float) -> np.ndarray:
        """Way that the face should have gone since it was last seen, (x, y) in pixels."""
        return self.speed * min(max(0.0, time - self.seen), _LONGEST_STEP)

    def see(self, box: np.ndarray, landmarks: np.ndarray, time: float) -> None:
        elapsed = time - self.seen
        if elapsed > 0:
            new_speed = (_centre(box) - _centre(self.box)) / elapsed
            self.speed = (1 - _SPEED_GAIN) * self.speed + _SPEED_GAIN * new_speed
        self.box, self.landmarks, self.seen, self.missed = box, landmarks, time, 0


class Tracker:
    """Gives the faces of successive frames of one stream their identities.

    Args:
        patience: seconds that a face may be hidden before its track ends.
        time_constant: time constant of the probabilities, seconds; see `LabelSmoother`. May be changed while it runs.
        margin: probability by which a new label must lead.
        patience_frames: frames in which a face may be missed before its track ends, however much time lies between
            them, as in a time lapse; None leaves it to `patience` alone.

    Attributes:
        patience: as given.
        patience_frames: as given; may be changed while it runs.

    Raises:
        FerlibError: a value is negative.
    """

    def __init__(
        self,
        patience: float = 1.5,
        time_constant: float = TIME_CONSTANT,
        margin: float = MARGIN,
        patience_frames: int | None = None,
    ):
        if not patience >= 0:
            raise FerlibError(f"patience must be 0 seconds or more, not {patience}.")
        self.patience = patience
        self.patience_frames = patience_frames
        self._margin = margin
        self._time_constant = LabelSmoother(time_constant, margin).time_constant
        self._tracks: list[_Track] = []
        self._born = 0
        self._time = float("-inf")

    @property
    def time_constant(self) -> float:
        """Time constant of the smoothing, seconds."""
        return self._time_constant

    @time_constant.setter
    def time_constant(self, seconds: float) -> None:
        self._time_constant = LabelSmoother(seconds, self._margin).time_constant
        for track in self._tracks:
            track.smoother.time_constant = seconds

    @property
    def alive(self) -> int:
        """Number of faces that are followed now, the hidden ones included."""
        return len(self._tracks)

    def reset(self) -> None:
        """Forget all tracks and the clock, as for a new stream; the numbers go on."""
        self._tracks = []
        self._time = float("-inf")

    def update(self, faces: Sequence[Face], time: float, size: tuple[int, int] | None = None) -> list[TrackedFace]:
        """Give the faces of a frame their identities, in the given order.

        Args:
            faces: the faces of the frame.
            time: seconds on the stream's own clock; a time before the last one counts as the same moment.
            size: width and height of the frame; with it, a track whose face has left through the border ends at once.
        """
        before, self._time = self._time, max(time, self._time)
        time = self._time
        frames = -1 if self.patience_frames is None else self.patience_frames
        self._tracks = [t for t in self._tracks if time - t.seen <= self.patience or t.missed <= frames]
        reach = _LANDMARK_REACH * min(max(1.0, (time - before) / _SPARSE), _WIDEST_REACH) if self._tracks else 0.0
        boxes = [np.asarray(face.box, np.float64) for face in faces]
        matched = self._match(boxes, faces, time, reach)
        for track in self._tracks:
            track.missed += 1
        tracked_faces = [self._follow(matched.get(i), boxes[i], face, time) for i, face in enumerate(faces)]
        if size is not None:
            self._tracks = [t for t in self._tracks if t.seen == time or not _has_left(t, time, size)]
        return tracked_faces

    def _match(self, boxes: list[np.ndarray], faces: Sequence[Face], time: float, reach: float) -> dict[int, _Track]:
        """Map the index of each face that has a track to its track."""
        if not faces or not self._tracks:
            return {}
        landmarks = np.array([face.landmarks for face in faces], np.float64)
        scores = _similarities(self._tracks, np.array(boxes), landmarks, time, reach)
        alike = np.where(scores < _MIN_SIMILARITY, 0.0, scores)
        rows, columns = np.flatnonzero(alike.any(axis=1)), np.flatnonzero(alike.any(axis=0))
        if not len(rows):
            return {}
        pairs = [(rows[i], columns[j]) for i, j in assign(alike[np.ix_(rows, columns)])]
        return {int(face): self._tracks[track] for track, face in pairs if alike[track, face]}

    def _follow(self, track: _Track | None, box: np.ndarray, face: Face, time: float) -> TrackedFace:
        landmarks = np.asarray(face.landmarks, np.float64)
        if track is None:
            self._born += 1
            smoother = LabelSmoother(self._time_constant, self._margin)
            track = _Track(self._born, time, time, box, landmarks, smoother)
            self._tracks.append(track)
        else:
            track.see(box, landmarks, time)
        mean, label = track.smoother.update(face.probabilities, time)
        return TrackedFace(track.number, face, mean, EMOTIONS[label], float(mean[label]), time - track.born)


def _centre(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of each box of one set with each box of another; boxes without area do not overlap.

    Args:
        first: (N, 4) corners x1, y1, x2, y2, pixels.
        second: (M, 4) corners likewise.

    Returns:
        (N, M) shares, 0..1.
    """
    corners = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    shared = np.prod(np.maximum(corners, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _similarities(
    tracks: Sequence[_Track], boxes: np.ndarray, landmarks: np.ndarray, time: float, reach: float = _LANDMARK_REACH
) -> np.ndarray:
    """Similarity of each track with each face: overlap of the boxes, mean distance of the landmarks in face sizes.

    Args:
        tracks: T known tracks.
        boxes: (F, 4) corners of the faces, pixels.
        landmarks: (F, 5, 2) pixels.
        time: seconds on the stream's clock.
        reach: mean distance of the landmarks, in face sizes, at which they are 1/e similar.

    Returns:
        (T, F) similarities, 0..1.
    """
    offsets = np.array([track.offset(time) for track in tracks])
    expected = np.array([track.box for track in tracks]) + np.tile(offsets, 2)
    expected_landmarks = np.array([track.landmarks for track in tracks]) + offsets[:, None]
    track_sizes, face_sizes = _sizes(expected)[:, None], _sizes(boxes)[None]
    distances = np.linalg.norm(expected_landmarks[:, None] - landmarks[None], axis=3).mean(2)
    distances /= (track_sizes + face_sizes) / 2
    alike = np.exp(-distances / reach)
    alike *= np.minimum(track_sizes, face_sizes) / np.maximum(track_sizes, face_sizes)
    return _OVERLAP_SHARE * overlaps(expected, boxes) + (1 - _OVERLAP_SHARE) * alike


def _sizes(boxes: np.ndarray) -> np.ndarray:
    """Square roots of the areas of (N, 4) boxes, pixels; at least 1."""
    return np.sqrt(np.maximum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), 1.0))


def _has_left(track: _Track, time: float, size: tuple[int, int]) -> bool:
    """Tell whether the face should now be outside the frame by at least half its width or height."""
    x, y = _centre(track.box) + track.offset(time)
    return not (0 <= x <= size[0] and 0 <= y <= size[1])
