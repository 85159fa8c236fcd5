"""Published models: shipped weights with their predictions and scores, and the one function that reads test.

Every choice (epoch, settings, temperature) is made on valid before a model comes here. Test is scored once, when a
model is published; later calls can only check that the stored numbers come out again.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.data.check import OFFICIAL_HASHES
from ferlib.data.ferplus import FerData
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.learning import checkpoints
from ferlib.learning.classifier import Classifier, load_classifier
from ferlib.learning.config import TrainConfig
from ferlib.learning.evaluation import score
from ferlib.learning.runs import check_name, read_run
from ferlib.learning.training import saved_run

if TYPE_CHECKING:
    from ferlib.learning.engines import GraphClassifier


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

_PARTS = (("leak_free", "leak-free"), ("leaked", "leaked"))


def protocol_of(content_hash: str, source: str) -> str:
    """How validation and test labels are made; data that is not the official set is called so."""
    if content_hash in OFFICIAL_HASHES:
        return f"FER2013+, {OFFICIAL_HASHES[content_hash]}, majority label"
    return f"not the official FER2013+ ({source}), majority label"


def publish(name: str, *, replace: bool = False, weights: bool = True) -> dict:
    """Turn a finished run into a published model: shipped weights, predictions on valid and test, scores, history.

    Writes under ``data/published/NAME`` ``predictions_valid.npz`` and ``predictions_test.npz`` (ids, majority labels,
    probabilities, leaked flags) and ``history.csv``, then ``data/checkpoints/NAME.safetensors`` and ``.json``, and
    last ``metrics.json``, which makes the name a published one. The predictions are those of the shipped
    half-precision weights. Returns the metrics. Without `weights` none are shipped: for runs of which only the numbers
    are wanted, such as further seeds. What was made with the weights that are replaced (the study, its heat maps, the
    report of the export) is removed.

    Raises:
        FerlibError: the run is unfinished, its files do not belong together, or it was trained on other data than
            `FERLIB_DATA` has; the name is published already and `replace` is not set, or without `weights` while
            there are shipped ones.
    """
    folder, about = paths.PUBLISHED / check_name(name), read_run(name)
    if is_published(name) and not replace:
        raise FerlibError(f"{name!r} is published already; choose another name, or say --replace.")
    if not weights and (paths.CHECKPOINTS / f"{name}.safetensors").is_file():
        raise FerlibError(f"the weights of {name!r} are shipped and would not fit the new numbers; ship the new ones.")
    same_data(about["data_hash"], f"the run {name} was trained on")
    config = TrainConfig.from_dict(about["config"])
    best = _best(name, config, about)
    protocol = protocol_of(about["data_hash"], about["data"])
    sidecar = {
        "model": config.model_arguments(), "preprocessing": config.preprocessing.to_dict(), "temperature": 1.0,
        "protocol": protocol,
        **{key: about[key] for key in ("data", "data_hash", "code_commit", "best_epoch", "seconds", "config")},
    }  # fmt: skip
    classifier = Classifier(checkpoints.as_shipped(name, best, sidecar))
    predictions = {"valid": score_valid(classifier)[0], "test": score_test(classifier)[0]}
    scores = {split: summarise(found) for split, found in predictions.items()}
    for made in ("metrics.json", "study.json", "attribution.npz", "export.json"):
        (folder / made).unlink(missing_ok=True)
    for split, found in predictions.items():
        with atomic_path(folder / f"predictions_{split}.npz") as temporary:
            np.savez_compressed(temporary, **found)  # type: ignore[arg-type]  # its flag is no array
    with atomic_path(folder / "history.csv") as temporary:
        shutil.copyfile(paths.RUNS / name / "history.csv", temporary)
    if weights:
        checkpoints.save(name, best, {**sidecar, "scores": {split: scores[split]["all"] for split in scores}})
    run = {key: value for key, value in about.items() if key != "config"}
    metrics = {"model": name, "protocol": protocol, "run": run, "config": about["config"], **scores}
    write_json(folder / "metrics.json", metrics)
    return metrics


def _best(name: str, config: TrainConfig, about: dict) -> dict[str, torch.Tensor]:
    """State dict of the epoch that valid chose; what ``run.json`` says must be of the same training."""
    saved = saved_run(paths.RUNS / name, config, about["data_hash"])
    if saved is None or saved["best"]["epoch"] != about["best_epoch"]:
        raise FerlibError(f"run.json and checkpoint.pt of {name} are of two trainings; delete the folder, train again.")
    return saved["best"]["state"]


def is_published(name: str) -> bool:
    """Whether a model is published; a half-written one is not."""
    return (paths.PUBLISHED / name / "metrics.json").is_file()


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


def evaluate_model(name: str | None, split: str, *, recompute: bool = False) -> dict:
    """Scores of a published model on ``"valid"`` or ``"test"``, with what they were measured on.

    The keys of `Scores.to_dict` are those of all images; ``leak_free`` and ``leaked`` hold the same for those parts.
    They come from the stored predictions, which need no data. With `recompute` the shipped weights are run again on
    the data set, and ``max_difference`` says how far any probability is from the stored one.

    Raises:
        FerlibError: no such published model, or `recompute` on other data than it was published with.
    """
    name = name or checkpoints.DEFAULT_MODEL
    metrics, predictions = published_metrics(name), published_predictions(name, split)
    about = {
        "model": name, "split": split, "protocol": metrics["protocol"], "seed": metrics["config"]["seed"],
        "source": "stored predictions",
    }  # fmt: skip
    if recompute:
        same_data(metrics["run"]["data_hash"], f"{name} was published with")
        classifier = load_classifier(name, engine="torch")
        again, _ = score_test(classifier) if split == "test" else score_valid(classifier)
        difference = float(np.abs(again["probabilities"] - predictions["probabilities"]).max())
        about |= {"source": "recomputed", "max_difference": difference}
        predictions = again
    parts = summarise(predictions)
    return {**about, **parts.pop("all"), **parts}


def render_evaluation(result: dict) -> str:
    """`evaluate_model`'s result as a few lines for people."""
    head = f"{result['model']} (seed {result['seed']}) on {result['split']}: {result['protocol']}; {result['source']}"
    if "max_difference" in result:
        head += f", at most {result['max_difference']:.1e} from the stored probabilities"
    parts = [_line(title, result[part]) for part, title in _PARTS if part in result]
    return "\n".join([head, _line("all images", result), *parts])


def _line(title: str, scores: dict) -> str:
    low, high = scores["accuracy_interval"]
    f_low, f_high = scores["macro_f1_interval"]
    return (
        f"  {title:<11} n = {scores['n']:>5,}   accuracy {scores['accuracy']:.2%} "
        f"(95 % {low:.2%} to {high:.2%})   macro-F1 {scores['macro_f1']:.3f} ({f_low:.3f} to {f_high:.3f})"
    )


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
