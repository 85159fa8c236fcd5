"""Fakes of classifier, detector, pipeline and source, and small videos of the public-domain photo."""

from fractions import Fraction

import av
import cv2
import numpy as np

from ferlib.data.labels import EMOTIONS, MEANT_EMOTIONS
from ferlib.faces.detector import Detection
from ferlib.live.frames import Frame
from ferlib.models.questions import Answers, blend, widen_meant
from ferlib.pipeline import Face
from ferlib.samples.streams import made_face

KINDS = {
    ".avi": "avi", ".mp4": "mp4", ".mkv": "matroska", ".webm": "webm", ".mpg": "mpeg", ".vob": "vob", ".ts": "mpegts",
    ".mts": "mpegts", ".asf": "asf", ".h264": "h264", ".av1": "obu", ".mov": "mov", ".flv": "flv",
}  # fmt: skip
"""FFmpeg's name of the container for each suffix."""


class FakeClassifier:
    """A classifier that remembers its batches and gives face k of a batch most of class k."""

    def __init__(self):
        self.batches = []

    def predict_proba(self, faces):
        self.batches.append(faces)
        scores = np.full((len(faces), len(EMOTIONS)), 0.04, np.float32)
        scores[np.arange(len(faces)), np.arange(len(faces)) % len(EMOTIONS)] = 0.72
        return scores


class TwoQuestions:
    """A classifier that sees neutral where sad was meant, and asks either or both."""

    questions, question, threshold = ("seen", "meant"), "both", 0.5

    def ask(self, question):
        self.question, self.threshold = question, {"seen": 0.6, "meant": 0.7, "both": 0.5}[question]

    def answer(self, faces):
        seen, meant = (np.zeros((len(faces), count), np.float32) for count in (8, 7))
        seen[:, EMOTIONS.index("neutral")], meant[:, MEANT_EMOTIONS.index("sad")] = 1, 1
        readings = {"seen": seen, "meant": widen_meant(meant), "both": blend(seen, meant, 0.6)}
        return Answers(readings[self.question], seen, meant)


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


def jpeg(image, quality=90):
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def moving(photo, count, step=3):
    """Yield `count` frames of (240, 320, 3) in which the photo's face wanders to the right and back."""
    for index in range(count):
        picture = np.full((240, 320, 3), 90, np.uint8)
        left = abs((index * step) % 160 - 80) + 10
        picture[:, left : left + photo.shape[1]] = photo[:240]
        yield picture


def write_video(path, pictures, rate=10.0, code=None, times=None, **options):
    """Write a video with PyAV, its frames at `times` (seconds) where they are given, and return its path.

    Options: size of the stream, pixel aspect, `rotation`, container `kind` and the encoder's own options.
    """
    suffix = path.suffix.lower()
    code = code or {".avi": "mjpeg", ".mp4": "libx264", ".mkv": "mjpeg", ".mpg": "mpeg2video"}[suffix]
    aspect, rotation, kind = options.pop("aspect", None), options.pop("rotation", None), options.pop("kind", None)
    pictures = iter(pictures)
    first = next(pictures)
    base = Fraction(1, 1000) if times is not None else 1 / Fraction(rate).limit_denominator(10_000)
    with open(path, "w+b") as handle, av.open(handle, "w", format=kind or KINDS[suffix]) as container:
        stream = container.add_stream(code, rate=Fraction(rate).limit_denominator(10_000), options=options)
        stream.width, stream.height = first.shape[1], first.shape[0]
        stream.pix_fmt = "yuvj420p" if code == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = base
        if code == "mjpeg":
            stream.codec_context.qscale, stream.codec_context.global_quality = True, 2 * 118
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for index, picture in enumerate([first, *pictures]):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index if times is None else round(1000 * times[index]), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class FakeDetector:
    """A detector whose faces are at `boxes`, whatever the picture shows; remembers its calls."""

    def __init__(self, *boxes, error=None):
        self.boxes, self.error, self.calls, self.least = list(boxes), error, 0, None
        self.refined = 0

    def __call__(self, image, min_face_size=None):
        self.calls, self.least = self.calls + 1, min_face_size
        if self.error is not None:
            raise self.error
        return [made_face(box) for box in self.boxes]  # a Face has what a Detection has

    def search(self, image, min_face_size=None):
        return self(image, min_face_size)

    def refine(self, image, detections):
        self.refined += 1
        return [made_face(box) for box in self.boxes[: len(detections)]]


class NoCrops:
    """A pipeline of fakes: no pixel is looked at."""

    def __init__(self, detector, probabilities=None):
        from threading import Lock

        self.detector, self.lock, self.seen = detector, Lock(), None
        self.probabilities, self.classifier = probabilities, None

    def crops(self, image, detections):
        return np.zeros((len(detections), 48, 48), np.uint8)

    def classify_crops(self, detections, crops):
        self.seen = crops
        uniform = np.full(len(EMOTIONS), 1 / 8, np.float32)
        probabilities = uniform if self.probabilities is None else self.probabilities
        return [made_face(detection.box, probabilities) for detection in detections]


class Plain(NoCrops):
    """A pipeline of fakes that videos can be read with."""

    threshold = 0.0

    def identity(self):
        return {"model": "fake"}


class Frames:
    """A source of given frames; an exception in the list is raised in its turn."""

    name = "a list"

    def __init__(self, items, rate=10.0):
        self.items, self.rate, self.index, self.closed = list(items), rate, 0, False

    def read(self):
        if self.index >= len(self.items):
            return None
        item, index = self.items[self.index], self.index
        self.index += 1
        if isinstance(item, Exception):
            raise item
        return Frame(index, index / self.rate, item)

    def close(self):
        self.closed = True


def make_textures(count, size=48, seed=0):
    """Random images, (count, size, size) uint8, alike photos to a search: smooth, with details."""
    rng = np.random.default_rng(seed)
    layers = [
        weight
        * sigma
        * cv2.GaussianBlur(rng.standard_normal((size, size, count)), (0, 0), sigma).reshape(size, size, count)
        for sigma, weight in ((1, 1), (3, 1.5), (8, 2))
    ]
    return np.clip(128 + 60 * sum(layers).transpose(2, 0, 1), 0, 255).astype(np.uint8)


def logits_case(n=4000, seed=0):
    """Labels drawn from the softmax of the logits: calibrated at temperature 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 8))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return probabilities, labels
