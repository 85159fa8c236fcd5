"""Votes of ten made-up taggers for drawn faces."""

from collections.abc import Sequence

import numpy as np

from ferlib.data.labels import COLUMN_OF_EMOTION, EMOTIONS, INDEX, UNKNOWN_COLUMN, VOTE_COLUMNS

TAGGERS = 10

# Emotions that taggers mistake each emotion for, and how often (weights among the votes that name another one).
_CONFUSIONS = {
    "angry": {"disgust": 3, "neutral": 2, "sad": 1},
    "contempt": {"neutral": 4, "happy": 2, "disgust": 1},
    "disgust": {"angry": 4, "sad": 1, "contempt": 1},
    "fear": {"surprise": 4, "sad": 1},
    "happy": {"neutral": 2, "surprise": 1, "contempt": 1},
    "neutral": {"sad": 3, "happy": 1, "contempt": 1, "angry": 1},
    "sad": {"neutral": 4, "fear": 1, "angry": 1},
    "surprise": {"fear": 4, "happy": 1},
}
_DISPUTED_SHARE = 0.12  # share of the images on which the taggers disagree


def simulate_votes(labels: Sequence[int] | np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulate the votes of ten taggers.

    Most taggers name the class, some a neighbour of it, a few "unknown"; on about one image in eight they disagree.
    One image in twenty lacks a tagger.

    Args:
        labels: (N,) class indices.
        rng: the only source of chance.

    Returns:
        (N, 10) uint8 in the order of `labels.VOTE_COLUMNS`; a row sums to 9 or 10.
    """
    classes = np.asarray(labels, dtype=np.int64)
    confusion = np.zeros((len(EMOTIONS), len(VOTE_COLUMNS)))
    for emotion, others in _CONFUSIONS.items():
        for other, weight in others.items():
            confusion[INDEX[emotion], COLUMN_OF_EMOTION[INDEX[other]]] = weight / sum(others.values())
    confusion[:, UNKNOWN_COLUMN] = 0.12
    confusion /= confusion.sum(axis=1, keepdims=True)
    disputed = rng.random(len(classes)) < _DISPUTED_SHARE
    agreement = np.where(disputed, rng.uniform(0.3, 0.6, len(classes)), rng.uniform(0.75, 1, len(classes)))
    chances = confusion[classes] * (1 - agreement[:, None])
    chances[np.arange(len(classes)), np.take(COLUMN_OF_EMOTION, classes)] += agreement
    taggers = TAGGERS - (rng.random(len(classes)) < 0.05)
    return rng.multinomial(taggers, chances).astype(np.uint8)
