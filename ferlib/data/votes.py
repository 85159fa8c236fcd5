"""The FER+ rules: from ten taggers' votes to a training target.

The rules of FER+ (Barsoum et al. 2016, arXiv 1608.01041, section 3, and their released trainer) take a single vote for
an outlier and set it to zero. The modes differ in what they make of the remaining votes:

- ``majority``: the top vote if it is more than half of them, "unknown" and "not a face" included;
- ``crossentropy`` and ``probability``: the largest votes until three quarters of the sum or three emotions are
  collected; the image is dropped when at most half was collected, when more than three tie, or when "unknown" or
  "not a face" leads. The two modes share the target and differ in the loss (cross-entropy over the distribution, or
  a label drawn from it in each epoch);
- ``multi_target``: every emotion that holds 30 % or more; the image is dropped when these hold at most half, or when
  "unknown" or "not a face" leads;
- ``argmax``: the top of the eight emotions, single votes included, as many later papers do.

Validation and test always use ``majority``.
"""

import numpy as np

from ferlib.data.labels import COLUMN_OF_EMOTION, EMOTIONS, NOT_A_FACE_COLUMN, UNKNOWN_COLUMN

MODES = ("majority", "crossentropy", "probability", "multi_target", "argmax")

REASONS = ("no votes", "no majority", "unknown", "not a face", "votes too spread", "no emotion")
"""Reasons why a rule drops an image; an image that it keeps has the reason ``""``."""


def targets(votes: np.ndarray, mode: str) -> np.ndarray:
    """Compute training targets under one FER+ rule.

    Args:
        votes: (N, 10) counts in the order of `labels.VOTE_COLUMNS`.
        mode: one of `MODES`.

    Returns:
        (N, 8) float32 in class order. The row of an image that the rule keeps sums to 1: it is one-hot for majority and
        argmax, otherwise every collected emotion in proportion to its votes. The row of a dropped image is all zero.

    Raises:
        ValueError: an unknown mode, or votes of another shape.
    """
    collected, _ = _collect(votes, mode)
    emotions = collected[:, COLUMN_OF_EMOTION].astype(np.float64)
    total = emotions.sum(axis=1, keepdims=True)
    return np.divide(emotions, total, out=np.zeros_like(emotions), where=total > 0).astype(np.float32)


def drop_reasons(votes: np.ndarray, mode: str) -> np.ndarray:
    """Reason why the rule drops each image.

    Args:
        votes: (N, 10) counts.
        mode: one of `MODES`.

    Returns:
        (N,) strings, one of `REASONS` or ``""`` for an image that the rule keeps.
    """
    return _collect(votes, mode)[1]


def hard_labels(votes: np.ndarray, mode: str = "majority") -> np.ndarray:
    """Compute the top class of `targets`.

    Args:
        votes: (N, 10) counts.
        mode: one of `MODES`.

    Returns:
        (N,) int64 class indices, -1 where the rule drops the image.
    """
    distribution = targets(votes, mode)
    return np.where(distribution.any(axis=1), distribution.argmax(axis=1), -1)


def emotion_shares(votes: np.ndarray) -> np.ndarray:
    """Compute the shares of the eight emotions in an image's votes for emotions, single votes included.

    Args:
        votes: (N, 10) counts.

    Returns:
        (N, 8) float64 in class order; a row sums to 1, or to 0 when no vote names an emotion.
    """
    emotions = np.asarray(votes)[:, COLUMN_OF_EMOTION].astype(np.float64)
    total = emotions.sum(axis=1, keepdims=True)
    return np.divide(emotions, total, out=np.zeros_like(emotions), where=total > 0)


def share_targets(votes: np.ndarray) -> np.ndarray:
    """Compute training targets from all votes, single ones included; no rule of FER+.

    The votes of ten taggers are a sample: a single vote says that about one person in ten sees that emotion. The target
    is the maximum-likelihood estimate of these shares.

    Args:
        votes: (N, 10) counts.

    Returns:
        (N, 8) float32, `emotion_shares` in class order; zero where emotions hold at most half of the votes, that is,
        where "unknown" and "not a face" prevail.
    """
    votes = np.asarray(votes)
    prevail = 2 * votes[:, COLUMN_OF_EMOTION].sum(axis=1) > votes.sum(axis=1)
    return np.where(prevail[:, None], emotion_shares(votes), 0).astype(np.float32)


