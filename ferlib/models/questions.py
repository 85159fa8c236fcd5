"""The two questions about a face, the outputs that answer them, and how two answers become one.

*Seen*: which emotion do people see in the face? Ten taggers voted (FER+, eight classes). *Meant*: which emotion was the
face meant to show? Each picture was searched for by a word (FER2013's own labels, seven classes without contempt). The
answers differ: of the faces that were meant as sad, people see half as neutral.

A network that answers both has one row of logits: eight for "seen", then seven for "meant".
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ferlib.data.labels import EMOTION_OF_MEANT, EMOTIONS, INDEX, MEANT_EMOTIONS
from ferlib.errors import FerlibError

if TYPE_CHECKING:
    import torch

QUESTION_CLASSES = {"seen": EMOTIONS, "meant": MEANT_EMOTIONS}
"""Classes of each question, in the order of its logits."""

SEEN_ONLY, BOTH_QUESTIONS = ("seen",), ("seen", "meant")
"""The questions that a network can answer."""

READINGS = ("seen", "meant", "both")
"""Ways to read a face: the answer to one question, or the blend of both (`blend`)."""

READING_TITLES = {"seen": "what people see in it", "meant": "what it was meant to show", "both": "both together"}
"""Words for each reading of a face, for switches."""


def check_questions(questions: Sequence[str]) -> tuple[str, ...]:
    """Check the questions that a network answers.

    Args:
        questions: names, in the order of the logits.

    Returns:
        The same names.

    Raises:
        FerlibError: neither `SEEN_ONLY` nor `BOTH_QUESTIONS`.
    """
    if tuple(questions) not in (SEEN_ONLY, BOTH_QUESTIONS):
        raise FerlibError(f"questions must be ['seen'] or ['seen', 'meant'], not {list(questions)}.")
    return tuple(questions)


def output_count(questions: Sequence[str]) -> int:
    """Count the logits of a network that answers these questions: 8 or 15.

    Args:
        questions: names, in the order of the logits.
    """
    return sum(len(QUESTION_CLASSES[name]) for name in questions)


def columns(question: str) -> slice:
    """Return the place of a question's logits in a row: 0..8 for "seen", 8..15 for "meant".

    Args:
        question: "seen" or "meant".
    """
    start = 0 if question == "seen" else len(EMOTIONS)
    return slice(start, start + len(QUESTION_CLASSES[question]))


def widen_head(state: "dict[str, torch.Tensor]", own: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Give a network of one question the outputs of a network of both.

    The last layer's rows for "meant" begin as those of the same emotions for "seen".

    Args:
        state: state dict of a network that answers "seen", or of one that needs no change.
        own: state dict of the network to be filled.

    Returns:
        The state dict; tensors with 8 rows have 15 where those of `own` do.
    """
    rows = [*range(len(EMOTIONS)), *EMOTION_OF_MEANT]
    before, after = output_count(SEEN_ONLY), output_count(BOTH_QUESTIONS)
    widened = dict(state)
    for name, value in state.items():
        if name in own and value.ndim and (value.shape[0], own[name].shape[0]) == (before, after):
            widened[name] = value[rows]
    return widened


def widen_meant(meant: np.ndarray) -> np.ndarray:
    """Give probabilities of the seven classes of "meant" the columns of all eight emotions.

    Args:
        meant: (N, 7) in the order of `MEANT_EMOTIONS`.

    Returns:
        (N, 8) float32 in class order; contempt is 0.
    """
    probabilities = np.zeros((len(meant), len(EMOTIONS)), np.float32)
    probabilities[:, EMOTION_OF_MEANT] = meant
    return probabilities


def emotion_of_meant(labels: np.ndarray) -> np.ndarray:
    """Convert labels of "meant" to class indices of all eight emotions.

    Args:
        labels: (N,) indices in `MEANT_EMOTIONS`, -1 for none.

    Returns:
        (N,) int64 indices in `EMOTIONS`, -1 for none.
    """
    return np.where(labels >= 0, np.array(EMOTION_OF_MEANT)[labels], -1)


