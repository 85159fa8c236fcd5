"""Named training runs: from a recipe and the data on disk to a run's folder, and from there to a published model."""

import json
import os
import platform
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.data.ferplus import FerData
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.learning import checkpoints
from ferlib.learning.classifier import Classifier, load_classifier
from ferlib.learning.config import TrainConfig
from ferlib.learning.evaluation import score
from ferlib.learning.training import fit, prepare
from ferlib.provenance import code_commit

PROTOCOL = "FER2013+, label.csv, majority label"
"""How validation and test labels are made."""


def train(
    config: TrainConfig, name: str, *, folder: Path | None = None, root: Path | None = None, progress=True
) -> dict:
    """Train on FER2013+ (or another data folder `root`) and leave the run in ``data/runs/NAME``.

    The whole of FER2013+ is read once to find copies across splits; what reaches the training loop is train and
    valid only. Returns what `training.fit` returns.
    """
    run = folder or paths.RUNS / name
    data = ferplus.load_train_valid(root)
    manifest = cleaning.manifest_of(root) if config.clean else None
    started = time.perf_counter()
    commit = code_commit()
    best = fit(
        config, prepare(data, config, manifest), run, teachers=[checkpoints.load(one) for one in config.teachers],
        progress=progress,
    )  # fmt: skip
    write_json(
        run / "run.json",
        {
            "name": name, "config": config.to_dict(), "data": data.source, "data_hash": data.content_hash,
            "code_commit": commit, "best_epoch": best["epoch"], "valid_accuracy": best["valid_accuracy"],
            "seconds": sum(row["seconds"] for row in best["history"]),
            "seconds_this_time": time.perf_counter() - started,
            "torch": torch.__version__, "threads": torch.get_num_threads(), "cores": os.cpu_count(),
            "machine": platform.machine(),
        },
    )  # fmt: skip
    return best


def publish(name: str, *, run: Path | None = None, replace: bool = False) -> dict:
    """Turn a finished run into a published model: shipped weights, predictions on valid and test, scores, history.

    Writes ``data/checkpoints/NAME.safetensors`` and ``.json``, and under ``data/published/NAME`` ``metrics.json``,
    ``history.csv`` and ``predictions_valid.npz`` / ``predictions_test.npz`` (ids, majority labels, probabilities,
    leaked flags). The predictions are those of the shipped half-precision weights.

    Raises:
        FerlibError: the run is unfinished, or the name is published already and `replace` is not set (test is read
            once per published model).
    """
    run, folder = run or paths.RUNS / name, paths.PUBLISHED / name
    if folder.exists() and not replace:
        raise FerlibError(f"{name!r} is published already; choose another name, or say --replace.")
    about = _read_run(run)
    config = TrainConfig.from_dict(about["config"])
    state = torch.load(run / "checkpoint.pt", weights_only=True)["best"]["state"]
    sidecar = {
        "model": config.model_arguments(),
        "preprocessing": config.preprocessing.to_dict(), "temperature": 1.0, "protocol": PROTOCOL,
        **{key: about[key] for key in ("data", "data_hash", "code_commit", "best_epoch", "seconds", "config")},
    }  # fmt: skip
    checkpoints.save(name, state, sidecar)
    classifier = load_classifier(name)
    valid, test = _score_valid(classifier), score_test(classifier)
    metrics = {"model": name, "protocol": PROTOCOL, "run": {key: about[key] for key in about if key != "config"}}
    metrics |= {"config": about["config"], "valid": summarise(valid), "test": summarise(test)}
    for split, predictions in (("valid", valid), ("test", test)):
        with atomic_path(folder / f"predictions_{split}.npz") as temporary:
            np.savez_compressed(temporary, **predictions)
    with atomic_path(folder / "history.csv") as temporary:
        shutil.copyfile(run / "history.csv", temporary)
    write_json(folder / "metrics.json", metrics)
    checkpoints.update_sidecar(name, scores={split: metrics[split]["all"] for split in ("valid", "test")})
    return metrics


