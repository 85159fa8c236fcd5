"""Scores from stored probabilities and labels: each agrees with scikit-learn, most have a bootstrap interval.

Rows with a label of -1 (dropped by the voting rule) are left out everywhere.
"""

import numpy as np
from sklearn import metrics as sk

from ferlib.data.labels import EMOTIONS

RESAMPLES = 10_000
LEAST = 1e-12  # probabilities are raised to it before a logarithm
_CHUNK = 500  # resamples drawn at once


def labelled(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The (M, 8) float64 rows, each with sum 1, and their (M,) labels, where there is a label.

    Raises:
        ValueError: shapes that do not match, or nothing to score.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.shape != (len(labels), len(EMOTIONS)):
        raise ValueError(f"probabilities must be ({len(labels)}, {len(EMOTIONS)}), not {probabilities.shape}")
    counted = labels >= 0
    if not counted.any():
        raise ValueError("there is no labelled image to score")
    kept = probabilities[counted]
    return kept / kept.sum(axis=1, keepdims=True), labels[counted]


def bootstrap_mean(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """95 % percentile interval of the mean of (N,) values, resampling images; NaN values are an error."""
    values = np.asarray(values, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("the mean of nothing, or of values that are no numbers, has no interval")
    generator, means = np.random.default_rng(seed), []
    for start in range(0, resamples, _CHUNK):
        count = min(_CHUNK, resamples - start)
        means.append(values[generator.integers(0, len(values), (count, len(values)))].mean(axis=1))
    return interval(np.concatenate(means))


def rate(hits: np.ndarray) -> dict:
    """``accuracy`` of (N,) booleans "was right" with its 95 % bootstrap ``interval``; JSON-ready."""
    return {"accuracy": float(hits.mean()), "interval": list(bootstrap_mean(hits))}


def resampled(matrix: np.ndarray, seed: int = 0) -> np.ndarray:
    """(`RESAMPLES`, K, K) confusion matrices of as many images, drawn from those of one: a multinomial draw each."""
    total = int(matrix.sum())
    draws = np.random.default_rng(seed).multinomial(total, matrix.ravel() / total, size=RESAMPLES)
    return draws.reshape(-1, *matrix.shape)


def interval(values: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval of the scores of resamples, the undefined ones left out."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def confusion_of(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(8, 8) counts, rows are labels, columns the most probable classes; arguments and errors as of `labelled`."""
    kept, wanted = labelled(probabilities, labels)
    return sk.confusion_matrix(wanted, kept.argmax(axis=1), labels=range(len(EMOTIONS)))


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


def macro_mean(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Mean of (..., K) values over the classes that occur in the labels of (..., K, K) matrices; NaN counts as 0."""
    occurs = matrix.sum(axis=-1) > 0
    return np.where(occurs, np.nan_to_num(values), 0).sum(axis=-1) / occurs.sum(axis=-1)


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in the labels, of (..., K, K) confusion matrices."""
    return macro_mean(per_class(matrix)[2], matrix)


def macro_precision(matrix: np.ndarray) -> np.ndarray:
    """The same of the precision."""
    return macro_mean(per_class(matrix)[1], matrix)


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that occur in the labels, of (..., K, K) confusion matrices."""
    return macro_mean(per_class(matrix)[0], matrix)


def kappa(matrix: np.ndarray) -> np.ndarray:
    """Cohen's kappa of (..., K, K) confusion matrices: agreement beyond chance; NaN when chance alone agrees wholly."""
    total = matrix.sum(axis=(-2, -1))
    agreed = np.trace(matrix, axis1=-2, axis2=-1) / total
    chance = (matrix.sum(axis=-1) / total[..., None] * (matrix.sum(axis=-2) / total[..., None])).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (agreed - chance) / (1 - chance)


def top_hits(probabilities: np.ndarray, labels: np.ndarray, count: int = 2) -> np.ndarray:
    """(M,) whether the label is among the `count` most probable classes; of equal ones the first in class order."""
    kept, wanted = labelled(probabilities, labels)
    best = np.argsort(-kept, axis=1, kind="stable")[:, :count]
    return (best == wanted[:, None]).any(axis=1)


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(M,) negative log-likelihood of each label, in nats."""
    kept, wanted = labelled(probabilities, labels)
    return -np.log(np.maximum(kept[np.arange(len(kept)), wanted], LEAST))


def more_scores(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict:
    """Balanced accuracy, kappa, top-2 accuracy, log-loss and macro precision; JSON-ready.

    Each is ``{"value", "interval"}`` with a 95 % bootstrap interval over images; macro means are over the classes
    that occur in the labels, with an undefined precision counted as 0 (as scikit-learn does).
    """
    kept, wanted = labelled(probabilities, labels)
    matrix = confusion_of(kept, wanted)
    draws = resampled(matrix, seed)
    found = {
        name: {"value": number(float(score(matrix))), "interval": list(interval(score(draws)))}
        for name, score in (("balanced_accuracy", balanced_accuracy), ("macro_precision", macro_precision))
    }
    with_kappa = float(kappa(matrix))
    found["kappa"] = {"value": number(with_kappa), "interval": None}
    if not np.isnan(with_kappa):
        found["kappa"]["interval"] = list(interval(kappa(draws)))
    for name, values in (("top2", top_hits(kept, wanted)), ("log_loss", log_losses(kept, wanted))):
        found[name] = {"value": float(values.mean()), "interval": list(bootstrap_mean(values, seed))}
    return found


def curves(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, dict]:
    """One-vs-rest ROC and precision-recall curves of each class, with their areas.

    For each emotion ``fpr``, ``tpr``, ``roc_auc``, ``precision``, ``recall`` and ``average_precision``; a class that
    no label names, or that every label names, has no curve and is left out.
    """
    kept, wanted = labelled(probabilities, labels)
    found = {}
    for index, emotion in enumerate(EMOTIONS):
        positive = wanted == index
        if positive.all() or not positive.any():
            continue
        fpr, tpr, _ = sk.roc_curve(positive, kept[:, index])
        precision, recall, _ = sk.precision_recall_curve(positive, kept[:, index])
        found[emotion] = {
            "fpr": fpr, "tpr": tpr, "roc_auc": float(sk.auc(fpr, tpr)), "precision": precision, "recall": recall,
            "average_precision": float(sk.average_precision_score(positive, kept[:, index])),
            "support": int(positive.sum()),
        }  # fmt: skip
    return found


def confused_pairs(matrix: np.ndarray, most: int = 10) -> list[dict]:
    """The most frequent mistakes, ``{"label", "predicted", "images", "share"}``; share is of the label's images."""
    wrong = np.array(matrix) * (1 - np.eye(len(matrix), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    rows, columns = np.unravel_index(order, wrong.shape)
    support = np.asarray(matrix).sum(axis=1)
    return [
        {
            "label": EMOTIONS[row], "predicted": EMOTIONS[column], "images": int(wrong[row, column]),
            "share": float(wrong[row, column] / support[row]),
        }
        for row, column in zip(rows, columns, strict=True)
        if wrong[row, column]
    ]  # fmt: skip


def number(value: float) -> float | None:
    """A float for JSON, None for NaN."""
    return None if np.isnan(value) else float(value)
