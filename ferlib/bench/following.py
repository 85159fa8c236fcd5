"""Difference between followed faces and those that a detection in each frame finds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ferlib.bench.detectors import matched_pairs
from ferlib.live.following import DETECT_EVERY, FaceFollower
from ferlib.pipeline import EmotionPipeline


@dataclass(frozen=True)
class FollowingReport:
    """Comparison of following with detecting in each frame; all but the first two count the faces of all frames.

    Attributes:
        frames: number of frames.
        detections: frames that were detected in.
        faces: faces that detecting in each frame finds.
        missed: faces among them that were not followed: a new face waits for the next detection.
        extra: faces that were followed where none is found.
        overlap: mean intersection over union with the box of a detection, 0..1.
        least_overlap: smallest intersection over union.
        landmarks: mean distance of the landmarks, in widths of the box.
        same_emotion: share of the faces with the same emotion as when classified in each frame.
        classified: faces that the classifier saw.
    """

    frames: int
    detections: int
    faces: int
    missed: int
    extra: int
    overlap: float
    least_overlap: float
    landmarks: float
    same_emotion: float
    classified: int


def measure_following(
    pipeline: EmotionPipeline, frames: Iterable[np.ndarray], detect_every: int = DETECT_EVERY,
    min_face_size: int | None = None,
) -> FollowingReport:  # fmt: skip
    """Compare the way of camera and videos with detection and classification in each frame.

    Args:
        pipeline: detector and classifier of both ways.
        frames: (H, W, 3) uint8 RGB, in order.
        detect_every: frames from one detection to the next.
        min_face_size: smallest face, pixels; None: the detector's own.
    """
    counting = _CountingPipeline(pipeline)
    follower = FaceFollower(counting)
    totals = dict.fromkeys(("frames", "detections", "faces", "missed", "extra"), 0)
    overlaps, landmarks, same = [], [], []
    for frame in frames:
        expected = pipeline.classify(frame, pipeline.detector(frame, min_face_size))
        followed, detected = follower.step(frame, detect_every, min_face_size)
        pairs = matched_pairs(expected, followed)
        for expected_index, index, intersection in pairs:
            face, twin = expected[expected_index], followed[index]
            overlaps.append(intersection)
            distances = np.linalg.norm(face.landmarks - twin.landmarks, axis=1)
            landmarks.append(distances.mean() / (face.box[2] - face.box[0]))
            same.append(face.emotion == twin.emotion)
        totals["frames"] += 1
        totals["detections"] += detected
        totals["faces"] += len(expected)
        totals["missed"] += len(expected) - len(pairs)
        totals["extra"] += len(followed) - len(pairs)
    return FollowingReport(
        **totals,
        overlap=float(np.mean(overlaps)) if overlaps else 1.0,
        least_overlap=float(min(overlaps, default=1.0)),
        landmarks=float(np.mean(landmarks)) if landmarks else 0.0,
        same_emotion=float(np.mean(same)) if same else 1.0,
        classified=counting.classified,
    )


class _CountingPipeline(EmotionPipeline):
    """Pipeline that counts the faces which it classifies."""

    def __init__(self, pipeline: EmotionPipeline):
        super().__init__(pipeline.detector, pipeline.classifier, pipeline.crop)
        self.classified = 0

    def classify_crops(self, detections: list, crops: np.ndarray) -> list:
        self.classified += len(detections)
        return super().classify_crops(detections, crops)
