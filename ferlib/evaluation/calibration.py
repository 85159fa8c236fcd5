"""Confidence that one can use: calibration error, temperature, and when to say "not sure".

What is fitted here (temperature, threshold) is fitted on the validation split only; a test in the suite guards it.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from ferlib.errors import FerlibError
from ferlib.evaluation.metrics import LEAST, bootstrap_mean, labelled

BINS = 15
_LARGEST = 20.0  # temperatures lie within 1/20 and 20


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """(N, 8) float64: what the softmax gives when the logits behind `probabilities` are divided by `temperature`."""
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST**2)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The temperature with the least cross-entropy against `targets` (Guo et al. 2017).

    Args:
        probabilities: (N, 8) of temperature 1.
        targets: (N,) labels with -1 for none, or (N, 8) distributions whose rows sum to 1 (a zero row counts for
            nothing).
    """
    targets = np.asarray(targets)
    if targets.ndim == 1:
        targets = np.where(targets[:, None] >= 0, np.eye(probabilities.shape[1])[targets], 0.0)
    counted = targets.any(axis=1)
    if not counted.any():
        raise ValueError("there is no labelled image to fit the temperature on")
    kept, wanted = np.asarray(probabilities)[counted], targets[counted]

    def loss(log_temperature: float) -> float:
        scaled = at_temperature(kept, np.exp(log_temperature))
        return float(-(wanted * np.log(np.maximum(scaled, LEAST))).sum(axis=1).mean())

    limit = np.log(_LARGEST)
    best = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))


@dataclass(frozen=True)
class Bin:
    """Images of similar confidence: bounds, how many, their mean confidence, and how often they were right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The non-empty ones of `bins` equally wide bins, (low, high] each; `right` is boolean or a share in 0..1."""
    confidence, right = np.asarray(confidence, np.float64), np.asarray(right, np.float64)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    return [
        Bin(
            float(edges[index]), float(edges[index + 1]), int((place == index).sum()),
            float(confidence[place == index].mean()), float(right[place == index].mean()),
        )
        for index in range(bins)
        if (place == index).any()
    ]  # fmt: skip


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015): mean gap of confidence and accuracy, weighted by bin size."""
    found = reliability(confidence, right, bins)
    return sum(one.n * abs(one.confidence - one.accuracy) for one in found) / len(confidence)


def calibrated(probabilities: np.ndarray, labels: np.ndarray, shares: np.ndarray, temperature: float) -> dict:
    """Calibration of (N, 8) probabilities at one temperature, JSON-ready.

    ``majority`` compares the confidence with how often the majority label is right (images that have one), ``votes``
    with the share of the taggers' emotion votes that the named emotion got (`shares`, (N, 8); zero rows are left out).
    Each has ``n``, ``ece``, ``mean_confidence``, ``mean_accuracy`` and the ``bins``.
    """
    scaled = at_temperature(probabilities, temperature)
    named, confidence = scaled.argmax(axis=1), scaled.max(axis=1)
    agreed = np.asarray(shares)[np.arange(len(named)), named]
    has_label, has_votes = np.asarray(labels) >= 0, np.asarray(shares).any(axis=1)
    return {
        "temperature": temperature,
        "majority": _described(confidence[has_label], named[has_label] == np.asarray(labels)[has_label]),
        "votes": _described(confidence[has_votes], agreed[has_votes]),
    }


def _described(confidence: np.ndarray, right: np.ndarray) -> dict:
    if not len(confidence):
        return {"n": 0, "ece": None, "mean_confidence": None, "mean_accuracy": None, "bins": []}
    return {
        "n": len(confidence), "ece": calibration_error(confidence, right),
        "mean_confidence": float(confidence.mean()), "mean_accuracy": float(np.mean(right)),
        "bins": [asdict(one) for one in reliability(confidence, right)],
    }  # fmt: skip


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(coverage, risk, threshold) for answering the most confident images only, the fewest first.

    Equal confidences are answered together, so that each row can be had by the rule "confidence >= threshold".
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    sorted_confidence = np.asarray(confidence, np.float64)[order]
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~np.asarray(right, bool)[order]) / answered
    last = np.append(sorted_confidence[1:] != sorted_confidence[:-1], True)
    return answered[last] / len(order), risk[last], sorted_confidence[last]


def choose_threshold(confidence: np.ndarray, right: np.ndarray, risk: float) -> float:
    """The least confidence at which to answer, so that at most a share `risk` of the answers is wrong.

    Of all such thresholds the one that answers most images (El-Yaniv and Wiener 2010).

    Raises:
        FerlibError: even the most confident images are wrong more often than `risk`.
    """
    if not 0 < risk < 1:
        raise FerlibError(f"the risk must lie between 0 and 1, not {risk}.")
    _, risks, thresholds = risk_coverage(confidence, right)
    allowed = np.flatnonzero(risks <= risk)
    if not len(allowed):
        raise FerlibError(f"no confidence gives at most {risk:.0%} wrong answers; allow a greater risk.")
    return float(thresholds[allowed[-1]])


def selective(confidence: np.ndarray, right: np.ndarray, answered: np.ndarray, seed: int = 0) -> dict:
    """How many images are answered, and how often rightly, with a 95 % interval; `answered` is (N,) bool."""
    right = np.asarray(right, bool)[answered]
    result: dict[str, Any] = {"n": len(answered), "answered": int(answered.sum()), "coverage": float(answered.mean())}
    if len(right):
        interval = list(bootstrap_mean(right, seed))
        result |= {"accuracy": float(right.mean()), "interval": interval, "least": float(confidence[answered].min())}
    return result


def most_confident(confidence: np.ndarray, share: float) -> np.ndarray:
    """(N,) bool: the given share of images with the greatest confidence; of equal ones the first."""
    chosen = np.zeros(len(confidence), bool)
    chosen[np.argsort(-np.asarray(confidence), kind="stable")[: round(share * len(confidence))]] = True
    return chosen


def abstention(probabilities: np.ndarray, labels: np.ndarray, temperature: float, threshold: float) -> dict:
    """What the shipped "not sure" rule and the 80 % most confident images give on one split, JSON-ready."""
    kept, wanted = labelled(at_temperature(probabilities, temperature), labels)
    confidence, right = kept.max(axis=1), kept.argmax(axis=1) == wanted
    coverage, risk, thresholds = risk_coverage(confidence, right)
    shown = np.unique(np.linspace(0, len(coverage) - 1, min(200, len(coverage))).round().astype(int))
    return {
        "at_threshold": {"threshold": threshold, **selective(confidence, right, confidence >= threshold)},
        "most_confident_80": selective(confidence, right, most_confident(confidence, 0.8)),
        "curve": {
            "coverage": coverage[shown].round(5).tolist(), "risk": risk[shown].round(5).tolist(),
            "threshold": thresholds[shown].round(5).tolist(),
        },
        "area": float(np.trapezoid(risk, coverage) + risk[0] * coverage[0]),
    }  # fmt: skip
