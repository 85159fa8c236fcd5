"""Published results as they are stored in `data/published`."""

import json

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation.scores import score
from ferlib.training.runs import check_name


def is_published(name: str) -> bool:
    """Whether a model is published; a half-written one is not."""
    return (paths.PUBLISHED / name / "metrics.json").is_file()


def summarise(predictions: dict[str, np.ndarray]) -> dict:
    """Scores of all images of a split, and of its leak-free and leaked parts, JSON-ready."""
    leaked = predictions["leaked"]
    parts = {"all": np.ones(len(leaked), bool), "leak_free": ~leaked, "leaked": leaked}
    return {
        part: score(predictions["probabilities"][mask], predictions["labels"][mask]).to_dict()
        for part, mask in parts.items()
        if (predictions["labels"][mask] >= 0).any()
    }


def published_metrics(name: str) -> dict:
    """``metrics.json`` of a published model."""
    path = paths.PUBLISHED / check_name(name) / "metrics.json"
    if not path.is_file():
        raise FerlibError(f"there is no published model {name!r}; 'ferlib publish {name}' makes one of a finished run.")
    return json.loads(path.read_text(encoding="utf-8"))


def published_predictions(name: str, split: str) -> dict[str, np.ndarray]:
    """The stored predictions of a published model on ``"valid"`` or ``"test"``; see `Split` for the arrays."""
    path = paths.PUBLISHED / check_name(name) / f"predictions_{split}.npz"
    if not path.is_file():
        raise FerlibError(f"there are no published predictions of {name!r} on {split}; publish the run again.")
    with np.load(path) as stored:
        return dict(stored)
