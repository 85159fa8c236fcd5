"""Results of trained models for the notebooks: read from `data/published`, or trained again and scored on valid."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data import ferplus
from ferlib.data.labels import EMOTIONS
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.evaluation import taggers
from ferlib.evaluation.comparison import compare_pairs
from ferlib.evaluation.scores import score_predictions
from ferlib.files import write_json
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.publishing.store import is_published, published_metrics, published_predictions
from ferlib.report.seeds import families
from ferlib.report.tables import as_table
from ferlib.training import runs
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class Result:
    """One trained model.

    Attributes:
        name: of the run.
        config: its settings.
        history: one row an epoch, `training.HISTORY_COLUMNS`.
        scores: ``{"valid": Scores.to_dict(), "test": ...}``; test only of published models.
        seconds: training took so long.
        epoch: the one whose weights were kept.
        protocol: how the labels of valid and test were made.
    """

    name: str
    config: TrainConfig
    history: pd.DataFrame
    scores: dict[str, dict]
    seconds: float
    epoch: int
    protocol: str

    def to_dict(self) -> dict:
        """JSON-ready form, without the history."""
        return {
            "name": self.name, "config": self.config.to_dict(), "scores": self.scores, "seconds": self.seconds,
            "epoch": self.epoch, "protocol": self.protocol,
        }  # fmt: skip


def published(names: Sequence[str]) -> list[Result]:
    """Those of the named models that are published, in the order of the names.

    Raises:
        FerlibError: none of them is.
    """
    there = [name for name in names if is_published(name)]
    if not there:
        raise FerlibError(f"none of {', '.join(names)} is published; train one and use 'ferlib publish'.")
    return [_read(name) for name in there]


def _read(name: str) -> Result:
    metrics = published_metrics(name)
    about = metrics["run"]
    return Result(
        name, TrainConfig.from_dict(metrics["config"]), pd.read_csv(paths.PUBLISHED / name / "history.csv"),
        {split: metrics[split]["all"] for split in ("valid", "test")}, about["seconds"], about["best_epoch"],
        metrics["protocol"],
    )  # fmt: skip


def retrain(name: str, config: TrainConfig, folder: Path, *, root: Path | None = None) -> Result:
    """Train `config` in ``folder/NAME``, where it also resumes, and score it on valid.

    Args:
        name: of the run.
        config: the settings.
        folder: for runs that are not published, under `data/runs`.
        root: data folder; default: the one that `FERLIB_DATA` names.
    """
    best = runs.train(config, name, root=root, runs=folder, progress=False)
    sidecar = {"model": config.model_arguments(), "preprocessing": config.preprocessing.to_dict()}
    classifier = Classifier(checkpoints.as_shipped(name, best["state"], sidecar))
    data = ferplus.load_train_valid(root)
    valid = data.where(data.split == "valid")
    scores = score_predictions(classifier.predict_proba(np.asarray(valid.images)), hard_labels(valid.votes)).to_dict()
    history = pd.DataFrame(best["history"])
    where = f"{data.source}, majority label"
    found = Result(name, config, history, {"valid": scores}, float(history["seconds"].sum()), best["epoch"], where)
    write_json(folder / f"{name}.json", found.to_dict())
    return found


def ensemble(names: Sequence[str], split: str) -> dict:
    """Scores of published models together, from their stored predictions: the geometric mean of their probabilities.

    That is what a student with several teachers learns from (`distillation.Teachers`). `Scores.to_dict`'s form.

    Raises:
        FerlibError: one of them is not published.
        ValueError: their predictions are of different images.
    """
    found = _same_images(names, split)
    logs = np.mean([np.log(np.clip(one["probabilities"], 1e-12, 1.0)) for one in found], axis=0)
    together = np.exp(logs - logs.max(axis=1, keepdims=True))
    return score_predictions(together / together.sum(axis=1, keepdims=True), found[0]["labels"]).to_dict()


def paired_table(names: Sequence[str], split: str = "test") -> pd.DataFrame:
    """Each published model beside those before it on the same images: difference in points, interval, and p-value.

    `comparison.compare_pairs` on the stored predictions; p by McNemar's exact test with Holm's correction over all
    pairs.
    """
    right = _right(list(reversed(names)), split)  # so that the later one comes first
    return as_table(compare_pairs(right)).add_prefix(f"{split}: ")


def change_table(base: str, others: Mapping[str, str], splits: Sequence[str] = ("valid", "test")) -> pd.DataFrame:
    """Published variants of one run: accuracy with its interval, what it changed by, in points, and macro-F1.

    The change is paired: all are scored on the same images, whatever they learnt from.

    `others`: ``{published name: what was changed}``; those that are not published are left out.
    """
    shown = {base: "nothing", **{name: what for name, what in others.items() if is_published(name)}}
    table = pd.DataFrame(index=pd.Index(shown.values(), name="changed"))
    for split in splits:
        right = _right(list(shown), split)
        scores = [one.scores[split] for one in published(list(shown))]
        table[f"{split}, %"] = [_accuracy(one) for one in scores]
        table[f"{split}, change"] = ["", *(_change(right[base], right[name]) for name in shown if name != base)]
        table[f"{split}, macro-F1"] = [f"{one['macro_f1']:.3f}" for one in scores]
    return table


def _change(before: np.ndarray, after: np.ndarray) -> str:
    """From which images were named rightly: the difference in points with its paired interval."""
    found = compare_pairs({"after": after, "before": before})[0]
    low, high = found["interval"]
    return f"{100 * found['difference']:+.2f} ({100 * low:+.1f} to {100 * high:+.1f})"


def shared_errors(name: str, others: Sequence[str], split: str = "test") -> tuple[int, int]:
    """How many images of a split a published model gets wrong, and on how many of them `others` are all wrong too."""
    right = _right([name, *others], split)
    wrong = ~right[name]
    return int(wrong.sum()), int((wrong & ~np.any([right[other] for other in others], axis=0)).sum())


def _right(names: Sequence[str], split: str) -> dict[str, np.ndarray]:
    """Which labelled images each published model names rightly."""
    found = _same_images(names, split)
    counted = found[0]["labels"] >= 0
    return {
        name: (one["probabilities"].argmax(axis=1) == one["labels"])[counted]
        for name, one in zip(names, found, strict=True)
    }


def _same_images(names: Sequence[str], split: str) -> list[dict[str, np.ndarray]]:
    found = [published_predictions(name, split) for name in names]
    if any(not np.array_equal(one[key], found[0][key]) for one in found for key in ("ids", "labels")):
        raise ValueError("the predictions are of different images or labels")
    return found


def ladder(rows: Mapping[str, Mapping[str, dict]], splits: Sequence[str]) -> pd.DataFrame:
    """One row a step: accuracy in percent with its interval on each split, and what it adds to the step before.

    `rows`: ``{step: {split: Scores.to_dict()}}``; the gain is counted on the last of `splits`, in points.
    """
    table, before = {}, None
    for name, scores in rows.items():
        row = {}
        for split in splits:
            row[f"{split}, %"] = _accuracy(scores[split])
        reached = 100 * scores[splits[-1]]["accuracy"]
        row[f"gain on {splits[-1]}, points"] = "" if before is None else f"{reached - before:+.2f}"
        table[name], before = row, reached
    return pd.DataFrame(table).T.rename_axis("step")


def human_line(split: str, *, again: bool = False, root: Path | None = None) -> dict:
    """How often one tagger agrees with the majority: `agreement.human_line`, as published or counted `again` on valid.

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


