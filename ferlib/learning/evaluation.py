"""Scores with their uncertainty, from stored probabilities and labels."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix

from ferlib.data.labels import EMOTIONS

RESAMPLES = 10_000


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
                    "recall": _number(self.recall[index]),
                    "precision": _number(self.precision[index]),
                    "f1": _number(self.f1[index]),
                    "support": int(self.support[index]),
                }
                for index, emotion in enumerate(EMOTIONS)
            },
            "confusion": self.confusion.tolist(),
        }


def score(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> Scores:
    """Score (N, 8) probabilities against (N,) class indices.

    Rows with a label of -1 (dropped by the voting rule) are left out. The bootstrap resamples images; since every
    score here depends only on the confusion matrix, that is one multinomial draw of the matrix a resample.

    Raises:
        ValueError: shapes that do not match, or nothing to score.
    """
    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    if probabilities.shape != (len(labels), len(EMOTIONS)):
        raise ValueError(f"probabilities must be ({len(labels)}, {len(EMOTIONS)}), not {probabilities.shape}")
    counted = labels >= 0
    if not counted.any():
        raise ValueError("there is no labelled image to score")
    matrix = confusion_matrix(labels[counted], probabilities[counted].argmax(axis=1), labels=range(len(EMOTIONS)))
    n = int(matrix.sum())
    draws = np.random.default_rng(seed).multinomial(n, matrix.ravel() / n, size=RESAMPLES).reshape(-1, *matrix.shape)
    recall, precision, f1 = per_class(matrix)
    return Scores(
        n, float(accuracy(matrix)), _interval(accuracy(draws)), float(macro_f1(matrix)), _interval(macro_f1(draws)),
        recall, precision, f1, matrix.sum(axis=1), matrix,
    )  # fmt: skip


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of right predictions in (..., K, K) confusion matrices."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def per_class(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall, precision and F1, each (..., K), of (..., K, K) confusion matrices; NaN where undefined.

    F1 is 0 for a class that is labelled or predicted but never right, and NaN for one that is neither.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    labelled, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / labelled, right / predicted, 2 * right / (labelled + predicted)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in the labels, of (..., K, K) confusion matrices."""
    _, _, f1 = per_class(confusion)
    occurs = confusion.sum(axis=-1) > 0
    return np.where(occurs, np.nan_to_num(f1), 0).sum(axis=-1) / occurs.sum(axis=-1)


def _interval(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
