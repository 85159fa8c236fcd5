"""How far the faces that are followed are from those that a detection in each frame finds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ferlib.bench.detectors import matched
from ferlib.live.following import DETECT_EVERY, FaceFollower
from ferlib.pipeline import EmotionPipeline


@dataclass(frozen=True)
class FollowingReport:
    """What `measure_following` found; all but the first two count the faces of all frames."""

    frames: int
    detections: int  # frames that were detected in
    faces: int  # that detecting in each frame finds
    missed: int  # of those, not followed: a new face waits for the next detection
    extra: int  # followed where no face is found
    overlap: float  # mean intersection over union with the box of a detection, 0..1
    least_overlap: float  # the least of them
    landmarks: float  # mean distance of the landmarks in widths of the box
    same_emotion: float  # share of the faces with the same emotion as when classified in each frame
    classified: int  # faces that the classifier saw on the way


def measure_following(
    pipeline: EmotionPipeline,
    frames: Iterable[np.ndarray],
    detect_every: int = DETECT_EVERY,
    least: int | None = None,
) -> FollowingReport:
    """The way of camera and videos against detection and classification in each frame, on (H, W, 3) uint8 RGB frames.

    `least`: smallest face, pixels; None: the detector's own.
    """
    counted = _Counting(pipeline)
    follower = FaceFollower(counted)
    totals = dict.fromkeys(("frames", "detections", "faces", "missed", "extra"), 0)
    overlaps, landmarks, same = [], [], []
    for frame in frames:
        wanted = pipeline.classify(frame, pipeline.detector(frame, least))
        found, detected = follower.step(frame, detect_every, least)
        pairs = matched(wanted, found)
        for index, mate, shared in pairs:
            one, two = wanted[index], found[mate]
            overlaps.append(shared)
            landmarks.append(np.linalg.norm(one.landmarks - two.landmarks, axis=1).mean() / (one.box[2] - one.box[0]))
            same.append(one.emotion == two.emotion)
        totals["frames"] += 1
        totals["detections"] += detected
        totals["faces"] += len(wanted)
        totals["missed"] += len(wanted) - len(pairs)
        totals["extra"] += len(found) - len(pairs)
    return FollowingReport(
        **totals,
        overlap=float(np.mean(overlaps)) if overlaps else 1.0,
        least_overlap=float(min(overlaps, default=1.0)),
        landmarks=float(np.mean(landmarks)) if landmarks else 0.0,
        same_emotion=float(np.mean(same)) if same else 1.0,
        classified=counted.classified,
    )


class _Counting(EmotionPipeline):
    """Counts the faces that it classifies."""

    def __init__(self, pipeline: EmotionPipeline):
        super().__init__(pipeline.detector, pipeline.classifier, pipeline.crop)
        self.classified = 0

    def classify_crops(self, detections: list, crops: np.ndarray) -> list:
        self.classified += len(detections)
        return super().classify_crops(detections, crops)
