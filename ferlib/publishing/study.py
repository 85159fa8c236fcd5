"""Full evaluation of one model: everything that notebook 04 and its figures show, computed once and stored.

First the temperature and the threshold are chosen on valid (`choose_on_valid`). Then `splits.measure_splits` reads
valid and test once and takes all measures. Numbers, average maps and curves are stored: of the data no image, no single
face's map, and no tagger's vote. The functions that run a network import torch, so that stored studies can be read
without it.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ferlib import paths
from ferlib.data.copies import recorded_version
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.labels import COLUMN_OF_EMOTION
from ferlib.data.votes import emotion_shares
from ferlib.errors import FerlibError
from ferlib.evaluation import calibration, label_noise, taggers
from ferlib.evaluation.leakage import leak_scores
from ferlib.evaluation.metrics import more_scores
from ferlib.files import atomic_path, write_json
from ferlib.format import share_with_interval
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.temperature import at_temperature, fit_temperature
from ferlib.provenance import code_commit
from ferlib.publishing import image_measures, splits, store
from ferlib.publishing.examples import explain_examples
from ferlib.publishing.image_measures import IMAGES, SEED
from ferlib.publishing.splits import Split, SplitResult
from ferlib.publishing.thresholds import fit_reading, fit_threshold, reading_entries

RISK = 0.10
"""Share of wrong answers below which the "not sure" threshold keeps their upper bound, on valid."""

MAX_PROBABILITY_DIFFERENCE = 1e-3
"""Largest difference from a stored probability that the arithmetic of another machine explains."""


@dataclass(frozen=True)
class Choices:
    """Choices that are made on valid, and only there.

    Attributes:
        temperature: temperature of least log-loss against the majority labels; `predict` and the camera use it.
        temperature_votes: temperature of least cross-entropy against the taggers' emotion votes; only reported.
        threshold: least calibrated confidence at which the model answers.
        risk: bound of the share of wrong answers for which the threshold was chosen.
        level: probability with which the true share lies below `risk` (`calibration.choose_threshold`).
        reading: of a model that answers both questions, what `thresholds.fit_reading` returns; else None.
    """

    temperature: float
    temperature_votes: float
    threshold: float
    risk: float
    level: float
    reading: dict | None = None

    def to_dict(self) -> dict:
        """JSON-ready form; `reading` is left out of a model with one question."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def sidecar_entries(self) -> dict:
        """Entries of the checkpoint's sidecar, where `predict` and the camera find them."""
        return {
            "temperature": self.temperature, "threshold": self.threshold, "chosen_on": "valid",
            "threshold_risk": self.risk, "threshold_level": self.level, **reading_entries(self.reading),
        }  # fmt: skip


def choose_on_valid(checkpoint: Checkpoint, data_set: DataSet, risk: float = RISK) -> Choices:
    """Choose temperature and threshold of a model from the validation split alone.

    Args:
        checkpoint: the model.
        data_set: the open data.
        risk: largest bound of the share of wrong answers, see `calibration.choose_threshold`.

    Raises:
        FerlibError: no threshold gives so few wrong answers.
    """
    valid = splits.score_valid(Classifier(checkpoint), data_set, {"choices": partial(_fit_choices, risk=risk)})
    return valid.measures["choices"]


def _fit_choices(valid: Split, risk: float) -> Choices:
    raw, labels = valid.predictions["probabilities"], valid.predictions["labels"]
    temperature = fit_temperature(raw, labels)
    threshold = fit_threshold(raw, labels, temperature, risk)
    on_votes = fit_temperature(raw, emotion_shares(valid.votes))
    reading = fit_reading(valid.predictions, temperature, risk)
    return Choices(temperature, on_votes, threshold, risk, calibration.LEVEL, reading)


