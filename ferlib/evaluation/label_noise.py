"""Label noise: labels that out-of-sample predictions contradict, by confident learning (Northcutt et al. 2021)."""

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.packages import need

SPREAD = ("all agree", "8 or 9 of 10", "6 or 7", "5 or fewer")
"""Bands of how many of the ten taggers chose the majority label."""


def doubted_labels(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find doubtful labels by cleanlab's filter "prune by noise rate"; classes that no label names are left out.

    Args:
        probabilities: (N, 8) predictions for images that the model did not learn from.
        labels: (N,) labels; -1 for none, which is never doubted.

    Returns:
        (N,) bool.

    Raises:
        FerlibError: cleanlab is not installed.
    """
    find_label_issues = need("cleanlab.filter", "finding doubtful labels", "train").find_label_issues
    labels = np.asarray(labels)
    counted = np.flatnonzero(labels >= 0)
    doubted = np.zeros(len(labels), bool)
    classes, renamed = np.unique(labels[counted], return_inverse=True)
    if len(classes) < 2:
        return doubted
    predictions = np.maximum(np.asarray(probabilities, np.float64)[np.ix_(counted, classes)], 1e-12)
    predictions /= predictions.sum(axis=1, keepdims=True)
    doubted[counted] = find_label_issues(renamed, predictions, filter_by="prune_by_noise_rate", n_jobs=1)
    return doubted


def doubt_table(probabilities: np.ndarray, labels: np.ndarray, majority_votes: np.ndarray) -> dict:
    """Count the doubted labels, by class and by how many taggers agreed.

    Args:
        probabilities: (N, 8) predictions for images that the model did not learn from.
        labels: (N,) labels, -1 for none.
        majority_votes: (N,) number of votes that the majority label got.

    Returns:
        JSON-ready: ``n``, ``doubted``, and ``images`` and ``doubted`` under ``by_class`` and ``by_agreement``.
    """
    doubted, labels = doubted_labels(probabilities, labels), np.asarray(labels)
    counted = labels >= 0
    votes = np.asarray(majority_votes)
    bands = (votes >= 10, (votes >= 8) & (votes < 10), (votes >= 6) & (votes < 8), votes < 6)
    return {
        "n": int(counted.sum()),
        "doubted": int(doubted.sum()),
        "by_class": {
            emotion: _count_doubted(doubted, counted & (labels == index)) for index, emotion in enumerate(EMOTIONS)
        },
        "by_agreement": {
            name: _count_doubted(doubted, counted & band) for name, band in zip(SPREAD, bands, strict=True)
        },
    }  # fmt: skip


def _count_doubted(doubted: np.ndarray, mask: np.ndarray) -> dict:
    return {"images": int(mask.sum()), "doubted": int(doubted[mask].sum())}
