"""Results of trained models for the notebooks: read from `data/published`, or trained again and scored on valid."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data import ferplus
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.evaluation import taggers
from ferlib.evaluation.scores import score_predictions
from ferlib.files import write_json
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.models.questions import emotion_of_meant, widen_meant
from ferlib.publishing.store import is_published, published_metrics, published_predictions
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class ModelResult:
    """Scores and history of one trained model.

    Attributes:
        name: name of the run.
        config: its settings.
        history: one row an epoch, columns `HISTORY_COLUMNS`.
        scores: ``{"valid": Scores.to_dict(), "test": ...}``; test only of published models, without ablations.
        seconds: duration of the training.
        epoch: the epoch whose weights were taken.
        protocol: protocol of the labels of valid and test.
        meant: scores of the answers to "meant" by FER2013's own labels, as in `scores`; empty for "seen" alone.
    """

    name: str
    config: TrainConfig
    history: pd.DataFrame
    scores: dict[str, dict]
    seconds: float
    epoch: int
    protocol: str
    meant: dict[str, dict] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """JSON-ready form, without the history."""
        return {
            "name": self.name, "config": self.config.to_dict(), "scores": self.scores, "seconds": self.seconds,
            "epoch": self.epoch, "protocol": self.protocol, **({"meant": self.meant} if self.meant else {}),
        }  # fmt: skip


def published_results(names: Sequence[str]) -> list[ModelResult]:
    """Results of the named models as far as they are published, in the order of the names.

    Args:
        names: names of models.

    Raises:
        FerlibError: none of them is published.
    """
    published = [name for name in names if is_published(name)]
    if not published:
        raise FerlibError(f"none of {', '.join(names)} is published; train one and use 'ferlib publish'.")
    return [_published_result(name) for name in published]


def _published_result(name: str) -> ModelResult:
    metrics = published_metrics(name)
    run = metrics["run"]
    scores = {split: metrics[split]["all"] for split in ("valid", "test") if split in metrics}
    return ModelResult(
        name, TrainConfig.from_dict(metrics["config"]), pd.read_csv(paths.PUBLISHED / name / "history.csv"), scores,
        run["seconds"], run["best_epoch"], metrics["protocol"],
        {split: metrics[split]["meant"] for split in scores if "meant" in metrics[split]},
    )  # fmt: skip


def retrain_model(name: str, config: TrainConfig, folder: Path, *, root: Path | None = None) -> ModelResult:
    """Train `config` in ``folder/NAME``, where it also resumes, and score it on valid.

    Args:
        name: name of the run.
        config: its settings.
        folder: folder of runs that are not published, under `data/runs`.
        root: data folder; None: the one that `FERLIB_DATA` names.
    """
    from ferlib.training.runs import train  # torch

    best = train(config, name, root=root, runs=folder, progress=False)
    sidecar = {"model": config.model_arguments(), "preprocessing": config.preprocessing.to_dict()}
    classifier = Classifier(checkpoints.as_shipped(name, best["state"], sidecar))
    data = ferplus.load_train_valid(root)
    valid = data.where(data.split == "valid")
    answers = classifier.answer(np.asarray(valid.images))
    scores = {"valid": score_predictions(answers.seen, hard_labels(valid.votes)).to_dict()}
    meant = {}
    if answers.meant is not None:
        labels = emotion_of_meant(valid.meant)
        meant["valid"] = score_predictions(widen_meant(answers.meant), labels).to_dict()
    history = pd.DataFrame(best["history"])
    protocol = f"{data.source}, majority label"
    seconds = float(history["seconds"].sum())
    result = ModelResult(name, config, history, scores, seconds, best["epoch"], protocol, meant)
    write_json(folder / f"{name}.json", result.to_dict())
    return result


def ensemble_scores(names: Sequence[str], split: str) -> dict:
    """Scores of published models together: the geometric mean of their stored probabilities.

    A student with several teachers learns from this mean (`distillation.Teachers`).

    Args:
        names: names of published models.
        split: ``"valid"`` or ``"test"``.

    Returns:
        `Scores.to_dict`'s form.

    Raises:
        FerlibError: one of them is not published.
        ValueError: their predictions are of different images.
    """
    members = _predictions_on_same_images(names, split)
    logs = np.mean([np.log(np.clip(member["probabilities"], 1e-12, 1.0)) for member in members], axis=0)
    mean = np.exp(logs - logs.max(axis=1, keepdims=True))
    return score_predictions(mean / mean.sum(axis=1, keepdims=True), members[0]["labels"]).to_dict()


def shared_errors(name: str, others: Sequence[str], split: str = "test") -> tuple[int, int]:
    """Numbers of errors that a published model makes, and of those that other models all make, too.

    Args:
        name: name of the model.
        others: names of the other published models.
        split: ``"valid"`` or ``"test"``.

    Returns:
        (images that the model gets wrong, images among them that every other model gets wrong).
    """
    hits = hits_on_same_images([name, *others], split)
    wrong = ~hits[name]
    return int(wrong.sum()), int((wrong & ~np.any([hits[other] for other in others], axis=0)).sum())


def hits_on_same_images(names: Sequence[str], split: str) -> dict[str, np.ndarray]:
    """Labelled images that published models name rightly.

    Args:
        names: names of the models.
        split: ``"valid"`` or ``"test"``.

    Returns:
        ``{name: (N,) bool}``.

    Raises:
        ValueError: their predictions are of different images.
    """
    predictions = _predictions_on_same_images(names, split)
    labelled = predictions[0]["labels"] >= 0
    return {
        name: (arrays["probabilities"].argmax(axis=1) == arrays["labels"])[labelled]
        for name, arrays in zip(names, predictions, strict=True)
    }


def _predictions_on_same_images(names: Sequence[str], split: str) -> list[dict[str, np.ndarray]]:
    first, *others = predictions = [published_predictions(name, split) for name in names]
    if any(not np.array_equal(other[key], first[key]) for other in others for key in ("ids", "labels")):
        raise ValueError("the predictions are of different images or labels")
    return predictions


def obtain_human_line(split: str, *, again: bool = False, root: Path | None = None) -> dict:
    """Agreement of one tagger with the majority (`taggers.human_line`), as published or counted again on valid.

    Args:
        split: ``"valid"`` or ``"test"``.
        again: count on valid instead of reading the published numbers.
        root: data folder to count in; None: the one that `FERLIB_DATA` names.

    Raises:
        FerlibError: no evaluation is published.
    """
    if again:
        data = ferplus.load_train_valid(root)
        return taggers.human_line(np.asarray(data.votes[data.split == "valid"]))
    files = sorted(paths.PUBLISHED.glob("*/study.json"))
    if not files:
        raise FerlibError("no evaluation is published yet; 'ferlib study' makes one.")
    return json.loads(files[0].read_text(encoding="utf-8"))[split]["human"]
