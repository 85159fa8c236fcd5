"""Models and people against the ten taggers' votes: human line, distances of distributions, FER+ protocols."""

from itertools import pairwise

import numpy as np

from ferlib.data.labels import COLUMN_OF_EMOTION, EMOTIONS, INDEX
from ferlib.data.votes import emotion_shares, hard_labels, targets
from ferlib.evaluation.metrics import accuracy_rate, bootstrap_mean
from ferlib.evaluation.scores import score_predictions
from ferlib.models.temperature import MIN_PROBABILITY

PROTOCOL_RULES = ("majority", "crossentropy", "multi_target", "argmax")
"""Label rules of the FER+ protocols in `protocol_table`."""

AGREEMENT_EDGES = (0.0, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.001)
"""Bounds of the bands of agreement, shares of all votes."""


def human_line(votes: np.ndarray) -> dict:
    """Measure how well one tagger does on images with a majority label.

    Args:
        votes: (N, 10) votes in the order of `labels.VOTE_COLUMNS`.

    Returns:
        JSON-ready. ``against_majority``: the chance that a tagger picked at random voted for the majority label; this
        flatters the tagger, whose own vote is in the majority. ``against_others``: the chance that the vote is the most
        frequent one among the other nine, all ten columns counted; where k columns tie there, a vote for one of them
        counts 1/k. Both have a 95 % bootstrap interval; ``n`` is the number of images.
    """
    votes = np.asarray(votes, np.int64)
    labels = hard_labels(votes)
    votes, labels = votes[labels >= 0], labels[labels >= 0]
    if not len(votes):
        return {"n": 0, "against_majority": None, "against_others": None}
    rows, totals = np.arange(len(votes)), votes.sum(axis=1)
    own = votes[rows, np.array(COLUMN_OF_EMOTION)[labels]]
    others = np.zeros(len(votes))
    for column in range(votes.shape[1]):
        rest = votes - (np.arange(votes.shape[1]) == column)
        peak = rest.max(axis=1)
        credit = (rest[:, column] == peak) / (rest == peak[:, None]).sum(axis=1)
        others += np.where(votes[:, column] > 0, votes[:, column] * credit, 0)
    return {
        "n": len(votes),
        "against_majority": float(np.mean(own / totals)),
        "against_majority_interval": list(bootstrap_mean(own / totals)),
        "against_others": float(np.mean(others / totals)),
        "against_others_interval": list(bootstrap_mean(others / totals)),
    }


def entropy(shares: np.ndarray) -> np.ndarray:
    """Compute the (N,) entropy of (N, K) distributions in nats, the least cross-entropy that any model can reach."""
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)


