"""The figures of the evaluation, ``figures/04_*.png``, from what `ferlib.publishing.study` stored; no data set is needed.

``05_latency.png`` is drawn from what `ferlib bench live` stored.

`build` makes them by name. Those of one model show the shipped default; those that compare show every studied model.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ferlib import paths
from ferlib.data.drawn import dataset
from ferlib.data.labels import EMOTIONS, INDEX
from ferlib.errors import FerlibError
from ferlib.evaluation.calibration import at_temperature
from ferlib.evaluation.metrics import confused_pairs, curves
from ferlib.models import checkpoints
from ferlib.plots import behaviour, comparison, confidence, latency, scores, style
from ferlib.report.studies import (
    Studied,
    comparable,
    differences,
    leak_rows,
    load,
    note,
    note_of_all,
    shown,
    unofficial,
)


def build(
    models: Sequence[Studied], name: str | None = None, only: Sequence[str] | None = None
) -> Iterator[tuple[str, Figure]]:
    """(file name without suffix, figure) one after another; `only` names some of `FIGURES`.

    A figure for which a model lacks what it needs (a training history, a second model) is left out.
    """
    wanted = (*FIGURES, *LIVE_FIGURES) if only is None else only
    for key in wanted:
        _known(key)
    for key in wanted:
        figure = draw(models, key, name)
        if figure is not None:
            yield f"{'05' if key in LIVE_FIGURES else '04'}_{key}", figure


def draw(models: Sequence[Studied], key: str, name: str | None = None) -> Figure | None:
    """The figure `key` of `FIGURES`, in the style of the study; None when there is not what it needs."""
    make = _known(key)
    style.use_style()
    return make(shown(models, name), models)


def _known(key: str) -> Callable[[Studied, Sequence[Studied]], Figure | None]:
    known = FIGURES | LIVE_FIGURES
    if key not in known:
        raise FerlibError(f"there is no figure {key!r}; choose from {', '.join(known)}.")
    return known[key]


def write(
    folder: Path, results: Path | None = None, name: str | None = None, only: Sequence[str] | None = None,
    suffix: str = "png",
) -> list[Path]:  # fmt: skip
    """Write the figures into `folder`, equal numbers giving equal bytes; returns the files."""
    written = []
    for key, figure in build(load(results), name, only):
        written.append(style.save_figure(figure, folder / f"{key}.{suffix}"))
        plt.close(figure)
    return written


def _human(one: Studied) -> dict:
    return one.study["test"]["human"]


def _comparison(one: Studied, models: Sequence[Studied]) -> Figure:
    rows = []
    for model in models:
        leaks, valid = model.study["test"]["leaks"], model.study["valid"]["leaks"]
        row = {"model": model.name, "valid": valid["all"], "test": leaks["all"]}
        rows.append(row | ({"test, leak-free": leaks["leak_free"]} if "leak_free" in leaks else {}))
    parts = {"valid": one.study["valid"]["leaks"]["all"], "leak-free": one.study["test"]["leaks"].get("leak_free")}
    counts = ", ".join(f"{part} n = {found['n']:,}" for part, found in parts.items() if found)
    return comparison.plot_model_comparison(rows, _human(one), note_of_all(models, f"{counts}; 95 % bootstrap intervals"))


def _confusion(one: Studied, _) -> Figure:
    return scores.plot_confusion(one.study["test"]["scores"]["confusion"], note(one, "rows are labels"))


def _class_scores(one: Studied, _) -> Figure:
    return scores.plot_class_scores(one.study["test"]["scores"]["per_class"], note(one, "number of images in brackets"))


def _confused_pairs(one: Studied, _) -> Figure:
    pairs = confused_pairs(np.array(one.study["test"]["scores"]["confusion"]))
    return scores.plot_confused_pairs(pairs, note(one, "the ten most frequent mistakes"))


def _training_curves(one: Studied, models: Sequence[Studied]) -> Figure | None:
    files = {model.name: model.folder / "history.csv" for model in models}
    histories = {name: pd.read_csv(path) for name, path in files.items() if path.is_file()}
    histories = {name: found for name, found in histories.items() if found["train_loss"].notna().any()}  # no soup
    if not histories:
        return None
    n = one.study["valid"]["scores"]["n"]
    words = (
        f"training loss against the votes, and the teachers where there are some, with augmentation; loss and accuracy "
        f"on valid (n = {n:,}) against majority labels; the dot is the epoch that was kept"
    )
    told = f"{unofficial(one)}{one.study['about']['protocol']}; {words}."
    return scores.plot_training_curves(histories, one.study["valid"]["human"], told)


def _cost(one: Studied, models: Sequence[Studied]) -> Figure | None:
    path = one.folder.parent / "bench_models.json"
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))["models"]
    rows = [
        {"model": model.name, **measured[model.name], **model.study["test"]["leaks"]["all"]}
        for model in models if model.name in measured
    ]  # fmt: skip
    words = "time of the network alone, medians of models that took turns"
    drawn = [model for model in models if model.name in measured]
    return comparison.plot_accuracy_against_cost(rows, _human(one), note_of_all(drawn, words)) if rows else None


def _recall(one: Studied, _) -> Figure | None:
    path = one.folder.parent / "data_check.json"
    if not path.is_file():
        return None
    counts = json.loads(path.read_text(encoding="utf-8")).get("training_classes")
    if counts is None:  # counted by an earlier version
        return None
    rows = [
        {"emotion": emotion, "images": counts[emotion], "recall": found["recall"]}
        for emotion, found in one.study["test"]["scores"]["per_class"].items()
    ]
    words = "training images by majority label, without those that the cleaning leaves out"
    return scores.plot_recall_against_examples(rows, note(one, words))


def _roc_pr(one: Studied, _) -> Figure:
    scaled = at_temperature(one.test["probabilities"], one.study["chosen_on_valid"]["temperature"])
    return scores.plot_roc_and_pr(curves(scaled, one.test["labels"]), note(one, "each class against the rest"))


def _protocols(one: Studied, _) -> Figure:
    return comparison.plot_protocols(
        one.study["test"]["protocols"], _human(one),
        note(one, "95 % bootstrap intervals; the lines hold for label.csv, majority, 8 classes", several=True),
    )  # fmt: skip


def _leaks(one: Studied, models: Sequence[Studied]) -> Figure | None:
    rows = [row for row in leak_rows(models) if "drop" in row]
    for row in rows:
        told = [row["training"], "" if row["clean"] else "without cleaning"]
        row["model"] = "\n".join(filter(None, [row["model"], *told]))
    return comparison.plot_leak_parts(rows, _human(one), note_of_all(models, count=len(rows))) if rows else None


def _differences(_, models: Sequence[Studied]) -> Figure | None:
    rows = differences(models)
    words = "paired bootstrap intervals; p: McNemar's exact test, Holm's correction over all pairs"
    return comparison.plot_differences(rows, note_of_all(comparable(models), words)) if rows else None


def _reliability(one: Studied, _) -> Figure:
    found = one.study["test"]["calibration"]
    majority = [found[name]["majority"] for name in ("raw", "scaled")]
    votes = [found[name]["votes"] for name in ("raw", "scaled to votes")]
    chosen = one.study["chosen_on_valid"]
    panels = (
        (f"Against the majority (T = {chosen['temperature']:.2f})", *majority, "share right"),
        (f"Against the votes (T = {chosen['temperature_votes']:.2f})", *votes, "share of the taggers"),
    )
    more = f"votes: n = {votes[0]['n']:,}; temperatures T chosen on valid; bins under {confidence.MIN_BIN_IMAGES} images not drawn"
    return confidence.plot_reliability(panels, note(one, more))


def _risk_coverage(one: Studied, models: Sequence[Studied]) -> Figure:
    found = one.study["test"]["abstention"]
    lines = {model.name: model.study["test"]["abstention"]["curve"] for model in models}
    points = [{"name": f"{one.name}, 80 % most confident", **found["most_confident_80"]}]
    if found["at_threshold"]["answered"]:
        words = f"{one.name}, confidence ≥ {found['at_threshold']['threshold']:.2f}"
        points.append({"name": words, **found["at_threshold"]})
    risk = one.study["chosen_on_valid"]["risk"]
    return confidence.plot_risk_coverage(
        lines, points, note_of_all(models, f"threshold of {one.name} chosen on valid for {100 * risk:g} % wrong")
    )


def _agreement(one: Studied, _) -> Figure:
    test = one.study["test"]
    names = {"raw": "as trained", "scaled": "scaled to\nmajority", "scaled to votes": "scaled to\nvotes"}
    votes = {words: test["votes"][key] for key, words in names.items()}
    leading = sum(row["n"] for row in test["by_agreement"])
    words = f"left: the {leading:,} with one leading emotion, in grey the images of each band"
    return confidence.plot_agreement(test["by_agreement"], votes, note(one, words, n=test["votes"]["raw"]["n"]))


def _label_noise(one: Studied, _) -> Figure:
    return confidence.plot_label_noise(one.study["test"]["label_noise"], note(one, "cleanlab, prune by noise rate"))


def _robustness(one: Studied, models: Sequence[Studied]) -> Figure:
    found = {model.name: model.study["test"]["robustness"] for model in models}
    words = "dashed in a model's colour: unchanged; 95 % bootstrap intervals"
    return behaviour.plot_robustness(found, note_of_all(models, words, found[one.name]["n"]))


def _live_path(one: Studied, models: Sequence[Studied]) -> Figure:
    rows = [
        (f"{model.name}, " + (f"turned up to {found['roll']:.0f}°" if found["roll"] else "as it is"), found)
        for model in models
        for found in model.study["test"]["live_path"]
        if len(models) == 1 or not found["roll"]
    ]
    words = "each face pasted into a picture of 640x480, 96 to 200 pixels wide"
    return behaviour.plot_live_path(rows, _human(one), note_of_all(models, words, rows[0][1]["n"]))


def _attribution(one: Studied, _) -> Figure:
    with np.load(one.folder / "attribution.npz") as stored:
        words = (
            "mean Grad-CAM of the recognised faces of each emotion minus the mean of all emotions (red: above it, "
            "blue: below; one scale for all), over the mean face"
        )
        return behaviour.plot_mean_attribution(stored["maps"], stored["counts"], stored["mean_face"], note(one, words))


def _examples(one: Studied, _) -> Figure | None:
    from ferlib.evaluation.explain import grad_cam
    from ferlib.faces.cropping import crop_face
    from ferlib.faces.detector import FaceDetector
    from ferlib.faces.pictures import sample_picture

    if one.name not in checkpoints.available():
        return None
    checkpoint, picture = checkpoints.load(one.name), sample_picture()
    drawn = [INDEX[name] for name in ("angry", "fear", "happy", "sad", "surprise")]
    photo = crop_face(picture, FaceDetector()(picture)[0])
    faces = np.stack([*dataset.draw_faces(drawn, seed=3, size=48), photo])
    named = _named(checkpoint, faces)
    maps = grad_cam(checkpoint, faces, named)
    titles = [f"drawn {EMOTIONS[index]}" for index in drawn] + ["photo (NASA)"]
    titles = [f"{title}\nread as {EMOTIONS[index]}" for title, index in zip(titles, named, strict=True)]
    words = "Grad-CAM for the named emotion; drawn faces and the public-domain photo of Eileen Collins"
    return behaviour.plot_attribution_examples(faces, maps, titles, f"{one.name}: {words}.")


def frame_times(results: Path | None = None) -> Figure | None:
    """What a frame takes on each path, from what `ferlib bench live` stored in `results`; None when it has not."""
    path = (results or paths.PUBLISHED) / "bench_live.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    threads = max(row["threads"] for row in found["rows"])
    words = (
        f"{found['model']}, {threads} threads of {found['cores']} cores; ours on {found['engine']}, plain: "
        "facenet-pytorch with its defaults and torch, the same with our smallest face of 40 px; medians of "
        f"{found['rounds']} pictures in turns, steps one after another; the line ends at the 95th percentile"
    )
    return latency.plot_latency([row for row in found["rows"] if row["threads"] == threads], f"{words}.")


def _named(checkpoint: checkpoints.Checkpoint, faces: np.ndarray) -> np.ndarray:
    from ferlib.inference.classifier import Classifier

    return Classifier(checkpoint).predict_proba(faces).argmax(axis=1)


FIGURES: dict[str, Callable[[Studied, Sequence[Studied]], Figure | None]] = {
    "model_comparison": _comparison, "differences": _differences, "confusion": _confusion,
    "class_scores": _class_scores, "confused_pairs": _confused_pairs, "recall_against_examples": _recall,
    "roc_and_pr": _roc_pr, "training_curves": _training_curves, "accuracy_against_cost": _cost,
    "protocols": _protocols, "leaks": _leaks, "agreement": _agreement, "reliability": _reliability,
    "risk_coverage": _risk_coverage, "label_noise": _label_noise, "robustness": _robustness,
    "live_path": _live_path, "attribution": _attribution, "attribution_examples": _examples,
}  # fmt: skip
"""Name (``figures/04_NAME.png``) -> function of the shown model and all models; None leaves the figure out."""

LIVE_FIGURES: dict[str, Callable[[Studied, Sequence[Studied]], Figure | None]] = {
    "latency": lambda one, _: frame_times(one.folder.parent),
}
"""The same for ``figures/05_NAME.png``, the live demo's."""
