"""Comparison of models on the same images: McNemar's test with Holm's correction, paired differences."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.stats import binomtest

from ferlib.evaluation.metrics import bootstrap_mean


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Test whether two models err equally often (McNemar 1947), by the exact binomial test.

    Only images on which one model is right and the other wrong count.

    Args:
        first: (N,) bool, whether the first model was right.
        second: (N,) bool, the same of the second model on the same images.

    Returns:
        Two-sided p-value; 1.0 when the models are right on the same images.

    Raises:
        ValueError: other shapes.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape:
        raise ValueError(f"the two must be of the same images, not {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    discordant = only_first + only_second
    return float(binomtest(only_first, discordant).pvalue) if discordant else 1.0


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Adjust p-values for multiple comparisons (Holm 1979), which bounds the chance of any false alarm.

    Args:
        p_values: p-values of all comparisons.

    Returns:
        (N,) adjusted p-values in the same order.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    result = np.empty_like(adjusted)
    result[order] = adjusted
    return result


def compare_pairs(right: Mapping[str, np.ndarray], seed: int = 0) -> list[dict]:
    """Compare every pair of models.

    Args:
        right: ``{model: (N,) bool, whether it was right}`` on the same labelled images.
        seed: seed of the bootstrap.

    Returns:
        One row a pair with ``first``, ``second``, ``n``, the accuracy ``difference`` (first minus second) with its
        paired 95 % bootstrap ``interval``, McNemar's ``p`` and Holm's ``p_adjusted`` over all pairs given.
    """
    pairs = list(combinations(right, 2))
    p_values = [mcnemar(right[first], right[second]) for first, second in pairs]
    rows = []
    for (first, second), p, adjusted in zip(pairs, p_values, holm(p_values), strict=True):
        difference = right[first].astype(np.float64) - right[second].astype(np.float64)
        rows.append(
            {
                "first": first, "second": second, "n": len(difference), "difference": float(difference.mean()),
                "interval": list(bootstrap_mean(difference, seed)), "p": p, "p_adjusted": float(adjusted),
            }
        )  # fmt: skip
    return rows