def run_study(
    name: str | None = None, *, root: Path | None = None, results: Path | None = None, risk: float = RISK,
    images: int = IMAGES, say: Callable[[str], None] = lambda _: None,
) -> dict:  # fmt: skip
    """Evaluate a shipped model; write ``study.json`` and ``attribution*.npz`` into the folder `results` / NAME.

    Args:
        name: name of a checkpoint; None for the default one.
        root: the data folder; None for `paths.data_root()`.
        results: folder of all results; None for ``data/published``. There the data must be the one that the model was
            published with, and temperature and threshold go into the checkpoint's sidecar, where `predict` and the
            camera find them. In any other folder the predictions are written too, and the sidecar stays as it is.
        risk: largest bound of the share of wrong answers, see `calibration.choose_threshold`.
        images: number of labelled images for robustness and live path on test, and for measures of doubt on valid.
        say: gets the name of each step as it begins.

    Returns:
        The content of ``study.json``.

    Raises:
        FerlibError: no such model, an ablation, other data than it was published with, or predictions that are not the
            stored ones.
    """
    from ferlib.evaluation.cost import model_cost

    started, commit = time.perf_counter(), code_commit()
    checkpoint = checkpoints.load(name)
    published = results is None
    folder = (paths.PUBLISHED if results is None else results) / checkpoint.name
    data_set = (
        _open_published_data(checkpoint.name, root)
        if published
        else open_data_set(root, manifest_version=recorded_version(checkpoint.about.get("config", {})))
    )
    say("choosing temperature and threshold on valid")
    chosen = choose_on_valid(checkpoint, data_set, risk)
    about = {**checkpoint.about, **chosen.sidecar_entries()}
    tuned = replace(checkpoint, temperature=chosen.temperature, about=about)
    measures = image_measures.measures_by_split(tuned, data_set, images, say)
    common = {"report": partial(_report_split, chosen=chosen)}
    say("reading test")
    splits_measured = splits.measure_splits(
        Classifier(tuned), data_set, {split: {**common, **more} for split, more in measures.items()}, results
    )
    if published:
        _check_stored(checkpoint.name, splits_measured)
    attribution = splits_measured["test"].measures.pop("attribution")
    maps = {"attribution": attribution, "attribution_examples": explain_examples(tuned)}
    study: dict[str, Any] = {
        "model": checkpoint.name,
        "about": _provenance(checkpoint, data_set) | {"images": images, "code_commit": commit},
        "chosen_on_valid": chosen.to_dict(),
        "cost": model_cost(checkpoint),
        **{split: result.pop("report") | result for split, (_, result) in splits_measured.items()},
    }
    study["about"]["seconds"] = round(time.perf_counter() - started, 1)
    if published:  # first, so that no report names choices which the shipped model does not have
        checkpoints.update_sidecar(checkpoint.name, **chosen.sidecar_entries())
    _write_study(folder, study, maps, {} if published else splits_measured)
    return study


def render_study(study: dict) -> str:
    """Render the main numbers of a study as a few lines for people."""
    chosen, test = study["chosen_on_valid"], study["test"]
    ece = {name: test["calibration"][name]["majority"]["ece"] for name in ("raw", "scaled")}
    at, top = test["abstention"]["at_threshold"], test["abstention"]["most_confident_80"]
    straight = test["live_path"][0]
    return "\n".join(
        [
            f"{study['model']}: {study['about']['protocol']}; {study['about']['seconds']:.0f} s",
            f"  chosen on valid: temperature {chosen['temperature']:.3f}, not sure below {chosen['threshold']:.3f} "
            f"(at most {chosen['risk']:.0%} wrong answers by the {chosen['level']:.0%} bound)",
            f"  test, n = {test['scores']['n']:,}: accuracy {test['scores']['accuracy']:.2%}; calibration error "
            f"{ece['raw']:.3f} before and {ece['scaled']:.3f} after scaling",
            f"  test, answered {at['coverage']:.1%} of the images"
            + (f", {at['accuracy']:.2%} rightly" if at["answered"] else ""),
            f"  test, the 80 % most confident: {share_with_interval(top['accuracy'], top['interval'])}",
            f"  through the live path, n = {straight['n']:,}: {straight['live']['accuracy']:.1%}, on the crops "
            f"{straight['crop']['accuracy']:.1%}, found {straight['found']:.1%}",
        ]
    )