def cross_entropy(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the cross-entropy of predictions against distributions.

    Args:
        shares: (N, K) distributions of the votes.
        probabilities: (N, K) predictions.

    Returns:
        (N,) nats.
    """
    return -(shares * np.log(np.maximum(probabilities, MIN_PROBABILITY))).sum(axis=1)


def js_divergence(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Compute the Jensen-Shannon divergence of predictions and distributions.

    Args:
        shares: (N, K) distributions of the votes.
        probabilities: (N, K) predictions.

    Returns:
        (N,) nats, between 0 and log 2.
    """
    middle = (shares + probabilities) / 2
    halves = (cross_entropy(side, middle) - entropy(side) for side in (shares, probabilities))
    return sum(halves) / 2


def distribution_scores(probabilities: np.ndarray, votes: np.ndarray) -> dict:
    """Measure the distance of predictions from the distribution of the taggers' emotion votes.

    All images with an emotion vote count, also those without a majority.

    Args:
        probabilities: (N, 8) predictions.
        votes: (N, 10) votes in the order of `labels.VOTE_COLUMNS`.

    Returns:
        JSON-ready, in nats: ``soft_cross_entropy``, its ``floor`` (the votes' own entropy), their difference (the KL
        divergence, ``kl``) and the Jensen-Shannon divergence ``js``.
    """
    shares = emotion_shares(votes)
    counted = shares.any(axis=1)
    shares, probabilities = shares[counted], np.asarray(probabilities, np.float64)[counted]
    if not len(shares):
        return {"n": 0}
    cross, floor = cross_entropy(shares, probabilities), entropy(shares)
    return {
        "n": len(shares),
        "soft_cross_entropy": float(cross.mean()), "floor": float(floor.mean()),
        "soft_cross_entropy_interval": list(bootstrap_mean(cross)),
        "kl": float((cross - floor).mean()), "kl_interval": list(bootstrap_mean(cross - floor)),
        "js": float(js_divergence(shares, probabilities).mean()),
    }  # fmt: skip


def accuracy_by_agreement(probabilities: np.ndarray, votes: np.ndarray) -> list[dict]:
    """Measure the accuracy on the taggers' most frequent emotion, by the share of all votes that it got.

    Images of all kinds count as long as one emotion leads alone.

    Args:
        probabilities: (N, 8) predictions.
        votes: (N, 10) votes in the order of `labels.VOTE_COLUMNS`.

    Returns:
        JSON-ready rows, one a band of agreement with images: ``low``, ``high``, ``n``, ``accuracy``, ``interval``, and
        ``human``, the mean share of votes, which a tagger at random reaches.
    """
    votes = np.asarray(votes, np.int64)
    emotions = votes[:, list(COLUMN_OF_EMOTION)]
    top = emotions.max(axis=1)
    alone = (top > 0) & ((emotions == top[:, None]).sum(axis=1) == 1)
    share = top / np.maximum(votes.sum(axis=1), 1)
    right = np.asarray(probabilities).argmax(axis=1) == emotions.argmax(axis=1)
    rows = []
    for low, high in pairwise(AGREEMENT_EDGES):
        inside = alone & (share >= low) & (share < high)
        if inside.any():
            rows.append(
                {
                    "low": low, "high": min(high, 1.0), "n": int(inside.sum()), "accuracy": float(right[inside].mean()),
                    "interval": list(bootstrap_mean(right[inside])), "human": float(share[inside].mean()),
                }
            )  # fmt: skip
    return rows


def protocol_table(probabilities: np.ndarray, ids: np.ndarray, votes_by_file: dict[str, dict]) -> list[dict]:
    """Score the same predictions under each common FER+ protocol, for comparison with any paper.

    Args:
        probabilities: (N, 8) predictions.
        ids: (N,) image names.
        votes_by_file: ``{label file: {"ids": (M,), "votes": (M, 10)}}``.

    Returns:
        Rows of ``labels``, ``rule``, ``classes``, ``n``, ``accuracy`` and ``interval``. For multi_target a prediction
        is right when it is any of the image's emotions (chance is higher); otherwise the top of the target counts, of
        equal ones the first in class order. Seven classes: images labelled contempt are left out, and contempt is
        never predicted.
    """
    index_of = {name: index for index, name in enumerate(np.asarray(ids).tolist())}
    rows = []
    for file, labelled in votes_by_file.items():
        known = np.array([name in index_of for name in labelled["ids"].tolist()], bool)
        order = np.array([index_of[name] for name in labelled["ids"][known].tolist()], np.int64)
        predictions, votes = np.asarray(probabilities)[order], labelled["votes"][known]
        for rule in PROTOCOL_RULES:
            rows.append({"labels": file, "rule": rule, "classes": 8, **_score_under_rule(predictions, votes, rule)})
        rows.append({"labels": file, "rule": "majority", "classes": 7, **_score_seven_classes(predictions, votes)})
    return rows


def _score_under_rule(probabilities: np.ndarray, votes: np.ndarray, rule: str) -> dict:
    if rule == "multi_target":
        target_rows, predicted = targets(votes, rule), probabilities.argmax(axis=1)
        hits = target_rows[np.arange(len(predicted)), predicted] > 0
        return _rate_or_nothing(hits[target_rows.any(axis=1)])
    labels = hard_labels(votes, rule)
    if not (labels >= 0).any():
        return _rate_or_nothing(labels[:0])
    scores = score_predictions(probabilities, labels)  # the same interval as everywhere
    return {"n": scores.n, "accuracy": scores.accuracy, "interval": list(scores.accuracy_interval)}


def _score_seven_classes(probabilities: np.ndarray, votes: np.ndarray) -> dict:
    labels = hard_labels(votes)
    counted = (labels >= 0) & (labels != INDEX["contempt"])
    without_contempt = probabilities * (np.arange(len(EMOTIONS)) != INDEX["contempt"])
    return _rate_or_nothing((without_contempt.argmax(axis=1) == labels)[counted])


def _rate_or_nothing(hits: np.ndarray) -> dict:
    if not len(hits):
        return {"n": 0, "accuracy": None, "interval": None}
    return {"n": len(hits), **accuracy_rate(hits)}
