"""The full evaluation of one model: everything that notebook 04 and its figures show, computed once and stored.

First the temperature and the threshold are chosen on valid (`choose`). Then valid and test are read once, by
`publication.measure_splits`, and everything is measured while they are read. What is stored are numbers, average maps
and curves: no image, no single face's map, and no tagger's vote.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ferlib import paths
from ferlib.data.labels import COLUMN_OF_EMOTION
from ferlib.data.votes import emotion_shares
from ferlib.errors import FerlibError
from ferlib.evaluation import calibration, label_noise, robustness, taggers
from ferlib.evaluation.cost import model_cost
from ferlib.evaluation.explain import mean_maps
from ferlib.evaluation.leakage import leak_scores
from ferlib.evaluation.metrics import more_scores
from ferlib.files import atomic_path, write_json
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.models.checkpoints import Checkpoint
from ferlib.provenance import code_commit
from ferlib.publishing import splits, store
from ferlib.publishing.splits import Split

RISK = 0.10
"""Share of wrong answers that the "not sure" threshold aims at, on valid."""

IMAGES = 1000
"""Labelled test images, drawn at random, that robustness and live path are measured on."""

SEED = 0
"""Of the bootstrap, the random changes, and the draw of images."""

TOLERANCE = 1e-3
"""Largest difference of a probability from the stored one that another machine's arithmetic explains."""


@dataclass(frozen=True)
class Choices:
    """What is chosen on valid, and only there.

    Attributes:
        temperature: minimises the log-loss against the majority labels; `predict` and the camera use it.
        temperature_votes: minimises the cross-entropy against the taggers' emotion votes; reported only.
        threshold: least calibrated confidence at which the model answers.
        risk: the share of wrong answers that the threshold was chosen for.
    """

    temperature: float
    temperature_votes: float
    threshold: float
    risk: float


def choose(checkpoint: Checkpoint, root: Path | None = None, risk: float = RISK) -> Choices:
    """Temperature and threshold of a model, from the validation split alone."""
    _, measured = splits.score_valid(Classifier(checkpoint), root, {"choices": partial(_choices, risk=risk)})
    return measured["choices"]


def _choices(valid: Split, risk: float) -> Choices:
    raw, labels = valid.predictions["probabilities"], valid.predictions["labels"]
    temperature = calibration.fit_temperature(raw, labels)
    scaled = calibration.at_temperature(raw, temperature)[labels >= 0]
    right = scaled.argmax(axis=1) == labels[labels >= 0]
    threshold = calibration.choose_threshold(scaled.max(axis=1), right, risk)
    on_votes = calibration.fit_temperature(raw, emotion_shares(valid.votes))
    return Choices(temperature, on_votes, threshold, risk)