def _open_published_data(name: str, root: Path | None) -> DataSet:
    """Open a data folder, which must hold the data that the model was published with; refuse an ablation."""
    metrics = store.published_metrics(name)
    if "test" not in metrics:
        raise FerlibError(f"{name!r} is an ablation, which is scored on valid only; it gets no study.")
    return splits.open_same_data(metrics["run"]["data_hash"], metrics["config"], f"{name} was published with", root)


def _report_split(split: Split, chosen: Choices) -> dict:
    """Measures that need only the predictions and the votes of a split; the same for valid and test."""
    predictions = split.predictions
    raw, labels, leaked = predictions["probabilities"], predictions["labels"], predictions["leaked"]
    scaled = at_temperature(raw, chosen.temperature)
    shares = emotion_shares(split.votes)
    majority = split.votes[np.arange(len(labels)), np.array(COLUMN_OF_EMOTION)[np.maximum(labels, 0)]]
    temperatures = {"raw": 1.0, "scaled": chosen.temperature, "scaled to votes": chosen.temperature_votes}
    scores = store.scores_by_part(predictions)
    return {
        **({"meant": scores["meant"]} if "meant" in scores else {}),
        "scores": scores["all"] | {"more": more_scores(scaled, labels, SEED)},
        "log_loss_raw": more_scores(raw, labels, SEED)["log_loss"],
        "leaks": leak_scores(raw, labels, leaked, SEED),
        "human": taggers.human_line(split.votes),
        "votes": {
            name: taggers.distribution_scores(at_temperature(raw, value), split.votes)
            for name, value in temperatures.items()
        },
        "by_agreement": taggers.accuracy_by_agreement(raw, split.votes),
        "protocols": taggers.protocol_table(raw, predictions["ids"], split.votes_by_file),
        "calibration": {
            name: calibration.calibration_report(raw, labels, shares, value) for name, value in temperatures.items()
        },
        "abstention": calibration.abstention(raw, labels, chosen.temperature, chosen.threshold),
        "label_noise": label_noise.doubt_table(raw, labels, majority),
    }  # fmt: skip


def _check_stored(name: str, splits_measured: dict[str, SplitResult]) -> None:
    """Check that the shipped weights give the published predictions; else the report would be of another model."""
    for split, (predictions, _) in splits_measured.items():
        stored = store.published_predictions(name, split)
        same = np.array_equal(stored["ids"], predictions["ids"])
        if same and not all(np.array_equal(stored[key], predictions[key]) for key in ("labels", "leaked")):
            raise FerlibError(
                f"the labels or leaks of {split} are not those of {name} any more; publish the run again."
            )
        difference = np.abs(stored["probabilities"] - predictions["probabilities"]).max() if same else 1.0
        if difference > MAX_PROBABILITY_DIFFERENCE:
            raise FerlibError(
                f"{name} gives other probabilities on {split} than the published ones (by {difference:.2g}); "
                "publish the run again."
            )


def _provenance(checkpoint: Checkpoint, data_set: DataSet) -> dict:
    import torch

    config = checkpoint.about.get("config", {})
    return {
        "protocol": splits.protocol_of(data_set.content_hash, data_set.source), "data": data_set.source,
        "data_hash": data_set.content_hash, "weights_sha256": checkpoint.about["weights_sha256"],
        "clean": config.get("clean"), "seed_of_training": config.get("seed"), "seed": SEED,
        "torch": torch.__version__, "threads": torch.get_num_threads(),
    }  # fmt: skip


def _write_study(
    folder: Path, study: dict, maps: dict[str, dict[str, np.ndarray]], splits_measured: dict[str, SplitResult]
) -> None:
    """Write study, maps by the name of their file, and the predictions of the splits given."""
    for split, (predictions, _) in splits_measured.items():
        with atomic_path(folder / f"predictions_{split}.npz") as temporary:
            np.savez_compressed(temporary, **predictions)  # type: ignore[arg-type]  # its flag is no array
    for name, arrays in maps.items():
        with atomic_path(folder / f"{name}.npz") as temporary:
            np.savez_compressed(temporary, **arrays)  # type: ignore[arg-type]  # its flag is no array
    write_json(folder / "study.json", study)