def blend(seen: np.ndarray, meant: np.ndarray, meant_share: float) -> np.ndarray:
    """Blend the answers to both questions: a mixture in which contempt comes from "seen" alone.

    Contempt keeps its probability c from "seen", since FER2013's labels do not know it; each other emotion has
    ``(1 - share) * seen + share * (1 - c) * meant``. A share of 0 is "seen" itself.

    Args:
        seen: (N, 8) probabilities in class order.
        meant: (N, 7) probabilities in the order of `MEANT_EMOTIONS`.
        meant_share: weight of "meant", 0..1.

    Returns:
        (N, 8) float32 in class order; rows sum to 1.
    """
    contempt = seen[:, INDEX["contempt"]]
    blended = (1 - meant_share) * seen + meant_share * (1 - contempt[:, None]) * widen_meant(meant)
    blended[:, INDEX["contempt"]] = contempt
    return blended.astype(np.float32)


class Answers(NamedTuple):
    """Answers of a network about faces.

    Attributes:
        probabilities: (N, 8) of the reading that was asked for, in class order.
        seen: (N, 8) of what people see.
        meant: (N, 7) of what was meant, in the order of `MEANT_EMOTIONS`; None where the network does not answer that.
    """

    probabilities: np.ndarray
    seen: np.ndarray
    meant: np.ndarray | None


class QuestionRule(NamedTuple):
    """Rule by which a checkpoint's answers become the eight probabilities of a face; its sidecar holds the parameters.

    Attributes:
        questions: what the network answers, in the order of its logits.
        temperatures: divisor of each question's logits.
        default: reading where none is asked for, one of `READINGS`.
        meant_share: weight of "meant" in the reading "both", chosen on valid under both label sets.
    """

    questions: tuple[str, ...]
    temperatures: tuple[float, ...]
    default: str
    meant_share: float

    @classmethod
    def of(cls, about: Mapping[str, Any], temperature: float | None = None) -> "QuestionRule":
        """Read the rule from a sidecar.

        Args:
            about: sidecar of a checkpoint; without ``"questions"`` in its model the network answers "seen" alone.
            temperature: divisor of the logits of "seen"; None for the sidecar's.

        Raises:
            FerlibError: unknown questions, or a value that is no number.
        """
        try:
            questions = check_questions(about.get("model", {}).get("questions", SEEN_ONLY))
            first = about.get("temperature", 1.0) if temperature is None else temperature
            temperatures = (float(first), float(about.get("meant_temperature", 1.0)))
            default = about.get("question", "both") if questions == BOTH_QUESTIONS else "seen"
            return cls(questions, temperatures[: len(questions)], default, float(about.get("meant_share", 0.5)))
        except (TypeError, ValueError, AttributeError) as error:
            raise FerlibError(
                f"the sidecar of {about.get('name')!r} cannot be used ({error}); get it again (git checkout)."
            ) from error

    def check(self, name: str, reading: str | None) -> str:
        """Check a reading.

        Args:
            name: name of the model, for the error.
            reading: one of `READINGS`; None for the default.

        Returns:
            The reading.

        Raises:
            FerlibError: an unknown reading, or one that the network cannot give.
        """
        if reading not in (None, *READINGS):
            raise FerlibError(f"there is no question {reading!r}; choose one of {', '.join(READINGS)}.")
        if reading in ("meant", "both") and self.questions == SEEN_ONLY:
            raise FerlibError(
                f"the model {name!r} answers only what people see; choose the question 'seen' or another model."
            )
        return reading or self.default

    def probabilities(self, logits: "torch.Tensor", calibrated: bool = True) -> "torch.Tensor":
        """Turn logits into probabilities, each question's part by itself.

        Args:
            logits: (N, K).
            calibrated: divide each part by its temperature first.

        Returns:
            (N, K); each question's part sums to 1.
        """
        import torch

        divisors = self.temperatures if calibrated else (1.0,) * len(self.questions)
        if len(self.questions) == 1:  # no slices: an exported graph of one question stays as it is
            return (logits / divisors[0]).softmax(dim=1)
        pairs = zip(self.questions, divisors, strict=True)
        return torch.cat([(logits[:, columns(name)] / divisor).softmax(dim=1) for name, divisor in pairs], dim=1)

    def read(self, parts: np.ndarray, reading: str) -> Answers:
        """Read the answers.

        Args:
            parts: (N, K) probabilities, each question's part with a sum of 1.
            reading: one of `READINGS`.
        """
        seen = parts[:, columns("seen")]
        if self.questions == SEEN_ONLY:
            return Answers(seen, seen, None)
        meant = parts[:, columns("meant")]
        if reading == "both":
            return Answers(blend(seen, meant, self.meant_share), seen, meant)
        return Answers(seen if reading == "seen" else widen_meant(meant), seen, meant)
