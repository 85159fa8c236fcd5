"""Scores of predictions with their uncertainty."""

from dataclasses import dataclass

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.evaluation.metrics import accuracy, confusion_of, interval, macro_f1, number, per_class, resampled


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one model on one set of labelled images.

    Attributes:
        n: number of images scored.
        accuracy: share of right predictions, in 0..1.
        accuracy_interval: 95 % bootstrap percentile interval over images.
        macro_f1: mean F1 over the classes that occur in the labels, in 0..1.
        macro_f1_interval: 95 % bootstrap percentile interval over images.
        recall: (8,) in class order; NaN where undefined.
        precision: (8,) likewise.
        f1: (8,) likewise.
        support: (8,) labelled images of each class.
        confusion: (8, 8) counts, rows are labels, columns predictions.
    """

    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    recall: np.ndarray
    precision: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray

    def to_dict(self) -> dict:
        """Return the JSON-ready form; undefined per-class values are None."""
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "per_class": {
                emotion: {
                    "recall": number(self.recall[index]),
                    "precision": number(self.precision[index]),
                    "f1": number(self.f1[index]),
                    "support": int(self.support[index]),
                }
                for index, emotion in enumerate(EMOTIONS)
            },
            "confusion": self.confusion.tolist(),
        }


def score_predictions(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> Scores:
    """Score predictions against labels.

    The bootstrap resamples images; since every score here depends on the confusion matrix alone, that is one
    multinomial draw of the matrix for each resample.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) class indices; rows with -1 (dropped by the voting rule) are left out.
        seed: seed of the bootstrap.

    Raises:
        ValueError: shapes that do not match, or nothing to score.
    """
    matrix = confusion_of(probabilities, labels)
    draws = resampled(matrix, seed)
    recall, precision, f1 = per_class(matrix)
    return Scores(
        int(matrix.sum()), float(accuracy(matrix)), interval(accuracy(draws)), float(macro_f1(matrix)),
        interval(macro_f1(draws)), recall, precision, f1, matrix.sum(axis=1), matrix,
    )  # fmt: skip