def score_test(classifier: Classifier, root: Path | None = None) -> dict[str, np.ndarray]:
    """Predictions on the test split: the one function that reads it, called once per published model.

    Nothing that chooses anything may call it; a test in the suite guards this. Returns arrays ``ids`` (N,),
    ``labels`` (N,) majority class or -1, ``probabilities`` (N, 8) float32, ``leaked`` (N,) bool.
    """
    return _predict_split(classifier, ferplus.load_all(root), cleaning.manifest_of(root), "test")


def summarise(predictions: dict[str, np.ndarray]) -> dict:
    """Scores of all images of a split, and of its leak-free and leaked parts, JSON-ready."""
    leaked = predictions["leaked"]
    parts = {"all": np.ones(len(leaked), bool), "leak_free": ~leaked, "leaked": leaked}
    return {
        part: score(predictions["probabilities"][mask], predictions["labels"][mask]).to_dict()
        for part, mask in parts.items()
        if (predictions["labels"][mask] >= 0).any()
    }


def published_predictions(name: str, split: str) -> dict[str, np.ndarray]:
    """The stored predictions of a published model on ``"valid"`` or ``"test"``; see `score_test` for the arrays."""
    path = paths.PUBLISHED / name / f"predictions_{split}.npz"
    if not path.is_file():
        raise FerlibError(
            f"there are no published predictions of {name!r} on {split}; 'ferlib publish {name}' makes them."
        )
    with np.load(path) as stored:
        return dict(stored)


def evaluate_model(name: str | None, split: str, *, recompute: bool = False) -> dict:
    """Scores of a published model on ``"valid"`` or ``"test"``, with what they were measured on.

    By default from the stored predictions, which need no data; with `recompute` the shipped weights are run again on
    the data set, to check that they give the same.
    """
    name = name or checkpoints.DEFAULT_MODEL
    if not recompute:
        predictions = published_predictions(name, split)
    elif split == "test":
        predictions = score_test(load_classifier(name))
    else:
        predictions = _score_valid(load_classifier(name))
    seed = checkpoints.load(name).about["config"]["seed"]
    source = "recomputed" if recompute else "stored predictions"
    return {
        "model": name,
        "split": split,
        "protocol": PROTOCOL,
        "seed": seed,
        "source": source,
        **summarise(predictions),
    }


def render_evaluation(result: dict) -> str:
    """`evaluate_model`'s result as a few lines for people."""
    lines = [
        f"{result['model']} (seed {result['seed']}) on {result['split']}: {result['protocol']}; {result['source']}"
    ]
    for part, title in (("all", "all images"), ("leak_free", "leak-free"), ("leaked", "leaked")):
        if part in result:
            scores = result[part]
            low, high = scores["accuracy_interval"]
            f_low, f_high = scores["macro_f1_interval"]
            lines.append(
                f"  {title:<11} n = {scores['n']:>5,}   accuracy {scores['accuracy']:.2%} "
                f"(95 % {low:.2%} to {high:.2%})   macro-F1 {scores['macro_f1']:.3f} ({f_low:.3f} to {f_high:.3f})"
            )
    return "\n".join(lines)


def _score_valid(classifier: Classifier, root: Path | None = None) -> dict[str, np.ndarray]:
    return _predict_split(classifier, ferplus.load_train_valid(root), cleaning.manifest_of(root), "valid")


def _predict_split(classifier: Classifier, data: FerData, manifest: pd.DataFrame, split: str) -> dict[str, np.ndarray]:
    chosen = data.where(data.split == split)
    leaked = manifest.loc[manifest["leaked"], "id"].to_numpy(dtype=str)
    return {
        "ids": np.asarray(chosen.ids, dtype="<U16"),
        "labels": hard_labels(chosen.votes),
        "probabilities": classifier.predict_proba(np.asarray(chosen.images)),
        "leaked": np.isin(chosen.ids, leaked),
    }


def _read_run(run: Path) -> dict:
    path = run / "run.json"
    if not path.is_file():
        raise FerlibError(f"the run {run.name} is missing or unfinished; 'ferlib train' finishes it.")
    return json.loads(path.read_text(encoding="utf-8"))
