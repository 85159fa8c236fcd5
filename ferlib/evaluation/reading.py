"""Choices on valid of how two answers become one: share of "meant" in the blend, and threshold of each reading."""

from dataclasses import asdict, dataclass

import numpy as np

from ferlib.evaluation import calibration
from ferlib.models.questions import blend, emotion_of_meant, widen_meant
from ferlib.models.temperature import at_temperature, fit_temperature

SHARES = tuple(round(0.05 * step, 2) for step in range(21))
"""Shares of "meant" that are tried."""


@dataclass(frozen=True, eq=False)
class TwoAnswers:
    """Answers to both questions about the same images, with both labels.

    Attributes:
        seen: (N, 8) probabilities of what people see.
        meant: (N, 7) probabilities of what was meant.
        seen_labels: (N,) majority labels of FER+, -1 for none.
        meant_labels: (N,) FER2013's own labels as indices in `MEANT_EMOTIONS`, -1 for none.
    """

    seen: np.ndarray
    meant: np.ndarray
    seen_labels: np.ndarray
    meant_labels: np.ndarray

    def at_temperatures(self, seen: float, meant: float) -> "TwoAnswers":
        """Scale the probabilities of each question, which are of temperature 1, to its own temperature."""
        at = at_temperature
        return TwoAnswers(at(self.seen, seen), at(self.meant, meant), self.seen_labels, self.meant_labels)


@dataclass(frozen=True)
class ShareScores:
    """Accuracy of the blend with one share of "meant".

    Attributes:
        share: weight of "meant", 0..1.
        seen: accuracy against what people see (FER+), 0..1.
        meant: accuracy against what was meant (FER2013), 0..1.
    """

    share: float
    seen: float
    meant: float

    @property
    def mean(self) -> float:
        """Mean of the two accuracies, by which the share is chosen."""
        return (self.seen + self.meant) / 2


def share_scores(answers: TwoAnswers, shares: tuple[float, ...] = SHARES) -> list[ShareScores]:
    """Score the blend under both label sets.

    Args:
        answers: calibrated answers for the images of valid.
        shares: shares of "meant" to try.

    Raises:
        ValueError: no image has a label of one of the sets.
    """
    meant_labels = emotion_of_meant(answers.meant_labels)
    if not (answers.seen_labels >= 0).any() or not (meant_labels >= 0).any():
        raise ValueError("there is no labelled image to score")
    scores = []
    for share in shares:
        predictions = blend(answers.seen, answers.meant, share).argmax(axis=1)
        rates = [
            float((predictions[labels >= 0] == labels[labels >= 0]).mean())
            for labels in (answers.seen_labels, meant_labels)
        ]
        scores.append(ShareScores(share, *rates))
    return scores


def choose_share(scores: list[ShareScores]) -> float:
    """Choose the share of the greatest mean accuracy under both label sets; the smallest one of equals."""
    return max(scores, key=lambda score: (score.mean, -score.share)).share


def right_of_reading(answers: TwoAnswers, reading: str, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Tell which answers of a reading are right.

    An answer of "both" is wrong where it is neither what people see nor what was meant.

    Args:
        answers: calibrated answers.
        reading: one of `questions.READINGS`.
        share: weight of "meant" in the blend.

    Returns:
        Confidence (M,) in 0..1 and whether the answer is right (M,), of the images that have the labels which the
        reading needs: its own, or both.
    """
    meant_labels = emotion_of_meant(answers.meant_labels)
    if reading == "both":
        probabilities = blend(answers.seen, answers.meant, share)
        counted = (answers.seen_labels >= 0) & (meant_labels >= 0)
        labels = [answers.seen_labels, meant_labels]
    else:
        probabilities = answers.seen if reading == "seen" else widen_meant(answers.meant)
        labels = [answers.seen_labels if reading == "seen" else meant_labels]
        counted = labels[0] >= 0
    predictions = probabilities.argmax(axis=1)
    right = np.any([predictions == each for each in labels], axis=0)
    return probabilities.max(axis=1)[counted], right[counted]


def choose_reading(raw: TwoAnswers, temperature: float, risk: float) -> dict:
    """Choose how a model's answers are read, from valid alone.

    Args:
        raw: answers of temperature 1 for the images of valid.
        temperature: temperature of "seen".
        risk: largest bound of the share of wrong answers, see `calibration.choose_threshold`.

    Returns:
        The entries of the sidecar: ``meant_temperature``, ``meant_share`` and ``thresholds`` of the readings "meant"
        and "both" (that of "seen" is the model's ``threshold``); and ``shares``, the scores of every share that was
        tried.

    Raises:
        FerlibError: no threshold gives so few wrong answers.
    """
    meant_temperature = fit_temperature(raw.meant, raw.meant_labels)
    answers = raw.at_temperatures(temperature, meant_temperature)
    scores = share_scores(answers)
    share = choose_share(scores)
    thresholds = {
        reading: calibration.choose_threshold(*right_of_reading(answers, reading, share), risk)
        for reading in ("meant", "both")
    }
    return {
        "meant_temperature": meant_temperature, "meant_share": share, "thresholds": thresholds,
        "shares": [asdict(score) for score in scores],
    }  # fmt: skip
