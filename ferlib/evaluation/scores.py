"""Scores with their uncertainty, from stored probabilities and labels."""

from dataclasses import dataclass

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.evaluation.metrics import accuracy, confusion_of, interval, macro_f1, number, per_class, resampled


@dataclass(frozen=True, eq=False)
class Scores:
    """What one model reaches on one set of labelled images.

    Attributes:
        n: images scored.
        accuracy, macro_f1: in 0..1; macro-F1 is the mean over the classes that occur in the labels.
        accuracy_interval, macro_f1_interval: 95 % bootstrap percentile intervals over images.
        recall, precision, f1, support: (8,) per class in class order; NaN where undefined.
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
        """JSON-ready form; undefined per-class values are null."""
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


def score(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> Scores:
    """Score (N, 8) probabilities against (N,) class indices.

    Rows with a label of -1 (dropped by the voting rule) are left out. The bootstrap resamples images; since every
    score here depends only on the confusion matrix, that is one multinomial draw of the matrix for each resample.

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
