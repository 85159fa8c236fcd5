"""Figures of one studied model: a function for each, of the shown model and of all models."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ferlib.data.copies import recorded_version
from ferlib.data.labels import EMOTIONS
from ferlib.evaluation import metrics
from ferlib.models.temperature import at_temperature
from ferlib.plots import behaviour, comparison, confidence, scores
from ferlib.report.studies import StudiedModel, model_caption


def confusion_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Confusion matrix on test."""
    return scores.plot_confusion(model.study["test"]["scores"]["confusion"], model_caption(model, "rows are labels"))


def class_score_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Precision, recall and F1 of each emotion on test."""
    caption = model_caption(model, "number of images in brackets")
    return scores.plot_class_scores(model.study["test"]["scores"]["per_class"], caption)


def confused_pair_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Most frequent mistakes on test."""
    pairs = metrics.confused_pairs(np.array(model.study["test"]["scores"]["confusion"]))
    return scores.plot_confused_pairs(pairs, model_caption(model, "the ten most frequent mistakes"))


def recall_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure | None:
    """Recall on test against the number of training images; None when those were not counted."""
    path = model.folder.parent / "data_check.json"
    check = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    search = str(recorded_version(_settings(model.folder)))
    if search not in check.get("searches", {}):  # counted by an earlier version, or not at all
        return None
    counts = check["searches"][search]["training_classes"]
    rows = [
        {"emotion": emotion, "images": counts[emotion], "recall": row["recall"]}
        for emotion, row in model.study["test"]["scores"]["per_class"].items()
    ]
    more = "training images by majority label, without those that the cleaning leaves out"
    return scores.plot_recall_against_examples(rows, model_caption(model, more))


def roc_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """ROC and precision-recall curves on test, after temperature scaling."""
    scaled = at_temperature(model.test["probabilities"], model.study["chosen_on_valid"]["temperature"])
    caption = model_caption(model, "each class against the rest")
    return scores.plot_roc_and_pr(metrics.curves(scaled, model.test["labels"]), caption)


def protocol_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Accuracy on test under each protocol."""
    more = "95 % bootstrap intervals; the lines hold for label.csv, majority, 8 classes"
    test = model.study["test"]
    caption = model_caption(model, more, several_protocols=True)
    return comparison.plot_protocols(test["protocols"], test["human"], caption)


def reliability_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Reliability on test before and after temperature scaling, against the majority and against the votes."""
    calibration, chosen = model.study["test"]["calibration"], model.study["chosen_on_valid"]
    majority = [calibration[name]["majority"] for name in ("raw", "scaled")]
    votes = [calibration[name]["votes"] for name in ("raw", "scaled to votes")]
    panels = (
        (f"Against the majority (T = {chosen['temperature']:.2f})", *majority, "share right"),
        (f"Against the votes (T = {chosen['temperature_votes']:.2f})", *votes, "share of the taggers"),
    )
    more = (
        f"votes: n = {votes[0]['n']:,}; temperatures T chosen on valid; bins under {confidence.MIN_BIN_IMAGES} images "
        "not drawn"
    )
    return confidence.plot_reliability(panels, model_caption(model, more))


def agreement_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Accuracy on test against the taggers' agreement, and distance from their votes."""
    test = model.study["test"]
    names = {"raw": "as trained", "scaled": "scaled to\nmajority", "scaled to votes": "scaled to\nvotes"}
    votes = {name: test["votes"][key] for key, name in names.items()}
    leading = sum(row["n"] for row in test["by_agreement"])
    more = f"left: the {leading:,} with one leading emotion, in grey the images of each band"
    caption = model_caption(model, more, n=test["votes"]["raw"]["n"])
    return confidence.plot_agreement(test["by_agreement"], votes, caption)


def label_noise_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Labels of test that the predictions doubt."""
    caption = model_caption(model, "cleanlab, prune by noise rate")
    return confidence.plot_label_noise(model.study["test"]["label_noise"], caption)


def attribution_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure:
    """Mean Grad-CAM maps of each emotion on test."""
    more = (
        "mean Grad-CAM of the recognised faces of each emotion minus the mean of all emotions (red: above it, "
        "blue: below; one scale for all), over the mean face"
    )
    with np.load(model.folder / "attribution.npz") as stored:
        return behaviour.plot_mean_attribution(
            stored["maps"], stored["counts"], stored["mean_face"], model_caption(model, more)
        )


def attribution_example_figure(model: StudiedModel, _: Sequence[StudiedModel]) -> Figure | None:
    """Grad-CAM maps of drawn faces and the bundled photo; None when the folder of the study has none."""
    path = model.folder / "attribution_examples.npz"
    if not path.is_file():
        return None
    with np.load(path) as stored:
        examples = dict(stored)
    named = zip(examples["sources"], examples["predicted"], strict=True)
    titles = [f"{source}\nread as {EMOTIONS[index]}" for source, index in named]
    more = "Grad-CAM for the named emotion; drawn faces and the public-domain photo of Eileen Collins"
    return behaviour.plot_attribution_examples(examples["faces"], examples["maps"], titles, f"{model.name}: {more}.")


def _settings(folder: Path) -> dict:
    """Settings of a published run, or of one that was not published."""
    record = next(path for path in (folder / "metrics.json", folder / "run.json") if path.is_file())
    return json.loads(record.read_text(encoding="utf-8"))["config"]
