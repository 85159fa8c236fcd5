"""Calibration: expected calibration error, and the "not sure" threshold.

The threshold is fitted on the validation split only; a test in the suite guards this.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ferlib.errors import FerlibError
from ferlib.evaluation.doubt import risk_coverage
from ferlib.evaluation.metrics import bootstrap_mean, labelled
from ferlib.models.temperature import at_temperature

BINS = 15
"""Number of equally wide bins of the calibration error."""

LEVEL = 0.95
"""Probability with which the true share of wrong answers lies below its bound, see `choose_threshold`."""


@dataclass(frozen=True)
class Bin:
    """Images of similar confidence.

    Attributes:
        low: lower bound of the confidence, which is outside of the bin.
        high: upper bound, which is inside.
        n: number of images.
        confidence: their mean confidence.
        accuracy: share of them that was right.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Sort images into equally wide bins of confidence, (low, high] each.

    Args:
        confidence: (N,) confidence in 0..1.
        right: (N,) whether the answer was right, boolean or a share in 0..1.
        bins: number of bins.

    Returns:
        The bins that hold an image, in order.
    """
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    return [
        Bin(
            float(edges[index]), float(edges[index + 1]), int((bin_of == index).sum()),
            float(confidence[bin_of == index].mean()), float(right[bin_of == index].mean()),
        )
        for index in range(bins)
        if (bin_of == index).any()
    ]  # fmt: skip


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Compute the expected calibration error (Naeini et al. 2015): mean gap of confidence and accuracy over the bins.

    Args:
        confidence: (N,) confidence in 0..1.
        right: (N,) whether the answer was right, boolean or a share in 0..1.
        bins: number of bins, which are weighted by their images.
    """
    non_empty = reliability(confidence, right, bins)
    return sum(part.n * abs(part.confidence - part.accuracy) for part in non_empty) / len(confidence)


def calibration_report(probabilities: np.ndarray, labels: np.ndarray, shares: np.ndarray, temperature: float) -> dict:
    """Measure the calibration of probabilities at one temperature.

    Args:
        probabilities: (N, 8) of temperature 1.
        labels: (N,) majority labels, -1 for none.
        shares: (N, 8) share of the taggers' emotion votes for each emotion; zero rows are left out.
        temperature: temperature to which the probabilities are scaled first.

    Returns:
        JSON-ready. ``majority`` compares the confidence with how often the majority label is right, over the images
        that have one; ``votes`` with the share of the votes that the predicted emotion got. Each has ``n``, ``ece``,
        ``mean_confidence``, ``mean_accuracy`` and the ``bins``.
    """
    scaled = at_temperature(probabilities, temperature)
    predicted, confidence = scaled.argmax(axis=1), scaled.max(axis=1)
    agreed = np.asarray(shares)[np.arange(len(predicted)), predicted]
    has_label, has_votes = np.asarray(labels) >= 0, np.asarray(shares).any(axis=1)
    return {
        "temperature": temperature,
        "majority": _describe_bins(confidence[has_label], predicted[has_label] == np.asarray(labels)[has_label]),
        "votes": _describe_bins(confidence[has_votes], agreed[has_votes]),
    }


def _describe_bins(confidence: np.ndarray, right: np.ndarray) -> dict:
    if not len(confidence):
        return {"n": 0, "ece": None, "mean_confidence": None, "mean_accuracy": None, "bins": []}
    return {
        "n": len(confidence), "ece": calibration_error(confidence, right),
        "mean_confidence": float(confidence.mean()), "mean_accuracy": float(np.mean(right)),
        "bins": [asdict(part) for part in reliability(confidence, right)],
    }  # fmt: skip


