"""Scores of a checkpoint on a split; the one function that reads the test split."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.data.ferplus import FerData
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.inference.classifier import Classifier

if TYPE_CHECKING:
    from ferlib.inference.classifier import GraphClassifier


@dataclass(frozen=True, eq=False)
class Split:
    """One split as a measure sees it, all its images in one order.

    Attributes:
        images: (N, 48, 48) uint8; votes: (N, 10) uint8 of the default label file.
        votes_by_file: ``{label file: {"ids": (M,), "votes": (M, 10)}}`` of each label file that the data has.
        predictions: ``ids`` (N,), ``labels`` (N,) majority class or -1, ``probabilities`` (N, 8) float32 of
            temperature 1, ``leaked`` (N,) bool.
    """

    images: np.ndarray
    votes: np.ndarray
    votes_by_file: dict[str, dict[str, np.ndarray]]
    predictions: dict[str, np.ndarray]


Measures = Mapping[str, Callable[[Split], Any]]
"""What to measure while a split is being read: name -> function of the split."""


def protocol_of(content_hash: str, source: str) -> str:
    """How validation and test labels are made; data that is not the official set is called so."""
    if content_hash in OFFICIAL_HASHES:
        return f"FER2013+, {OFFICIAL_HASHES[content_hash]}, majority label"
    return f"not the official FER2013+ ({source}), majority label"


def score_test(
    classifier: "Classifier | GraphClassifier", root: Path | None = None, measures: Measures | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Predictions on the test split, and what `measures` found there: the one function that reads it.

    It is called when a model is published, when its final report is made with every choice made (`measure_splits`),
    and again only to check the stored predictions. Nothing that chooses anything may call it; a test in the suite
    guards this. Returns the predictions as in `Split`, and each measure's result under its name.
    """
    files = _both_files(lambda labels: ferplus.load_all(root, labels)) if measures else {}
    return _read_split(classifier, ferplus.load_all(root), cleaning.manifest_of(root), "test", files, measures)


def score_valid(
    classifier: "Classifier | GraphClassifier", root: Path | None = None, measures: Measures | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The same on the validation split, on which everything is chosen."""
    files = _both_files(lambda labels: ferplus.load_train_valid(root, labels)) if measures else {}
    return _read_split(classifier, ferplus.load_train_valid(root), cleaning.manifest_of(root), "valid", files, measures)


def measure_splits(
    classifier: Classifier, root: Path | None, measures: Mapping[str, Measures]
) -> dict[str, tuple[dict[str, np.ndarray], dict[str, Any]]]:
    """``{split: (predictions, measured)}`` of valid and test, for the final report of a model.

    `measures` is ``{"valid": ..., "test": ...}``. Every choice must have been made: nothing that this returns may
    change the model, its temperature or its threshold.
    """
    return {
        "valid": score_valid(classifier, root, measures["valid"]),
        "test": score_test(classifier, root, measures["test"]),
    }


def same_data(content_hash: str, what: str, root: Path | None = None) -> None:
    """FerlibError that begins with `what` when the data folder `root` (None: `FERLIB_DATA`) is not that of the hash."""
    if ferplus.load_train_valid(root).content_hash != content_hash:
        where = "FERLIB_DATA has now; point FERLIB_DATA at" if root is None else f"{paths.relative(root)} has; name"
        raise FerlibError(f"{what} other data than {where} the same data.")


def _both_files(load: Callable[[str], FerData]) -> dict[str, FerData]:
    """The data with the votes of each label file that it has."""
    found = {}
    for labels in ferplus.LABEL_FILES:
        with suppress(FerlibError):  # a data set may lack one of the two
            data = load(labels)
            found[data.source.rsplit(", ", 1)[-1]] = data
    return found


def _read_split(
    classifier: "Classifier | GraphClassifier", data: FerData, manifest: pd.DataFrame, split: str,
    files: Mapping[str, FerData], measures: Measures | None,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:  # fmt: skip
    chosen = data.where(data.split == split)
    leaked = manifest.loc[manifest["leaked"], "id"].to_numpy(dtype=str)
    images = np.asarray(chosen.images)
    predictions = {
        "ids": np.array(chosen.ids.tolist()),  # as wide as the longest name
        "labels": hard_labels(chosen.votes),
        "probabilities": classifier.predict_proba(images, calibrated=False),
        "leaked": np.isin(chosen.ids, leaked),
    }
    held = {
        name: {"ids": other.ids[other.split == split], "votes": np.asarray(other.votes[other.split == split])}
        for name, other in files.items()
    }
    seen = Split(images, np.asarray(chosen.votes), held, predictions)
    return predictions, {name: measure(seen) for name, measure in (measures or {}).items()}
