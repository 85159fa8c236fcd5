"""Metrics of stored probabilities and labels: each agrees with scikit-learn, most have a bootstrap interval.

Rows with a label of -1 (dropped by the voting rule) are left out everywhere.
"""

import numpy as np
from sklearn import metrics as sk

from ferlib.data.labels import EMOTIONS
from ferlib.models.temperature import MIN_PROBABILITY

RESAMPLES = 10_000
"""Number of bootstrap resamples."""

_RESAMPLES_AT_ONCE = 500


def labelled(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Select the rows that have a label.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.

    Returns:
        (M, 8) float64 probabilities whose rows sum to 1, and their (M,) labels.

    Raises:
        ValueError: shapes that do not match, or nothing to score.
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.shape != (len(labels), len(EMOTIONS)):
        raise ValueError(f"probabilities must be ({len(labels)}, {len(EMOTIONS)}), not {probabilities.shape}")
    counted = labels >= 0
    if not counted.any():
        raise ValueError("there is no labelled image to score")
    probabilities = probabilities[counted]
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels[counted]


def bootstrap_mean(values: np.ndarray, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Compute the 95 % percentile interval of a mean, resampling images.

    Args:
        values: (N,) value of each image.
        seed: seed of the resamples.
        resamples: number of them.

    Raises:
        ValueError: no values, or values that are not finite.
    """
    values = np.asarray(values, np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError("the mean of nothing, or of values that are no numbers, has no interval")
    generator, means = np.random.default_rng(seed), []
    for start in range(0, resamples, _RESAMPLES_AT_ONCE):
        count = min(_RESAMPLES_AT_ONCE, resamples - start)
        means.append(values[generator.integers(0, len(values), (count, len(values)))].mean(axis=1))
    return interval(np.concatenate(means))


def accuracy_rate(hits: np.ndarray) -> dict:
    """Compute ``accuracy`` and its 95 % bootstrap ``interval`` of (N,) booleans "was right"; JSON-ready."""
    return {"accuracy": float(hits.mean()), "interval": list(bootstrap_mean(hits))}


def resampled(matrix: np.ndarray, seed: int = 0) -> np.ndarray:
    """Draw bootstrap resamples of a confusion matrix, each by one multinomial draw of as many images.

    Args:
        matrix: (K, K) counts.
        seed: seed of the draws.

    Returns:
        (`RESAMPLES`, K, K) counts.
    """
    total = int(matrix.sum())
    draws = np.random.default_rng(seed).multinomial(total, matrix.ravel() / total, size=RESAMPLES)
    return draws.reshape(-1, *matrix.shape)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % percentile interval of the scores of resamples; NaN is left out."""
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def confusion_of(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count the confusion matrix.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.

    Returns:
        (8, 8) counts; rows are labels, columns the most probable classes.

    Raises:
        ValueError: as `labelled`.
    """
    predictions, true_labels = labelled(probabilities, labels)
    return sk.confusion_matrix(true_labels, predictions.argmax(axis=1), labels=range(len(EMOTIONS)))


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Compute the share of right predictions in (..., K, K) confusion matrices."""
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def per_class(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute recall, precision and F1 of each class.

    Args:
        confusion: (..., K, K) counts, rows are labels.

    Returns:
        Recall, precision and F1, (..., K) each; NaN where undefined. F1 is 0 for a class that is labelled or predicted
        but never right, and NaN for one that is neither.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    support, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return right / support, right / predicted, 2 * right / (support + predicted)


def macro_mean(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Average values over the classes that occur in the labels.

    Args:
        values: (..., K) value of each class; NaN counts as 0.
        matrix: (..., K, K) confusion matrices.

    Returns:
        (...,) means.
    """
    occurs = matrix.sum(axis=-1) > 0
    return np.where(occurs, np.nan_to_num(values), 0).sum(axis=-1) / occurs.sum(axis=-1)


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Compute the mean F1 over the classes that occur in the labels of (..., K, K) confusion matrices."""
    return macro_mean(per_class(matrix)[2], matrix)


def macro_precision(matrix: np.ndarray) -> np.ndarray:
    """Compute the mean precision over the classes that occur in the labels of (..., K, K) confusion matrices."""
    return macro_mean(per_class(matrix)[1], matrix)


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Compute the mean recall over the classes that occur in the labels of (..., K, K) confusion matrices."""
    return macro_mean(per_class(matrix)[0], matrix)


def kappa(matrix: np.ndarray) -> np.ndarray:
    """Compute Cohen's kappa, the agreement beyond chance, of (..., K, K) confusion matrices.

    It is NaN where chance alone gives full agreement.
    """
    total = matrix.sum(axis=(-2, -1))
    agreed = np.trace(matrix, axis1=-2, axis2=-1) / total
    chance = (matrix.sum(axis=-1) / total[..., None] * (matrix.sum(axis=-2) / total[..., None])).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (agreed - chance) / (1 - chance)


def top_hits(probabilities: np.ndarray, labels: np.ndarray, count: int = 2) -> np.ndarray:
    """Check whether the label is among the most probable classes; of equal ones the first in class order.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.
        count: number of classes.

    Returns:
        (M,) bool for the images that have a label.
    """
    predictions, true_labels = labelled(probabilities, labels)
    best = np.argsort(-predictions, axis=1, kind="stable")[:, :count]
    return (best == true_labels[:, None]).any(axis=1)


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Compute the negative log-likelihood of each label.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.

    Returns:
        (M,) nats for the images that have a label.
    """
    predictions, true_labels = labelled(probabilities, labels)
    return -np.log(np.maximum(predictions[np.arange(len(predictions)), true_labels], MIN_PROBABILITY))


def more_scores(probabilities: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict:
    """Compute balanced accuracy, kappa, top-2 accuracy, log-loss and macro precision.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.
        seed: seed of the bootstrap.

    Returns:
        JSON-ready ``{"value", "interval"}`` of each, with a 95 % bootstrap interval over images. Macro means are over
        the classes that occur in the labels, with an undefined precision counted as 0 (as scikit-learn does).
    """
    predictions, true_labels = labelled(probabilities, labels)
    matrix = confusion_of(predictions, true_labels)
    draws = resampled(matrix, seed)
    scores = {
        name: {"value": number(float(metric(matrix))), "interval": list(interval(metric(draws)))}
        for name, metric in (("balanced_accuracy", balanced_accuracy), ("macro_precision", macro_precision))
    }
    matrix_kappa = float(kappa(matrix))
    scores["kappa"] = {"value": number(matrix_kappa), "interval": None}
    if not np.isnan(matrix_kappa):
        scores["kappa"]["interval"] = list(interval(kappa(draws)))
    hits, losses = top_hits(predictions, true_labels), log_losses(predictions, true_labels)
    for name, values in (("top2", hits), ("log_loss", losses)):
        scores[name] = {"value": float(values.mean()), "interval": list(bootstrap_mean(values, seed))}
    return scores


def curves(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, dict]:
    """Compute one-vs-rest ROC and precision-recall curves of each class, with their areas.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.

    Returns:
        For each emotion ``fpr``, ``tpr``, ``roc_auc``, ``precision``, ``recall``, ``average_precision`` and
        ``support``. A class that no label names, or that every label names, has no curve and is left out.
    """
    predictions, true_labels = labelled(probabilities, labels)
    curves_by_emotion = {}
    for index, emotion in enumerate(EMOTIONS):
        positive = true_labels == index
        if positive.all() or not positive.any():
            continue
        fpr, tpr, _ = sk.roc_curve(positive, predictions[:, index])
        precision, recall, _ = sk.precision_recall_curve(positive, predictions[:, index])
        curves_by_emotion[emotion] = {
            "fpr": fpr, "tpr": tpr, "roc_auc": float(sk.auc(fpr, tpr)), "precision": precision, "recall": recall,
            "average_precision": float(sk.average_precision_score(positive, predictions[:, index])),
            "support": int(positive.sum()),
        }  # fmt: skip
    return curves_by_emotion


def confused_pairs(matrix: np.ndarray, most: int = 10) -> list[dict]:
    """List the most frequent mistakes, the most frequent first.

    Args:
        matrix: (8, 8) confusion matrix.
        most: largest number of rows.

    Returns:
        Rows ``{"label", "predicted", "images", "share"}``; the share is of the label's images.
    """
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
    """Convert a float for JSON; NaN becomes None."""
    return None if np.isnan(value) else float(value)