def run(
    name: str | None = None, *, root: Path | None = None, results: Path | None = None, risk: float = RISK,
    images: int = IMAGES, say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Evaluate a shipped model and write ``study.json`` and ``attribution.npz`` into the folder `results` / NAME.

    Args:
        name: a checkpoint; None: the default one.
        root: the data folder; None: `paths.data_root()`.
        results: None: ``data/published``. There the data must be what the model was published with, and temperature
            and threshold go into the checkpoint's sidecar, where `predict` and the camera find them. In any other
            folder the predictions are written too, and the sidecar stays as it is.
        risk: share of wrong answers to choose the threshold for.
        images: labelled test images for robustness and live path.
        say: is told what is being done.

    Raises:
        FerlibError: no such model, other data than it was published with, or predictions that are not the stored ones.
    """
    started, commit = time.perf_counter(), code_commit()
    checkpoint = checkpoints.load(name)
    published = results is None
    folder = (paths.PUBLISHED if results is None else results) / checkpoint.name
    if published:
        stored = store.published_metrics(checkpoint.name)
        splits.same_data(stored["run"]["data_hash"], f"{checkpoint.name} was published with", root)
    say("choosing temperature and threshold on valid")
    chosen = choose(checkpoint, root, risk)
    tuned = replace(
        checkpoint, temperature=chosen.temperature, about={**checkpoint.about, "threshold": chosen.threshold}
    )
    common = {"report": partial(_report, chosen=chosen)}
    say("reading test")
    read = splits.measure_splits(
        Classifier(tuned), root, {"valid": common, "test": common | _test_measures(tuned, images, say)}
    )
    if published:
        _check_stored(checkpoint.name, read)
    attribution = read["test"][1].pop("attribution")
    study: dict[str, Any] = {
        "model": checkpoint.name,
        "about": _about(checkpoint, root) | {"images": images, "code_commit": commit},
        "chosen_on_valid": chosen.__dict__,
        "cost": model_cost(checkpoint),
        **{split: {**measured.pop("report"), **measured} for split, (_, measured) in read.items()},
    }
    study["about"]["seconds"] = round(time.perf_counter() - started, 1)
    if published:  # first, so that no report names choices which the shipped model does not have
        checkpoints.update_sidecar(
            checkpoint.name, temperature=chosen.temperature, threshold=chosen.threshold,
            chosen_on="valid", threshold_risk=chosen.risk,
        )  # fmt: skip
    _write(folder, study, attribution, {} if published else {split: found for split, (found, _) in read.items()})
    return study


def render(study: dict) -> str:
    """The main numbers of a study as a few lines for people."""
    chosen, test = study["chosen_on_valid"], study["test"]
    ece = {name: test["calibration"][name]["majority"]["ece"] for name in ("raw", "scaled")}
    at, top = test["abstention"]["at_threshold"], test["abstention"]["most_confident_80"]
    straight = test["live_path"][0]
    low, high = top["interval"]
    return "\n".join(
        [
            f"{study['model']}: {study['about']['protocol']}; {study['about']['seconds']:.0f} s",
            f"  chosen on valid: temperature {chosen['temperature']:.3f}, not sure below {chosen['threshold']:.3f} "
            f"(for {chosen['risk']:.0%} wrong answers)",
            f"  test, n = {test['scores']['n']:,}: accuracy {test['scores']['accuracy']:.2%}; calibration error "
            f"{ece['raw']:.3f} before and {ece['scaled']:.3f} after scaling",
            f"  test, answered {at['coverage']:.1%} of the images"
            + (f", {at['accuracy']:.2%} rightly" if at["answered"] else ""),
            f"  test, the 80 % most confident: {top['accuracy']:.2%} (95 % {low:.2%} to {high:.2%})",
            f"  through the live path, n = {straight['n']:,}: {straight['live']['accuracy']:.1%}, on the crops "
            f"{straight['crop']['accuracy']:.1%}, found {straight['found']:.1%}",
        ]
    )


def _report(split: Split, chosen: Choices) -> dict:
    """What needs only the predictions and the votes of a split; the same for valid and test."""
    found = split.predictions
    raw, labels, leaked = found["probabilities"], found["labels"], found["leaked"]
    scaled = calibration.at_temperature(raw, chosen.temperature)
    shares = emotion_shares(split.votes)
    majority = split.votes[np.arange(len(labels)), np.array(COLUMN_OF_EMOTION)[np.maximum(labels, 0)]]
    temperatures = {"raw": 1.0, "scaled": chosen.temperature, "scaled to votes": chosen.temperature_votes}
    return {
        "scores": store.summarise(found)["all"] | {"more": more_scores(scaled, labels, SEED)},
        "log_loss_raw": more_scores(raw, labels, SEED)["log_loss"],
        "leaks": leak_scores(raw, labels, leaked, SEED),
        "human": taggers.human_line(split.votes),
        "votes": {
            name: taggers.distribution_scores(calibration.at_temperature(raw, value), split.votes)
            for name, value in temperatures.items()
        },
        "by_agreement": taggers.accuracy_by_agreement(raw, split.votes),
        "protocols": taggers.protocol_table(raw, found["ids"], split.votes_by_file),
        "calibration": {
            name: calibration.calibrated(raw, labels, shares, value) for name, value in temperatures.items()
        },
        "abstention": calibration.abstention(raw, labels, chosen.temperature, chosen.threshold),
        "label_noise": label_noise.doubt_table(raw, labels, majority),
    }  # fmt: skip


def _test_measures(tuned: Checkpoint, images: int, say: Callable[[str], None]) -> dict[str, Callable[[Split], Any]]:
    """What needs the images of test."""
    predict = Classifier(tuned).predict_proba

    def drawn(split: Split) -> tuple[np.ndarray, np.ndarray]:
        labels = split.predictions["labels"]
        chosen = robustness.some_labelled(labels, images, SEED)
        return split.images[chosen], labels[chosen]

    def broken(split: Split) -> dict:
        return robustness.robustness(
            predict, *drawn(split), seed=SEED, progress=lambda name: say(f"robustness: {name}")
        )

    def live(split: Split) -> list[dict]:
        from ferlib.evaluation.live_path import ROLL, live_path
        from ferlib.faces.detector import FaceDetector

        say("live path")
        detector = FaceDetector()
        return [live_path(predict, *drawn(split), detector, roll=roll, seed=SEED) for roll in (0.0, ROLL)]

    def attribution(split: Split) -> dict[str, np.ndarray]:
        say("attribution")
        return mean_maps(tuned, split.images, split.predictions["labels"])

    return {"robustness": broken, "live_path": live, "attribution": attribution}


def _check_stored(name: str, read: dict) -> None:
    """The shipped weights must give the published predictions, or the report would be of another model."""
    for split, (found, _) in read.items():
        stored = store.published_predictions(name, split)
        same = np.array_equal(stored["ids"], found["ids"])
        if same and not all(np.array_equal(stored[key], found[key]) for key in ("labels", "leaked")):
            raise FerlibError(
                f"the labels or leaks of {split} are not those of {name} any more; publish the run again."
            )
        difference = np.abs(stored["probabilities"] - found["probabilities"]).max() if same else 1.0
        if difference > TOLERANCE:
            raise FerlibError(
                f"{name} gives other probabilities on {split} than the published ones (by {difference:.2g}); "
                "publish the run again."
            )


def _about(checkpoint: Checkpoint, root: Path | None) -> dict:
    from ferlib.data import ferplus

    data, config = ferplus.load_train_valid(root), checkpoint.about.get("config", {})
    return {
        "protocol": splits.protocol_of(data.content_hash, data.source), "data": data.source,
        "data_hash": data.content_hash, "weights_sha256": checkpoint.about["weights_sha256"],
        "clean": config.get("clean"), "seed_of_training": config.get("seed"), "seed": SEED,
        "torch": torch.__version__, "threads": torch.get_num_threads(),
    }  # fmt: skip


def _write(folder: Path, study: dict, attribution: dict[str, np.ndarray], predictions: dict) -> None:
    for split, found in predictions.items():
        with atomic_path(folder / f"predictions_{split}.npz") as temporary:
            np.savez_compressed(temporary, **found)
    with atomic_path(folder / "attribution.npz") as temporary:
        np.savez_compressed(temporary, **attribution)  # type: ignore[arg-type]  # its flag is no array
    write_json(folder / "study.json", study)
