"""Figures that compare studied models: a function for each, of the shown model and of all models."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from ferlib import paths
from ferlib.plots import behaviour, comparison, confidence, latency, scores
from ferlib.report.studies import (
    StudiedModel,
    comparable_models,
    joint_caption,
    leak_rows,
    paired_differences,
    unofficial_prefix,
)


def accuracy_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure:
    """Accuracy of each model on valid, test and leak-free test.

    Args:
        model: the shown model.
        models: all studied models.
    """
    rows = []
    for each in models:
        valid, test = each.study["valid"]["leaks"], each.study["test"]["leaks"]
        row = {"model": each.name, "valid": valid["all"], "test": test["all"]}
        rows.append(row | ({"test, leak-free": test["leak_free"]} if "leak_free" in test else {}))
    parts = {"valid": model.study["valid"]["leaks"]["all"], "leak-free": model.study["test"]["leaks"].get("leak_free")}
    counts = ", ".join(f"{part} n = {row['n']:,}" for part, row in parts.items() if row)
    caption = joint_caption(models, f"{counts}; 95 % bootstrap intervals")
    return comparison.plot_model_comparison(rows, _human(model), caption)


def difference_figure(_: StudiedModel, models: Sequence[StudiedModel]) -> Figure | None:
    """Paired differences of accuracy on test; None for one model alone."""
    rows = paired_differences(models)
    more = "paired bootstrap intervals; p: McNemar's exact test, Holm's correction over all pairs"
    return comparison.plot_differences(rows, joint_caption(comparable_models(models), more)) if rows else None


def training_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure | None:
    """Training curves of each model; None when no model has a history of losses, as a soup has not.

    Args:
        model: the shown model.
        models: all studied models.
    """
    files = {each.name: each.folder / "history.csv" for each in models}
    histories = {name: pd.read_csv(path) for name, path in files.items() if path.is_file()}
    histories = {name: history for name, history in histories.items() if history["train_loss"].notna().any()}
    if not histories:
        return None
    valid = model.study["valid"]
    more = (
        "training loss against the votes, and the teachers where there are some, with augmentation; loss and accuracy "
        f"on valid (n = {valid['scores']['n']:,}) against majority labels; the dot is the epoch that was kept"
    )
    caption = f"{unofficial_prefix(model)}{model.study['about']['protocol']}; {more}."
    return scores.plot_training_curves(histories, valid["human"], caption)


def cost_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure | None:
    """Accuracy on test against the time of a face; None when no model's time was measured.

    Args:
        model: the shown model.
        models: all studied models.
    """
    path = model.folder.parent / "bench_models.json"
    costs = json.loads(path.read_text(encoding="utf-8"))["models"] if path.is_file() else {}
    measured = [each for each in models if each.name in costs]
    if not measured:
        return None
    rows = [{"model": each.name, **costs[each.name], **each.study["test"]["leaks"]["all"]} for each in measured]
    caption = joint_caption(measured, "time of the network alone, medians of models that took turns")
    return comparison.plot_accuracy_against_cost(rows, _human(model), caption)


def leak_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure | None:
    """Accuracy on the leak-free and the leaked part of test; None when there is no such part.

    Args:
        model: the shown model.
        models: all studied models.
    """
    rows = [row for row in leak_rows(models) if "drop" in row]
    for row in rows:
        details = [row["model"], row["training"], "" if row["clean"] else "without cleaning"]
        row["model"] = "\n".join(filter(None, details))
    return comparison.plot_leak_parts(rows, _human(model), joint_caption(models, count=len(rows))) if rows else None


def risk_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure:
    """Error among the answered images of test against their share.

    Args:
        model: the shown model.
        models: all studied models.
    """
    abstention = model.study["test"]["abstention"]
    curves = {each.name: each.study["test"]["abstention"]["curve"] for each in models}
    points = [{"name": f"{model.name}, 80 % most confident", **abstention["most_confident_80"]}]
    at_threshold = abstention["at_threshold"]
    if at_threshold["answered"]:
        points.append({"name": f"{model.name}, confidence ≥ {at_threshold['threshold']:.2f}", **at_threshold})
    risk, level = (100 * model.study["chosen_on_valid"][key] for key in ("risk", "level"))
    caption = joint_caption(models, f"threshold of {model.name}: {level:g} % bound on valid is {risk:g} %")
    return confidence.plot_risk_coverage(curves, points, caption)


def robustness_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure:
    """Accuracy on changed images of test.

    Args:
        model: the shown model.
        models: all studied models.
    """
    studies = {each.name: each.study["test"]["robustness"] for each in models}
    more = "dashed in a model's colour: unchanged; 95 % bootstrap intervals"
    return behaviour.plot_robustness(studies, joint_caption(models, more, studies[model.name]["n"]))


def live_path_figure(model: StudiedModel, models: Sequence[StudiedModel]) -> Figure:
    """Accuracy on crops of test beside that through the live path.

    Args:
        model: the shown model.
        models: all studied models.
    """
    rows = [
        (f"{each.name}, " + (f"turned up to {row['roll']:.0f}°" if row["roll"] else "as it is"), row)
        for each in models
        for row in each.study["test"]["live_path"]
        if len(models) == 1 or not row["roll"]
    ]
    more = "each face pasted into a picture of 640x480, 96 to 200 pixels wide"
    return behaviour.plot_live_path(rows, _human(model), joint_caption(models, more, rows[0][1]["n"]))


def frame_time_figure(results: Path | None = None) -> Figure | None:
    """Time of a frame on each path, as `ferlib bench live` stored it; None when it has not.

    Args:
        results: folder of ``bench_live.json``; None: ``data/published``.
    """
    path = (results or paths.PUBLISHED) / "bench_live.json"
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))
    threads = max(row["threads"] for row in measured["rows"])
    caption = (
        f"{measured['model']}, {threads} threads of {measured['cores']} cores; ours on {measured['engine']}, plain: "
        "facenet-pytorch with its defaults and torch, the same with our smallest face of 40 px; medians of "
        f"{measured['rounds']} pictures in turns, steps one after another; the line ends at the 95th percentile."
    )
    return latency.plot_latency([row for row in measured["rows"] if row["threads"] == threads], caption)


def _human(model: StudiedModel) -> Mapping:
    return model.study["test"]["human"]