def error_bound(wrong: np.ndarray, answered: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Compute the one-sided upper bound of an error rate (Clopper and Pearson 1934), which holds at any size.

    Args:
        wrong: (R,) number of wrong answers.
        answered: (R,) number of answers, at least 1.
        level: probability with which the true rate lies below the bound, between 0 and 1.

    Returns:
        (R,) bounds in 0..1; 1 where all answers are wrong.
    """
    from scipy.stats import beta

    wrong, answered = np.asarray(wrong), np.asarray(answered)
    bounds = beta.ppf(level, wrong + 1, np.maximum(answered - wrong, 1))
    return np.where(wrong < answered, bounds, 1.0)


def choose_threshold(confidence: np.ndarray, right: np.ndarray, risk: float, level: float = LEVEL) -> float:
    """Choose the least confidence at which to answer, so that few answers are wrong on new images too.

    Selective classification with a guarantee (Geifman and El-Yaniv 2017): not the share of wrong answers itself but its
    `error_bound` must be small. The share alone promises too much, since the threshold is chosen on the same images.

    Args:
        confidence: (N,) confidence.
        right: (N,) whether the answer was right.
        risk: largest bound of the share of wrong answers, between 0 and 1.
        level: probability of the bound, see `error_bound`.

    Returns:
        Of all such thresholds the one that answers most images.

    Raises:
        FerlibError: even the most confident images are wrong more often than `risk`, or are too few to tell.
    """
    if not 0 < risk < 1:
        raise FerlibError(f"the risk must lie between 0 and 1, not {risk}.")
    coverage, risks, doubts = risk_coverage(-np.asarray(confidence, np.float64), right)
    answered = np.rint(coverage * len(right))
    allowed = np.flatnonzero(error_bound(np.rint(risks * answered), answered, level) <= risk)
    if not len(allowed):
        raise FerlibError(
            f"no confidence gives at most {risk:.0%} wrong answers with a certainty of {level:.0%}; allow a greater "
            "risk."
        )
    return float(-doubts[allowed[-1]])


def selective(confidence: np.ndarray, right: np.ndarray, answered: np.ndarray, seed: int = 0) -> dict:
    """Score the answered images.

    Args:
        confidence: (N,) confidence.
        right: (N,) whether the answer was right.
        answered: (N,) bool, whether the image is answered.
        seed: seed of the bootstrap.

    Returns:
        ``n``, ``answered`` and ``coverage``; where any is answered also ``accuracy``, its 95 % ``interval``, and
        ``least``, the smallest confidence among them.
    """
    right = np.asarray(right, bool)[answered]
    result: dict[str, Any] = {"n": len(answered), "answered": int(answered.sum()), "coverage": float(answered.mean())}
    if len(right):
        interval = list(bootstrap_mean(right, seed))
        result |= {"accuracy": float(right.mean()), "interval": interval, "least": float(confidence[answered].min())}
    return result


def most_confident(confidence: np.ndarray, share: float) -> np.ndarray:
    """Mark the images of greatest confidence; of equal ones the first.

    Args:
        confidence: (N,) confidence.
        share: share of the images to mark, in 0..1.

    Returns:
        (N,) bool.
    """
    marked = np.zeros(len(confidence), bool)
    marked[np.argsort(-np.asarray(confidence), kind="stable")[: round(share * len(confidence))]] = True
    return marked


def confidence_and_right(
    probabilities: np.ndarray, labels: np.ndarray, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the calibrated confidence of each labelled image, and whether its answer is right.

    Args:
        probabilities: (N, 8) of temperature 1.
        labels: (N,) labels, -1 for none.
        temperature: temperature of the model.

    Returns:
        (M,) float64 confidence and (M,) bool of the images that have a label.

    Raises:
        ValueError: no image has a label.
    """
    scaled, true_labels = labelled(at_temperature(probabilities, temperature), labels)
    return scaled.max(axis=1), scaled.argmax(axis=1) == true_labels


def abstention(probabilities: np.ndarray, labels: np.ndarray, temperature: float, threshold: float) -> dict:
    """Measure the shipped "not sure" rule and the 80 % most confident images on one split.

    Args:
        probabilities: (N, 8) of temperature 1.
        labels: (N,) labels, -1 for none.
        temperature: temperature of the model.
        threshold: least calibrated confidence at which it answers.

    Returns:
        JSON-ready: ``at_threshold`` and ``most_confident_80`` as in `selective`, at most 200 points of the
        risk-coverage ``curve``, and the ``area`` under it.
    """
    confidence, right = confidence_and_right(probabilities, labels, temperature)
    coverage, risk, doubts = risk_coverage(-confidence, right)
    points = np.unique(np.linspace(0, len(coverage) - 1, min(200, len(coverage))).round().astype(int))
    return {
        "at_threshold": {"threshold": threshold, **selective(confidence, right, confidence >= threshold)},
        "most_confident_80": selective(confidence, right, most_confident(confidence, 0.8)),
        "curve": {
            "coverage": coverage[points].round(5).tolist(), "risk": risk[points].round(5).tolist(),
            "threshold": (-doubts[points]).round(5).tolist(),
        },
        "area": float(np.trapezoid(risk, coverage) + risk[0] * coverage[0]),
    }  # fmt: skip