def count_kept(votes: np.ndarray, mode: str) -> np.ndarray:
    """Count the images that a rule keeps, by their top emotion.

    Args:
        votes: (N, 10) counts.
        mode: one of `MODES`.

    Returns:
        (8,) counts in class order.
    """
    labels = hard_labels(votes, mode)
    return np.bincount(labels[labels >= 0], minlength=len(EMOTIONS))


def _collect(votes: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Votes that a rule keeps, (N, 10) with the rows of dropped images zero, and each row's reason."""
    votes = np.asarray(votes)
    if votes.ndim != 2 or votes.shape[1] != 10:
        raise ValueError(f"votes must be (N, 10), not {votes.shape}")
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}; choose one of {', '.join(MODES)}")
    if mode == "argmax":
        return _collect_argmax(votes.astype(np.int64))
    clean = np.where(votes == 1, 0, votes).astype(np.int64)
    rule = {"majority": _collect_majority, "multi_target": _collect_multi_target}.get(mode, _collect_distribution)
    collected, reasons = rule(clean)
    reasons[clean.sum(axis=1) == 0] = "no votes"
    collected[reasons != ""] = 0
    return collected, reasons


def _leading_reason(top: np.ndarray) -> np.ndarray:
    """Reason "unknown" or "not a face" where that column leads, else "", (N,)."""
    leads = [top == UNKNOWN_COLUMN, top == NOT_A_FACE_COLUMN]
    return np.select(leads, ["unknown", "not a face"], "").astype("<U16")


def _collect_argmax(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    emotions = votes[:, :8]
    collected = np.zeros_like(votes)
    collected[np.arange(len(votes)), emotions.argmax(axis=1)] = emotions.max(axis=1, initial=0)
    return collected, np.where(emotions.any(axis=1), "", "no emotion").astype("<U16")


def _collect_majority(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    top, peak = clean.argmax(axis=1), clean.max(axis=1)
    collected = np.zeros_like(clean)
    collected[np.arange(len(clean)), top] = peak
    reasons = _leading_reason(top)
    reasons[2 * peak <= clean.sum(axis=1)] = "no majority"
    return collected, reasons


def _collect_multi_target(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = clean.sum(axis=1)
    collected = np.where(10 * clean >= 3 * total[:, None], clean, 0)  # integers: 0.3 is not exact in floats
    reasons = _leading_reason(collected.argmax(axis=1))
    reasons[2 * collected.sum(axis=1) <= total] = "votes too spread"
    return collected, reasons


def _collect_distribution(clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Collect the largest votes until 75 % of the sum or three emotions; equal votes are taken together.

    "unknown" and "not a face" end the collecting when their turn comes, and count only when nothing came before.
    """
    collected = np.zeros_like(clean)
    reasons = np.full(len(clean), "", dtype="<U16")
    for row, (votes, out) in enumerate(zip(clean, collected, strict=True)):
        total, remaining = votes.sum(), votes.copy()
        while 4 * out.sum() < 3 * total and np.count_nonzero(out) < 3:
            peak = remaining.max()
            if peak == 0:
                break
            tied = np.flatnonzero(remaining == peak)
            emotions = tied[tied < UNKNOWN_COLUMN]
            out[emotions] = peak
            remaining[tied] = 0
            if len(emotions) < len(tied):
                if not out.any():
                    out[tied[0]] = peak
                break
        lead = out.argmax()
        if 2 * out.sum() <= total or np.count_nonzero(out) > 3:
            reasons[row] = "votes too spread"
        elif lead >= UNKNOWN_COLUMN:
            reasons[row] = "unknown" if lead == UNKNOWN_COLUMN else "not a face"
    return collected, reasons
