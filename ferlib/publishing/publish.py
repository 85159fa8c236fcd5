"""Publishing of a finished run: shipped weights with their predictions and scores.

Every choice (epoch, settings, temperature) is made on valid before a model comes here. Test is scored once, when a
model is published; later calls can only check that the stored numbers come out again. The ledger counts them all. An
ablation, which helps to choose, is published on valid alone.
"""

import shutil

import numpy as np
import torch

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, write_json
from ferlib.inference.classifier import Classifier
from ferlib.models import checkpoints
from ferlib.publishing.splits import open_same_data, protocol_of, score_test, score_valid
from ferlib.publishing.store import is_published, scores_by_part
from ferlib.training.config import TrainConfig
from ferlib.training.recipes import is_ablation
from ferlib.training.run_files import check_name, saved_run
from ferlib.training.runs import read_run

_OUTDATED = (
    "metrics.json", "predictions_test.npz", "study.json", "attribution.npz", "attribution_examples.npz", "export.json",
)  # fmt: skip


def publish(name: str, *, replace: bool = False, weights: bool = True) -> dict:
    """Publish a finished run: shipped weights, predictions on valid and test, scores, history.

    Writes under ``data/published/NAME`` ``predictions_valid.npz`` and ``predictions_test.npz`` (ids, majority labels,
    probabilities, leaked flags) and ``history.csv``, then ``data/checkpoints/NAME.safetensors`` and ``.json``, and
    last ``metrics.json``, which makes the name a published one. The predictions are those of the shipped
    half-precision weights. Results of weights that are replaced (the study, its heat maps, the report of the export)
    are removed. An ablation (`recipes.is_ablation`) has no predictions and scores on test.

    Args:
        name: name of the run.
        replace: whether to overwrite a model that is published under this name.
        weights: whether to ship the weights. Without them only the numbers are published, as for further seeds.

    Returns:
        The content of ``metrics.json``.

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
    data_set = open_same_data(about["data_hash"], about["config"], f"the run {name} was trained on")
    config = TrainConfig.from_dict(about["config"])
    best = _best_weights(name, config, about)
    protocol = protocol_of(about["data_hash"], about["data"])
    sidecar = {
        "model": config.model_arguments(), "preprocessing": config.preprocessing.to_dict(), "temperature": 1.0,
        "protocol": protocol, **({"logit_offsets": about["logit_offsets"]} if "logit_offsets" in about else {}),
        **{key: about[key] for key in ("data", "data_hash", "code_commit", "best_epoch", "seconds", "config")},
    }  # fmt: skip
    classifier = Classifier(checkpoints.as_shipped(name, best, sidecar))
    results = {"valid": score_valid(classifier, data_set)}
    if not is_ablation(name, config):
        results["test"] = score_test(classifier, data_set, purpose="publication")
    scores = {split: scores_by_part(result.predictions) for split, result in results.items()}
    for outdated in _OUTDATED:
        (folder / outdated).unlink(missing_ok=True)
    for split, result in results.items():
        with atomic_path(folder / f"predictions_{split}.npz") as temporary:
            np.savez_compressed(temporary, **result.predictions)  # type: ignore[arg-type]  # its flag is no array
    with atomic_path(folder / "history.csv") as temporary:
        shutil.copyfile(paths.RUNS / name / "history.csv", temporary)
    if weights:
        checkpoints.save(name, best, {**sidecar, "scores": {split: scores[split]["all"] for split in scores}})
    run = {key: value for key, value in about.items() if key != "config"}
    metrics = {"model": name, "protocol": protocol, "run": run, "config": about["config"], **scores}
    write_json(folder / "metrics.json", metrics)
    return metrics


def _best_weights(name: str, config: TrainConfig, about: dict) -> dict[str, torch.Tensor]:
    """State dict of the epoch that valid chose; ``run.json`` must be of the same training."""
    saved = saved_run(paths.RUNS / name, config, about["data_hash"])
    if saved is None or saved["best"]["epoch"] != about["best_epoch"]:
        raise FerlibError(f"run.json and checkpoint.pt of {name} are of two trainings; delete the folder, train again.")
    return saved["best"]["state"]
