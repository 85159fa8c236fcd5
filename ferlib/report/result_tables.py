"""Tables of trained models for notebooks 02 and 03: scores, settings, costs, seeds, and changes from run to run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.evaluation.comparison import compare_pairs
from ferlib.format import percent_with_interval, points, points_with_interval, with_interval
from ferlib.publishing.store import is_published
from ferlib.report.results import ModelResult, hits_on_same_images, published_results
from ferlib.report.seeds import seed_families
from ferlib.report.tables import difference_table
from ferlib.training.config import TrainConfig


def paired_table(names: Sequence[str], split: str = "test") -> pd.DataFrame:
    """Differences of accuracy between published models on the same images, each minus those before it.

    Intervals are paired; p-values are of McNemar's exact test with Holm's correction over all pairs.

    Args:
        names: names of published models.
        split: ``"valid"`` or ``"test"``.
    """
    hits = hits_on_same_images(list(reversed(names)), split)  # so that the later one comes first
    return difference_table(compare_pairs(hits)).add_prefix(f"{split}: ")


def change_table(base: str, others: Mapping[str, str]) -> pd.DataFrame:
    """Accuracy, its change in points, and macro-F1 of published variants of one run, on valid.

    The change is paired: all are scored on the same images, whatever they learnt from.

    Args:
        base: name of the published run.
        others: ``{name: the change that was made}``; variants that are not published are left out.
    """
    changes = {base: "nothing", **{name: change for name, change in others.items() if is_published(name)}}
    hits = hits_on_same_images(list(changes), "valid")
    scores = [result.scores["valid"] for result in published_results(list(changes))]
    columns = {
        "valid, %": [_accuracy_cell(row) for row in scores],
        "valid, change": ["", *(_change_cell(hits[base], hits[name]) for name in changes if name != base)],
        "valid, macro-F1": [f"{row['macro_f1']:.3f}" for row in scores],
    }
    return pd.DataFrame(columns, index=pd.Index(changes.values(), name="changed"))


def _change_cell(before: np.ndarray, after: np.ndarray) -> str:
    (row,) = compare_pairs({"after": after, "before": before})
    return points_with_interval(row["difference"], row["interval"])


def step_table(steps: Mapping[str, Mapping[str, dict]], splits: Sequence[str]) -> pd.DataFrame:
    """Accuracy of each step in percent with its interval, and its gain over the step before in points.

    Args:
        steps: ``{step: {split: Scores.to_dict()}}``, in order.
        splits: ``"valid"`` and ``"test"``; the gain is that on the last one.
    """
    rows: dict[str, dict[str, str]] = {}
    before = None
    for name, scores in steps.items():
        accuracy = scores[splits[-1]]["accuracy"]
        rows[name] = {f"{split}, %": _accuracy_cell(scores[split]) for split in splits}
        rows[name][f"gain on {splits[-1]}, points"] = "" if before is None else points(accuracy - before)
        before = accuracy
    return pd.DataFrame(rows).T.rename_axis("step")


def score_table(results: Sequence[ModelResult]) -> pd.DataFrame:
    """Accuracy in percent and macro-F1 with their 95 % intervals, one row a model, on each split that was scored."""
    rows = {}
    for result in results:
        row: dict[str, int | str] = {"seed": result.config.seed}
        for split, scores in result.scores.items():
            row[f"{split} n"] = scores["n"]
            row[f"{split} accuracy, %"] = _accuracy_cell(scores)
            row[f"{split} macro-F1"] = with_interval(scores["macro_f1"], scores["macro_f1_interval"])
        rows[result.name] = row
    return pd.DataFrame(rows).T.rename_axis("model")


def _accuracy_cell(scores: Mapping) -> str:
    return percent_with_interval(scores["accuracy"], scores["accuracy_interval"])


def settings_table(results: Sequence[ModelResult]) -> pd.DataFrame:
    """Start, teachers, input, optimiser, epochs and hours of training, one row a model."""
    rows = {}
    for result in results:
        config = result.config
        sizes = dict.fromkeys(config.size_at(epoch) for epoch in range(config.epochs))
        rows[result.name] = {
            "starts from": _start_text(config),
            "teachers": ", ".join(config.teachers) or "none",
            "input, pixels": ", then ".join(map(str, sizes)),
            "optimiser": "none" if config.soup else f"{config.optimizer}, peak {config.peak_lr:g}",
            "epochs": "none" if config.soup else f"{result.epoch} of {len(result.history)}",
            "training, hours": round(result.seconds / 3600, 2),
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def _start_text(config: TrainConfig) -> str:
    if config.soup:
        return "the mean of " + ", ".join(config.soup)
    if not config.pretrained:
        return config.start or "scratch"
    return "dlib's faces" if config.model == "face_resnet" or config.stem == "face" else "ImageNet"


def cost_table(folder: Path | None = None) -> pd.DataFrame:
    """Parameters and multiply-adds in millions, and milliseconds a face, as ``ferlib bench models`` measured them.

    Args:
        folder: folder of ``bench_models.json``; None: ``data/published``.

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


def per_class_table(results: Sequence[ModelResult], split: str, score: str = "recall") -> pd.DataFrame:
    """One score of each emotion in 0..1, NaN where undefined: one row a model, one column an emotion.

    Args:
        results: the models.
        split: ``"valid"`` or ``"test"``.
        score: ``"recall"``, ``"precision"`` or ``"f1"``.
    """
    rows = {
        result.name: [result.scores[split]["per_class"][emotion][score] for emotion in EMOTIONS] for result in results
    }
    return pd.DataFrame(rows, index=list(EMOTIONS), dtype=float).T


def seed_table(results: Sequence[ModelResult], split: str = "test") -> pd.DataFrame:
    """Mean, standard deviation (n - 1) and range of the accuracy in percent of models that differ in seed alone.

    Args:
        results: the models; `seeds.seed_families` groups them.
        split: ``"valid"`` or ``"test"``.
    """
    rows = {}
    for name, positions in seed_families([(result.name, result.config.epochs) for result in results]).items():
        family = [results[position] for position in positions]
        accuracies = [100 * result.scores[split]["accuracy"] for result in family]
        rows[name] = {
            "seeds": len(accuracies), "epochs": ", ".join(str(result.config.epochs) for result in family),
            f"{split} mean, %": round(float(np.mean(accuracies)), 2),
            "standard deviation, points": round(float(np.std(accuracies, ddof=1)), 2),
            "lowest": round(min(accuracies), 2), "highest": round(max(accuracies), 2),
        }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis("recipe")
