"""Published results as they are stored in `data/published`."""

import json

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation.scores import score_predictions
from ferlib.models.questions import emotion_of_meant, widen_meant
from ferlib.training.run_files import check_name


def is_published(name: str) -> bool:
    """Return whether a model is published; a half-written one is not.

    Args:
        name: name of the model.
    """
    return (paths.PUBLISHED / name / "metrics.json").is_file()


def scores_by_part(predictions: dict[str, np.ndarray]) -> dict:
    """Score all images of a split, and its leak-free and leaked parts.

    Args:
        predictions: arrays as in `splits.Split.predictions`.

    Returns:
        `Scores.to_dict` under ``all``, ``leak_free`` and ``leaked``; a part without labelled images is left out. Of a
        model that answers both questions ``meant`` has the scores of FER2013's own protocol (seven classes; contempt
        does not occur).
    """
    leaked = predictions["leaked"]
    parts = {"all": np.ones(len(leaked), bool), "leak_free": ~leaked, "leaked": leaked}
    scores = {
        part: score_predictions(predictions["probabilities"][mask], predictions["labels"][mask]).to_dict()
        for part, mask in parts.items()
        if (predictions["labels"][mask] >= 0).any()
    }
    if "meant_labels" in predictions and (predictions["meant_labels"] >= 0).any():
        labels = emotion_of_meant(predictions["meant_labels"])
        scores["meant"] = score_predictions(widen_meant(predictions["meant_probabilities"]), labels).to_dict()
    return scores


def published_metrics(name: str) -> dict:
    """Read ``metrics.json`` of a published model.

    Args:
        name: name of the model.

    Raises:
        FerlibError: there is no such published model.
    """
    path = paths.PUBLISHED / check_name(name) / "metrics.json"
    if not path.is_file():
        raise FerlibError(f"there is no published model {name!r}; 'ferlib publish {name}' makes one of a finished run.")
    return json.loads(path.read_text(encoding="utf-8"))


def published_predictions(name: str, split: str) -> dict[str, np.ndarray]:
    """Read the stored predictions of a published model.

    Args:
        name: name of the model.
        split: ``"valid"`` or ``"test"``.

    Returns:
        Arrays as in `splits.Split.predictions`.

    Raises:
        FerlibError: there are no such predictions.
    """
    path = paths.PUBLISHED / check_name(name) / f"predictions_{split}.npz"
    if not path.is_file():
        if split == "test" and is_published(name) and split not in published_metrics(name):
            raise FerlibError(f"{name!r} is an ablation, which is scored on valid only; ask for valid.")
        raise FerlibError(f"there are no published predictions of {name!r} on {split}; publish the run again.")
    with np.load(path) as stored:
        return dict(stored)
