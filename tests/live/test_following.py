import numpy as np
import pytest
from fakes import FakeDetector, NoCrops

from ferlib.bench.following import measure_following
from ferlib.live.following import MAX_REUSED, FaceFollower
from ferlib.pipeline import EmotionPipeline
from ferlib.samples.clips import CLIPS, crowd, made_clip

BLANK = np.zeros((240, 320, 3), np.uint8)
BOXES = (60, 60, 140, 160), (200, 60, 280, 160)


class Crops(NoCrops):
    """Fakes whose crops are as bright as told; remembers which faces were classified."""

    def __init__(self, *boxes):
        super().__init__(FakeDetector(*boxes))
        self.light, self.classified = [0] * len(boxes), []

    def crops(self, image, detections):
        lights = np.array(self.light[: len(detections)], np.uint8)
        return np.ones((len(lights), 48, 48), np.uint8) * lights[:, None, None]

    def classify_crops(self, detections, crops):
        self.classified.append([int(crop[0, 0]) for crop in crops])
        return super().classify_crops(detections, crops)


def detected(follower, images, **options):
    return [follower.step(image, **options)[1] for image in images]


def test_one_detection_in_so_many_frames():
    follower = FaceFollower(Crops(*BOXES))
    assert detected(follower, [BLANK] * 7, detect_every=3) == [True, False, False, True, False, False, True]
    assert follower.pipeline.detector.refined == 4
    assert all(detected(FaceFollower(Crops(*BOXES)), [BLANK] * 3, detect_every=1))


def test_a_lost_face_a_cut_another_size_and_nobody_ask_for_a_detection():
    follower = FaceFollower(Crops(*BOXES))
    detector = follower.pipeline.detector
    detected(follower, [BLANK])
    detector.refine = lambda image, detections: [detections[0], None]
    assert detected(follower, [BLANK], detect_every=9) == [True]
    detector.refine = lambda image, detections: list(detections)
    assert detected(follower, [BLANK, BLANK + 90, BLANK[:-8]], detect_every=9) == [False, True, True]
    detector.boxes = []
    assert detected(follower, [BLANK] * 2 + [BLANK[:-8]] * 2, detect_every=9) == [True, True, True, True]


def test_an_error_is_followed_by_a_detection():
    follower = FaceFollower(Crops(*BOXES))
    detected(follower, [BLANK])
    follower.pipeline.light = [50, 50]

    def fail(*_):
        raise RuntimeError("out of memory")

    classify, follower.pipeline.classify_crops = follower.pipeline.classify_crops, fail
    with pytest.raises(RuntimeError):
        follower.step(BLANK, 9)
    follower.pipeline.classify_crops = classify
    assert detected(follower, [BLANK], detect_every=9) == [True]


def test_only_faces_that_changed_are_classified_and_none_is_left_out_for_long():
    follower = FaceFollower(Crops(*BOXES))
    pipeline = follower.pipeline
    follower.step(BLANK, 99)
    pipeline.light = [0, 60]
    faces, _ = follower.step(BLANK, 99)
    assert pipeline.classified == [[0, 0], [60]]
    assert [face.box for face in faces] == [tuple(map(float, box)) for box in BOXES]
    for _ in range(MAX_REUSED + 2):
        follower.step(BLANK, 99)
    assert [len(batch) for batch in pipeline.classified[2:]] == [0] * (MAX_REUSED - 1) + [1, 1, 0]


def test_slow_changes_add_up():
    follower = FaceFollower(Crops(BOXES[0]))
    for light in (0, 2, 4):
        follower.pipeline.light = [light]
        follower.step(BLANK, 99)
    assert follower.pipeline.classified == [[0], [], [4]]


def test_a_detection_classifies_everything():
    follower = FaceFollower(Crops(*BOXES))
    for _ in range(4):
        follower.step(BLANK, 2)
    assert [len(batch) for batch in follower.pipeline.classified] == [2, 0, 2, 0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zooming", "vanishing"])
def test_followed_faces_are_those_that_a_detection_finds(detector, make, kind):
    pipeline = EmotionPipeline(detector, make.classifier())
    frames = list(made_clip(kind, 45))[4:20]
    report = measure_following(pipeline, frames, detect_every=6)
    assert report.frames == 16
    assert report.detections <= 4
    assert report.overlap > 0.9
    assert report.least_overlap > 0.75
    assert report.landmarks < 0.02
    assert report.extra == 0
    assert report.missed <= 5
    assert report.classified <= report.faces


def test_a_report_without_faces(detector, make):
    report = measure_following(EmotionPipeline(detector, make.classifier()), [BLANK] * 2)
    assert (report.frames, report.detections, report.faces, report.overlap, report.same_emotion) == (2, 2, 0, 1, 1)


@pytest.mark.slow
def test_made_clips_are_what_they_are_said_to_be(detector):
    for kind in CLIPS:
        first, *_ = made_clip(kind, 2)
        assert (first.shape, first.dtype) == ((480, 640, 3), np.uint8)
        np.testing.assert_array_equal(next(made_clip(kind, 1, seed=3)).shape, first.shape)
    assert len(detector(next(crowd(count=4, frames=1)))) == 4
    with pytest.raises(ValueError, match="unknown clip"):
        next(made_clip("dancing"))
