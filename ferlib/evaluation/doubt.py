"""Measures of doubt in an answer, and what they are worth: risk, coverage and the area under their curve.

Each measure gives one number an image, larger for more doubt, so that all of them can be compared by `aurc`.
"""

import numpy as np

from ferlib.data.labels import EMOTION_OF_MEANT, EMOTIONS, MEANT_EMOTIONS


def largest_probability_doubt(probabilities: np.ndarray) -> np.ndarray:
    """Compute 1 minus the largest probability (Hendrycks and Gimpel 2017).

    Args:
        probabilities: (N, 8), rows sum to 1.

    Returns:
        (N,) in 0..7/8.

    Raises:
        ValueError: another shape.
    """
    return 1 - _checked(probabilities, len(EMOTIONS)).max(axis=1)


def margin_doubt(probabilities: np.ndarray) -> np.ndarray:
    """Compute 1 minus the distance between the two largest probabilities.

    Args:
        probabilities: (N, 8), rows sum to 1.

    Returns:
        (N,) in 0..1.

    Raises:
        ValueError: another shape.
    """
    second, first = np.sort(_checked(probabilities, len(EMOTIONS)), axis=1)[:, -2:].T
    return 1 - (first - second)


def entropy_doubt(probabilities: np.ndarray) -> np.ndarray:
    """Compute the Shannon entropy of the probabilities.

    Args:
        probabilities: (N, 8), rows sum to 1.

    Returns:
        (N,) in nats, 0..log 8.

    Raises:
        ValueError: another shape.
    """
    return -_times_log(_checked(probabilities, len(EMOTIONS))).sum(axis=1)


def energy_doubt(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Compute the energy of the logits, ``-T log(sum(exp(logits / T)))`` (Liu et al. 2020).

    A softmax forgets the level of the logits; the energy keeps it.

    Args:
        logits: (N, 8).
        temperature: the T, above 0.

    Returns:
        (N,), unbounded.

    Raises:
        ValueError: another shape, or a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature must be above 0, not {temperature}")
    scaled = _checked(logits, len(EMOTIONS)) / temperature
    largest = scaled.max(axis=1)
    return -temperature * (largest + np.log(np.exp(scaled - largest[:, None]).sum(axis=1)))


def disagreement_doubt(seen: np.ndarray, meant: np.ndarray) -> np.ndarray:
    """Compute the Jensen-Shannon divergence of the answers to "seen" and "meant" (Lin 1991).

    "meant" knows no contempt, so the other seven probabilities of "seen" are scaled to sum to 1 first.

    Args:
        seen: (N, 8) probabilities in class order.
        meant: (N, 7) probabilities in the order of `MEANT_EMOTIONS`.

    Returns:
        (N,) in nats, 0..log 2; log 2 where "seen" gives contempt everything.

    Raises:
        ValueError: other shapes.
    """
    without_contempt = _checked(seen, len(EMOTIONS))[:, EMOTION_OF_MEANT]
    meant = _checked(meant, len(MEANT_EMOTIONS))
    if len(seen) != len(meant):
        raise ValueError(f"seen and meant must be of the same images, not of {len(seen)} and {len(meant)}")
    total = without_contempt.sum(axis=1, keepdims=True)
    scaled = np.divide(without_contempt, total, out=np.zeros_like(without_contempt), where=total > 0)
    mean_entropy = -(_times_log(scaled) + _times_log(meant)).sum(axis=1) / 2
    divergence = -_times_log((scaled + meant) / 2).sum(axis=1) - mean_entropy
    return np.where(total[:, 0] > 0, np.clip(divergence, 0, np.log(2)), np.log(2))


def doubts(
    probabilities: np.ndarray, meant: np.ndarray | None = None, logits: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Compute every measure that the arguments allow.

    Args:
        probabilities: (N, 8) of "seen", rows sum to 1.
        meant: (N, 7) of "meant"; None leaves the disagreement out.
        logits: (N, 8) of "seen"; None leaves the energy out.

    Returns:
        (N,) of each measure by its name.

    Raises:
        ValueError: other shapes.
    """
    measures = {
        "largest probability": largest_probability_doubt(probabilities), "margin": margin_doubt(probabilities),
        "entropy": entropy_doubt(probabilities),
    }  # fmt: skip
    if logits is not None:
        measures["energy"] = energy_doubt(logits)
    if meant is not None:
        measures["disagreement"] = disagreement_doubt(probabilities, meant)
    return measures


def risk_coverage(doubt: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the risk of answering only the images of least doubt, from the fewest to all.

    Equal doubts are answered together, so that each row follows from a rule "doubt <= threshold".

    Args:
        doubt: (N,) doubt, larger for less confidence.
        correct: (N,) whether the answer is right.

    Returns:
        Coverage, risk (share of wrong answers among the answered) and threshold of the doubt, (R,) each.

    Raises:
        ValueError: no images, or doubts that are not finite.
    """
    doubt, correct = np.asarray(doubt, np.float64), np.asarray(correct, bool)
    if not len(doubt) or doubt.shape != correct.shape or not np.isfinite(doubt).all():
        raise ValueError("doubt and correct must be finite, of the same images, and at least one")
    order = np.argsort(doubt, kind="stable")
    sorted_doubt, answered = doubt[order], np.arange(1, len(order) + 1)
    risk = np.cumsum(~correct[order]) / answered
    last = np.append(sorted_doubt[1:] != sorted_doubt[:-1], True)
    return answered[last] / len(order), risk[last], sorted_doubt[last]


def aurc(doubt: np.ndarray, correct: np.ndarray) -> float:
    """Compute the area under the risk-coverage curve: the mean risk over all coverages (Geifman and El-Yaniv 2017).

    Args:
        doubt: (N,) doubt.
        correct: (N,) whether the answer is right.

    Returns:
        The area, in 0..1; smaller is better. Images of equal doubt are answered together and have one risk.

    Raises:
        ValueError: as `risk_coverage`.
    """
    coverage, risk, _ = risk_coverage(doubt, correct)
    return float((risk * np.diff(coverage, prepend=0.0)).sum())


def coverage_at_risk(doubt: np.ndarray, correct: np.ndarray, risk: float = 0.10) -> float:
    """Compute the largest share of the images that can be answered at a risk.

    Args:
        doubt: (N,) doubt.
        correct: (N,) whether the answer is right.
        risk: largest share of wrong answers among the answered, in 0..1.

    Returns:
        The coverage, in 0..1; 0 where even the images of least doubt are wrong more often.

    Raises:
        ValueError: as `risk_coverage`.
    """
    coverage, risks, _ = risk_coverage(doubt, correct)
    return float(coverage[risks <= risk].max(initial=0.0))


def _checked(values: np.ndarray, classes: int) -> np.ndarray:
    """Convert to float64 and check the shape (N, classes)."""
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != classes:
        raise ValueError(f"the shape must be (N, {classes}), not {values.shape}")
    return values


def _times_log(values: np.ndarray) -> np.ndarray:
    """Compute p log p, which is 0 at 0."""
    return values * np.log(values, out=np.zeros_like(values), where=values > 0)