def _accuracy(scores: dict) -> str:
    low, high = scores["accuracy_interval"]
    return f"{100 * scores['accuracy']:.2f} ({100 * low:.1f} to {100 * high:.1f})"


def score_table(results: Sequence[Result]) -> pd.DataFrame:
    """One row a model: accuracy in percent with its 95 % interval and macro-F1 on each split that was scored."""
    rows = {}
    for one in results:
        row: dict[str, int | str] = {"seed": one.config.seed}
        for split, found in one.scores.items():
            row[f"{split} n"] = found["n"]
            row[f"{split} accuracy, %"] = _accuracy(found)
            low, high = found["macro_f1_interval"]
            row[f"{split} macro-F1"] = f"{found['macro_f1']:.3f} ({low:.3f} to {high:.3f})"
        rows[one.name] = row
    return pd.DataFrame(rows).T.rename_axis("model")


def settings_table(results: Sequence[Result]) -> pd.DataFrame:
    """One row a model: where it starts from, its input, its optimiser, and how long it trained."""
    rows = {}
    for one in results:
        config = one.config
        sizes = dict.fromkeys(config.size_at(epoch) for epoch in range(config.epochs))
        rows[one.name] = {
            "starts from": _beginning(config),
            "teachers": ", ".join(config.teachers) or "none",
            "input, pixels": ", then ".join(map(str, sizes)),
            "optimiser": "none" if config.soup else f"{config.optimizer}, peak {config.peak_lr:g}",
            "epochs": "none" if config.soup else f"{one.epoch} of {len(one.history)}",
            "training, hours": round(one.seconds / 3600, 2),
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def _beginning(config: TrainConfig) -> str:
    if config.soup:
        return "the mean of " + ", ".join(config.soup)
    if not config.pretrained:
        return config.start or "scratch"
    return "dlib's faces" if config.model == "face_resnet" or config.stem == "face" else "ImageNet"


def cost_table(folder: Path | None = None) -> pd.DataFrame:
    """Parameters and multiply-adds in millions, and milliseconds a face, as ``ferlib bench models`` measured them.

    Raises:
        FerlibError: they were never measured.
    """
    path = (folder or paths.PUBLISHED) / "bench_models.json"
    if not path.is_file():
        raise FerlibError("the models' cost was not measured yet; 'ferlib bench models --publish' does it.")
    rows = {
        name: {
            "input, pixels": row["input"], "parameters, millions": round(row["parameters"] / 1e6, 2),
            "multiply-adds, millions": round(row["multiply_adds"] / 1e6),
            "ms a face in torch": round(row["milliseconds"], 1),
        }
        for name, row in json.loads(path.read_text(encoding="utf-8"))["models"].items()
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def class_table(results: Sequence[Result], split: str, what: str = "recall") -> pd.DataFrame:
    """One row a model, one column an emotion: recall, precision or f1 in 0..1, NaN where undefined."""
    rows = {one.name: [one.scores[split]["per_class"][emotion][what] for emotion in EMOTIONS] for one in results}
    return pd.DataFrame(rows, index=list(EMOTIONS), dtype=float).T


def seed_table(results: Sequence[Result], split: str = "test") -> pd.DataFrame:
    """Models of the same kind that differ in seed: number, mean, standard deviation and range of the accuracy.

    All in percent, the deviation with n - 1; `seeds.families` says which `results` belong together.
    """
    rows = {}
    for name, places in families([(one.name, one.config.epochs) for one in results]).items():
        family = [results[place] for place in places]
        found = [100 * one.scores[split]["accuracy"] for one in family]
        rows[name] = {
            "seeds": len(found), "epochs": ", ".join(str(one.config.epochs) for one in family),
            f"{split} mean, %": round(float(np.mean(found)), 2),
            "standard deviation, points": round(float(np.std(found, ddof=1)), 2),
            "lowest": round(min(found), 2), "highest": round(max(found), 2),
        }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("recipe")
