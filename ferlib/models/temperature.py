"""Temperature scaling (Guo et al. 2017): one divisor of the logits makes probabilities as sure as they are right.

Temperatures are fitted on the validation split only; a test in the suite guards this.
"""

import numpy as np
from scipy.optimize import minimize_scalar

MIN_PROBABILITY = 1e-12
"""Smallest probability whose logarithm is taken."""

_MAX_TEMPERATURE = 20.0  # temperatures lie between 1/20 and 20


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Scale probabilities to another temperature: the softmax of their logits divided by it.

    Args:
        probabilities: (N, 8) of temperature 1.
        temperature: divisor of the logits, above 0; more than 1 makes the probabilities more even.

    Returns:
        (N, 8) float64.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), MIN_PROBABILITY**2)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Fit the temperature of least cross-entropy against labels or distributions (Guo et al. 2017).

    Args:
        probabilities: (N, 8) of temperature 1.
        targets: (N,) labels with -1 for none, or (N, 8) distributions whose rows sum to 1; zero rows are left out.

    Returns:
        The temperature, between 1/20 and 20.

    Raises:
        ValueError: no image has a target.
    """
    targets = np.asarray(targets)
    if targets.ndim == 1:
        targets = np.where(targets[:, None] >= 0, np.eye(probabilities.shape[1])[targets], 0.0)
    counted = targets.any(axis=1)
    if not counted.any():
        raise ValueError("there is no labelled image to fit the temperature on")
    counted_probabilities, counted_targets = np.asarray(probabilities)[counted], targets[counted]

    def loss(log_temperature: float) -> float:
        scaled = at_temperature(counted_probabilities, np.exp(log_temperature))
        return float(-(counted_targets * np.log(np.maximum(scaled, MIN_PROBABILITY))).sum(axis=1).mean())

    limit = np.log(_MAX_TEMPERATURE)
    best = minimize_scalar(loss, bounds=(-limit, limit), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(best.x))
