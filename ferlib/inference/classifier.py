"""Classifiers, from faces to probabilities: one on an exported graph and one in torch, with the same interface."""

from typing import TYPE_CHECKING

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.inference.sessions import Session
from ferlib.models.preprocessing import Preprocessing, equalise, to_grey
from ferlib.models.questions import Answers, QuestionRule, columns, output_count

if TYPE_CHECKING:
    from ferlib.models.checkpoints import Checkpoint


class _Answering:
    """Common part of the classifiers of all engines: the questions, and how their answers are read.

    Args:
        name: name of the checkpoint.
        about: its sidecar.
        preprocessing: steps that each face goes through.
        rule: what the network answers, and how that is read.
        question: reading that `predict_proba` gives, one of `questions.READINGS`; None for the sidecar's default.

    Raises:
        FerlibError: a question that the network does not answer.
    """

    def __init__(
        self, name: str, about: dict, preprocessing: Preprocessing, rule: QuestionRule, question: str | None
    ) -> None:
        self.name, self.about, self.preprocessing, self.rule = name, about, preprocessing, rule
        self.classes = EMOTIONS
        self.question, self.threshold = "", 0.0
        self.ask(question)

    def ask(self, question: str | None) -> None:
        """Choose how the answers are read from now on; the threshold follows.

        Args:
            question: one of `questions.READINGS`; None for the sidecar's default.

        Raises:
            FerlibError: a question that the network does not answer.
        """
        self.question = self.rule.check(self.name, question)
        thresholds = {"seen": self.about.get("threshold", 0.0), **self.about.get("thresholds", {})}
        self.threshold = float(thresholds.get(self.question, 0.0))

    @property
    def questions(self) -> tuple[str, ...]:
        """Questions that the network answers."""
        return self.rule.questions

    def predict_proba(
        self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True, question: str | None = None
    ) -> np.ndarray:
        """Compute the class probabilities of faces.

        Args:
            faces: (N, H, W) grey or (N, H, W, 3) RGB, uint8, cropped as `faces.cropping.crop_face` does.
            batch_size: faces in one forward pass.
            calibrated: divide the logits by the checkpoint's temperature; if false, the network's own probabilities.
            question: reading of the answers, one of `questions.READINGS`; None for the classifier's own.

        Returns:
            (N, 8) float32 in class order, rows sum to 1.

        Raises:
            ValueError: another shape or type.
            FerlibError: a question that the network does not answer.

        Examples:
            >>> classifier = ferlib.load_classifier()
            >>> classifier.predict_proba(np.zeros((1, 48, 48), np.uint8)).shape
            (1, 8)
        """
        return self.answer(faces, batch_size, calibrated=calibrated, question=question).probabilities

    def answer(
        self, faces: np.ndarray, batch_size: int = 128, *, calibrated: bool = True, question: str | None = None
    ) -> Answers:
        """Answer all questions that the network knows, in one pass.

        Args:
            faces: as `predict_proba` takes them.
            batch_size: faces in one forward pass.
            calibrated: as in `predict_proba`.
            question: as in `predict_proba`.

        Raises:
            ValueError: another shape or type of the faces.
            FerlibError: a question that the network does not answer.
        """
        reading = self.question if question is None else self.rule.check(self.name, question)
        return self.rule.read(self._probabilities(np.asarray(faces), batch_size, calibrated), reading)

    def _probabilities(self, faces: np.ndarray, batch_size: int, calibrated: bool) -> np.ndarray:
        """(N, K) float32, the part of each question with a sum of 1."""
        raise NotImplementedError


class Classifier(_Answering):
    """A trained network in torch, with its preprocessing and temperature.

    Args:
        checkpoint: the network and its sidecar.
        question: see `questions.READINGS`; "seen" is the protocol of all FER+ scores, None the sidecar's default.

    Attributes:
        name: name of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: steps that each face goes through.
        question: how the answers are read, one of `questions.READINGS`.
        threshold: smallest confidence of an answer; below it the answer is "not sure". It was chosen on valid
            (`calibration.choose_threshold`); 0 when none was.
        about: the checkpoint's sidecar.
        engine: engine that runs it, one of `loading.ENGINES`.
    """

    engine = "torch"

    def __init__(self, checkpoint: "Checkpoint", question: str | None = "seen") -> None:
        rule = QuestionRule.of(checkpoint.about, checkpoint.temperature)
        super().__init__(checkpoint.name, checkpoint.about, checkpoint.preprocessing, rule, question)
        self._model = checkpoint.model

    def _probabilities(self, faces: np.ndarray, batch_size: int, calibrated: bool) -> np.ndarray:
        import torch

        parts = [np.zeros((0, output_count(self.questions)), np.float32)]
        with torch.inference_mode():
            for start in range(0, max(len(faces), 1), batch_size):
                images = self.preprocessing(faces[start : start + batch_size])
                if len(images):
                    logits = self._model(images.contiguous(memory_format=torch.channels_last))
                    parts.append(self.rule.probabilities(logits, calibrated).numpy())
        return np.concatenate(parts)


class GraphClassifier(_Answering):
    """A checkpoint's graph with the interface of `Classifier`; it needs no torch.

    Args:
        about: the sidecar of the checkpoint.
        session: its graph, ready to run.
        engine: one of `loading.ENGINES`, for people to read.
        question: as `Classifier` takes it.

    Attributes:
        name: name of the checkpoint.
        classes: the eight emotions in class order.
        preprocessing: steps that each face goes through.
        question: how the answers are read.
        threshold: see `Classifier`.
        about: the checkpoint's sidecar.
        engine: engine that runs it.
    """

    def __init__(self, about: dict, session: Session, engine: str, question: str | None = "seen") -> None:
        super().__init__(
            about["name"], about, Preprocessing(**about["preprocessing"]), QuestionRule.of(about), question
        )
        self.engine = engine
        self._session = session

    def _probabilities(self, faces: np.ndarray, batch_size: int, calibrated: bool) -> np.ndarray:
        grey = to_grey(faces)
        if not len(grey):
            return np.zeros((0, output_count(self.questions)), np.float32)
        images = np.ascontiguousarray(equalise(grey, self.preprocessing.equalise))
        output = "probabilities" if calibrated else "logits"
        parts = [self._session.run(images[at : at + batch_size], output) for at in range(0, len(images), batch_size)]
        scores = np.concatenate(parts)
        if calibrated:
            return scores
        return np.concatenate([_softmax(scores[:, columns(question)]) for question in self.questions], axis=1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
