"""Scores on faces from elsewhere: all questions of a model asked, and people resampled in place of images.

Images of one person are alike, so that an interval over images would be too narrow: the bootstrap draws people, and
each brings all of their images (cluster bootstrap, Field and Welsh 2007).
"""

from dataclasses import dataclass

import numpy as np

from ferlib.data.labels import EMOTIONS, INDEX
from ferlib.errors import FerlibError
from ferlib.evaluation.calibration import calibration_error
from ferlib.evaluation.metrics import RESAMPLES, confusion_of, interval, macro_f1, number, per_class
from ferlib.inference.classifier import Classifier, GraphClassifier

CONFIDENT = 0.9
"""Probability from which an answer counts as confident."""


@dataclass(frozen=True, eq=False)
class OutsideSet:
    """Faces of another data set.

    Attributes:
        faces: (N, H, W) uint8 grey, cut like the model's own.
        labels: (N,) class indices.
        people: (N,) name of the person in each image.

    Raises:
        FerlibError: other shapes, labels that are no classes, or no face.
    """

    faces: np.ndarray
    labels: np.ndarray
    people: np.ndarray

    def __post_init__(self) -> None:
        """Check the arrays against each other."""
        shapes = self.faces.ndim == 3 and self.labels.shape == self.people.shape == self.faces.shape[:1]
        if not shapes or not len(self.faces) or self.faces.dtype != np.uint8:
            raise FerlibError("faces must be (N, H, W) uint8 with a label and a person for each, at least one.")
        if not np.isin(self.labels, np.arange(len(EMOTIONS))).all():
            raise FerlibError(f"labels must be indices of the {len(EMOTIONS)} emotions, from 0.")


def resample_people(people: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> np.ndarray:
    """Draw how often each image counts in each resample of the people.

    Args:
        people: (N,) name of the person in each image.
        seed: seed of the draws.
        resamples: number of resamples R.

    Returns:
        (R, N) int16 counts; all images of a person have the same.
    """
    _, person_of_image = np.unique(people, return_inverse=True)
    count = int(person_of_image.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return draws.astype(np.int16)[:, person_of_image]


def score_outside(probabilities: np.ndarray, labels: np.ndarray, people: np.ndarray, seed: int = 0) -> dict:
    """Score one reading of the answers.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) class indices.
        people: (N,) name of the person in each image.
        seed: seed of the bootstrap over people.

    Returns:
        JSON-ready: ``eight`` with all eight emotions allowed and ``present`` with those of the data set alone, each
        with ``accuracy`` and its 95 % ``interval``, ``macro_f1`` over the classes present and the ``recall`` of each;
        the ``calibration_error`` of the eight; and under ``confident`` number, share and accuracy of the answers of
        at least `CONFIDENT`.
    """
    counts = resample_people(people, seed)
    allowed = np.isin(np.arange(len(EMOTIONS)), labels)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    sure = confidence >= CONFIDENT
    return {
        "eight": _scores(probabilities, labels, counts),
        "present": _scores(probabilities * allowed, labels, counts),
        "calibration_error": calibration_error(confidence, right),
        "confident": {
            "n": int(sure.sum()), "share": float(sure.mean()),
            **_accuracy(right[sure], counts[:, sure]),
        },
    }  # fmt: skip


def evaluate_outside(classifier: Classifier | GraphClassifier, outside: OutsideSet, seed: int = 0) -> dict:
    """Score a model on faces from elsewhere, each of its readings by itself.

    Args:
        classifier: the model; its own reading is the default one.
        outside: the faces. Nothing may be chosen by their scores.
        seed: seed of the bootstrap over people.

    Returns:
        JSON-ready: ``model``, ``n``, number of ``people``, ``resamples``, the ``default`` reading, and `score_outside`
        of each reading under ``readings``.
    """
    answered = classifier.questions
    readings = ("seen", "meant", "both") if "meant" in answered else ("seen",)
    return {
        "model": classifier.name, "n": len(outside.labels), "people": len(np.unique(outside.people)),
        "resamples": RESAMPLES, "seed": seed, "default": classifier.question,
        "classes": [EMOTIONS[index] for index in np.unique(outside.labels)],
        "readings": {
            reading: score_outside(
                classifier.predict_proba(outside.faces, question=reading), outside.labels, outside.people, seed
            )
            for reading in readings
        },
    }  # fmt: skip


def _scores(probabilities: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> dict:
    matrix = confusion_of(probabilities, labels)
    recall, _, _ = per_class(matrix)
    present = [EMOTIONS[index] for index in np.unique(labels)]
    return {
        **_accuracy(probabilities.argmax(axis=1) == labels, counts),
        "macro_f1": float(macro_f1(matrix)),
        "recall": {emotion: number(recall[INDEX[emotion]]) for emotion in present},
    }


def _accuracy(right: np.ndarray, counts: np.ndarray) -> dict:
    """Share of right answers with its interval over resamples; None where there are none."""
    if not len(right):
        return {"accuracy": None, "interval": None}
    totals = counts.sum(axis=1, dtype=np.int64)
    shares = (counts.astype(np.float32) @ right.astype(np.float32))[totals > 0] / totals[totals > 0]
    return {"accuracy": float(right.mean()), "interval": list(interval(shares))}
