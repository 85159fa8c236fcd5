"""Scores of a classifier on a split; the one function that scores the test split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ferlib import paths
from ferlib.data.copies import recorded_version
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.ferplus import FerData
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.inference.classifier import Classifier
from ferlib.publishing import ledger

if TYPE_CHECKING:
    from ferlib.inference.classifier import GraphClassifier


@dataclass(frozen=True, eq=False)
class Split:
    """One split as a measure gets it, all its images in one order.

    Attributes:
        images: (N, 48, 48) uint8.
        votes: (N, 10) uint8 of the default label file.
        votes_by_file: ``{label file: {"ids": (M,), "votes": (M, 10)}}`` of each label file that the data has.
        predictions: ``ids`` (N,), ``labels`` (N,) majority class or -1, ``probabilities`` (N, 8) float32 of
            temperature 1 for "seen", ``leaked`` (N,) bool; of a model that answers both questions also
            ``meant_labels`` (N,), FER2013's own class or -1, and ``meant_probabilities`` (N, 7).
    """

    images: np.ndarray
    votes: np.ndarray
    votes_by_file: dict[str, dict[str, np.ndarray]]
    predictions: dict[str, np.ndarray]


Measures = Mapping[str, Callable[[Split], Any]]
"""Measures to take while a split is in memory: name -> function of the split."""


class SplitResult(NamedTuple):
    """Predictions on one split and the measures taken on it.

    Attributes:
        predictions: arrays as in `Split.predictions`.
        measures: result of each measure by its name.
    """

    predictions: dict[str, np.ndarray]
    measures: dict[str, Any]


def protocol_of(content_hash: str, source: str) -> str:
    """Describe how labels of validation and test are made; data that is not the official set is named as such.

    Args:
        content_hash: hash of the data set.
        source: form of the data, for people.
    """
    if content_hash in OFFICIAL_HASHES:
        return f"FER2013+, {OFFICIAL_HASHES[content_hash]}, majority label"
    return f"not the official FER2013+ ({source}), majority label"


def open_same_data(content_hash: str, config: Mapping, subject: str, root: Path | None = None) -> DataSet:
    """Open a data folder whose content must be known data.

    Args:
        content_hash: hash that the data must have.
        config: settings of the run, which name the search for copies that tells which images are leaked.
        subject: beginning of the error sentence, such as ``"the run x was trained on"``.
        root: the data folder; None for the one that FERLIB_DATA names.

    Raises:
        FerlibError: the folder holds other data, or none.
    """
    data_set = open_data_set(root, manifest_version=recorded_version(config))
    if data_set.content_hash != content_hash:
        where = "FERLIB_DATA has now; point FERLIB_DATA at" if root is None else f"{paths.relative(root)} has; name"
        raise FerlibError(f"{subject} other data than {where} the same data.")
    return data_set


def score_test(
    classifier: "Classifier | GraphClassifier", data_set: DataSet, measures: Measures | None = None, *, purpose: str,
    results: Path | None = None,
) -> SplitResult:  # fmt: skip
    """Predict and measure the test split: the one function that reads it, and records each read in the ledger.

    It is called when a model is published, when its final report is made with every choice made (`measure_splits`),
    and again only to check the stored predictions. Nothing that chooses anything may call it; a test in the suite
    guards this.

    Args:
        classifier: the model.
        data_set: the open data.
        measures: measures to take.
        purpose: what the read is for, as the ledger says it.
        results: folder of the results; None for ``data/published``.

    Raises:
        FerlibError: the ledger is damaged; test was not read.
    """
    path = ledger.ledger_path(data_set.content_hash, results)
    ledger.read_ledger(path)
    by_label_file = data_set.by_label_file if measures else {}
    votes = {name: _votes_of(labelled.all_splits, "test") for name, labelled in by_label_file.items()}
    result = _score_split(classifier, data_set, data_set.all_splits, "test", votes, measures or {})
    ledger.record_read(
        path, model=classifier.name, protocol=protocol_of(data_set.content_hash, data_set.source),
        n=int((result.predictions["labels"] >= 0).sum()), data_hash=data_set.content_hash,
        weights_sha256=classifier.about["weights_sha256"], purpose=purpose,
    )  # fmt: skip
    return result


def score_valid(
    classifier: "Classifier | GraphClassifier", data_set: DataSet, measures: Measures | None = None
) -> SplitResult:
    """Predict and measure the validation split, on which everything is chosen.

    Args:
        classifier: the model.
        data_set: the open data.
        measures: measures to take.
    """
    by_label_file = data_set.by_label_file if measures else {}
    votes = {name: _votes_of(labelled.train_valid, "valid") for name, labelled in by_label_file.items()}
    return _score_split(classifier, data_set, data_set.train_valid, "valid", votes, measures or {})


def measure_splits(
    classifier: Classifier, data_set: DataSet, measures: Mapping[str, Measures], results: Path | None = None
) -> dict[str, SplitResult]:
    """Measure valid and test for the final report of a model.

    Every choice must have been made: nothing that this returns may change the model, its temperature or its threshold.

    Args:
        classifier: the model.
        data_set: the open data.
        measures: ``{"valid": ..., "test": ...}``, the measures to take on each split.
        results: as `score_test` takes it.

    Returns:
        The result of each split by its name.
    """
    return {
        "valid": score_valid(classifier, data_set, measures["valid"]),
        "test": score_test(classifier, data_set, measures["test"], purpose="full report", results=results),
    }


def _votes_of(data: FerData, split: str) -> dict[str, np.ndarray]:
    inside = data.split == split
    return {"ids": data.ids[inside], "votes": np.asarray(data.votes[inside])}


def _score_split(
    classifier: "Classifier | GraphClassifier", data_set: DataSet, data: FerData, split: str,
    votes_by_file: dict[str, dict[str, np.ndarray]], measures: Measures,
) -> SplitResult:  # fmt: skip
    """Predict and measure the rows of a split; `data` holds them, `data_set` knows which of them are leaked."""
    rows = data.where(data.split == split)
    leaked = data_set.manifest.loc[data_set.manifest["leaked"], "id"].to_numpy(dtype=str)
    images = np.asarray(rows.images)
    answers = classifier.answer(images, calibrated=False, question="seen")
    predictions = {
        "ids": np.array(rows.ids.tolist()),  # as wide as the longest name
        "labels": hard_labels(rows.votes),
        "probabilities": answers.seen,
        "leaked": np.isin(rows.ids, leaked),
    }
    if answers.meant is not None:
        predictions |= {"meant_labels": rows.meant.astype(np.int64), "meant_probabilities": answers.meant}
    seen = Split(images, np.asarray(rows.votes), votes_by_file, predictions)
    return SplitResult(predictions, {name: measure(seen) for name, measure in measures.items()})
