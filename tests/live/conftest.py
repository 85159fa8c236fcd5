"""One detector for all live tests (loading it takes longer than using it), and a classifier that needs no weights."""

import numpy as np
import pytest

from ferlib.data.labels import EMOTIONS
from ferlib.live.detection import Detection, FaceDetector
from ferlib.live.pictures import sample_picture
from ferlib.live.pipeline import EmotionPipeline, Face


class FakeClassifier:
    """Remembers its batches and gives face k of a batch most of class k."""

    def __init__(self):
        self.batches = []

    def predict_proba(self, faces):
        self.batches.append(faces)
        scores = np.full((len(faces), len(EMOTIONS)), 0.04, np.float32)
        scores[np.arange(len(faces)), np.arange(len(faces)) % len(EMOTIONS)] = 0.72
        return scores


def make_face(box=(20, 30, 60, 80), emotion="happy", confidence=0.79):
    probabilities = np.full(len(EMOTIONS), (1 - confidence) / 7, np.float32)
    probabilities[EMOTIONS.index(emotion)] = confidence
    x1, y1, x2, y2 = box
    points = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
    landmarks = (points * [x2 - x1, y2 - y1] + [x1, y1]).astype(np.float32)
    return Face(tuple(float(v) for v in box), landmarks, 0.99, emotion, confidence, probabilities)


def make_detection(box=(20, 30, 60, 80)):
    face = make_face(box)
    return Detection(face.box, face.landmarks, face.detection_confidence)


@pytest.fixture(scope="session")
def detector():
    return FaceDetector()


@pytest.fixture(scope="session")
def photo():
    """The upper middle of the sample photo, (240, 220, 3), with the one face in it."""
    picture = sample_picture()[:240, 110:330].copy()
    picture.setflags(write=False)
    return picture


@pytest.fixture
def pipeline(detector):
    return EmotionPipeline(detector, FakeClassifier())


@pytest.fixture(scope="session")
def make():
    """Builders of faces and detections that no picture is needed for."""

    class Make:
        face = staticmethod(make_face)
        detection = staticmethod(make_detection)
        classifier = FakeClassifier

    return Make
