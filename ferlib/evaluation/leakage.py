"""Accuracy on the leaked and the leak-free part of a split, plain and at the same mix of classes."""

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.evaluation.metrics import RESAMPLES
from ferlib.evaluation.scores import score_predictions


def leak_scores(probabilities: np.ndarray, labels: np.ndarray, leaked: np.ndarray, seed: int = 0) -> dict:
    """Score images without and with a copy in another split, and the drop between them.

    The two parts hold classes in other shares (an image search repeats some photos more than others), so the plain
    drop mixes memory with class mix. ``same_classes`` weights the leaked part's recalls with the leak-free part's
    class shares, over the classes that both parts have.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.
        leaked: (N,) bool, whether the image has a copy in another split.
        seed: seed of the bootstrap.

    Returns:
        JSON-ready: ``n``, ``accuracy``, ``interval`` and ``class_shares`` under ``all``, ``leak_free`` and ``leaked``
        (parts without images are left out); ``drop`` with ``plain`` and ``same_classes``, leaked minus leak-free
        accuracy, where both parts have images. Intervals are 95 % bootstrap ones over images.
    """
    counted = np.asarray(labels) >= 0
    probabilities, labels = np.asarray(probabilities)[counted], np.asarray(labels)[counted]
    leaked = np.asarray(leaked, bool)[counted]
    parts = {"all": np.ones(len(labels), bool), "leak_free": ~leaked, "leaked": leaked}
    result: dict = {}
    for name, mask in parts.items():
        if mask.any():
            scores = score_predictions(probabilities[mask], labels[mask], seed)
            result[name] = {"n": scores.n, "accuracy": scores.accuracy, "interval": list(scores.accuracy_interval)}
            result[name]["class_shares"] = (scores.support / scores.n).tolist()
    if leaked.any() and not leaked.all():
        result["drop"] = _drop(probabilities.argmax(axis=1) == labels, labels, leaked, seed)
    return result


def _drop(right: np.ndarray, labels: np.ndarray, leaked: np.ndarray, seed: int) -> dict:
    """Leaked minus leak-free accuracy, plain and at the leak-free part's class mix."""
    generator = np.random.default_rng(seed)
    hits, totals = {}, {}
    for name, mask in (("leaked", leaked), ("free", ~leaked)):
        cells = np.bincount(2 * labels[mask] + right[mask], minlength=2 * len(EMOTIONS))
        drawn = generator.multinomial(mask.sum(), cells / mask.sum(), size=RESAMPLES)
        drawn = np.concatenate([cells[None], drawn]).reshape(-1, len(EMOTIONS), 2)
        hits[name], totals[name] = drawn[..., 1], drawn.sum(axis=-1)
    plain = hits["leaked"].sum(axis=-1) / leaked.sum() - hits["free"].sum(axis=-1) / (~leaked).sum()
    shared = (totals["leaked"] > 0) & (totals["free"] > 0)
    recall = {name: np.where(shared, hits[name] / np.maximum(totals[name], 1), 0) for name in hits}
    weights = np.where(shared, totals["free"], 0)
    with np.errstate(invalid="ignore", divide="ignore"):  # a draw may hold no class that both parts have
        level = ((recall["leaked"] - recall["free"]) * weights).sum(axis=-1) / weights.sum(axis=-1)
    return {
        name: _difference_of(values)
        for name, values in (("plain", plain), ("same_classes", level))
        if np.isfinite(values[0])
    }


def _difference_of(values: np.ndarray) -> dict:
    """Difference and interval from the measured value, which comes first, and its resamples."""
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return {"difference": float(values[0]), "interval": [float(low), float(high)]}
