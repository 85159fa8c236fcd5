"""Stored evaluations of the models, as notebook 04 and the figures read them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation.comparison import compare_pairs
from ferlib.evaluation.leakage import leak_scores
from ferlib.models import checkpoints
from ferlib.publishing import ledger
from ferlib.publishing.study import IMAGES, RISK, run_study
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class StudiedModel:
    """Stored evaluation of one model.

    Attributes:
        name: name of the model.
        folder: folder of its evaluation.
        study: content of ``study.json``.
        test: the stored predictions on test, at temperature 1: ids, labels, probabilities, leaked.
    """

    name: str
    folder: Path
    study: dict
    test: dict[str, np.ndarray]


def load_studies(results: Path | None = None) -> list[StudiedModel]:
    """Every studied model in a folder, the best on valid first.

    Args:
        results: the folder; None: ``data/published``.

    Raises:
        FerlibError: there is none.
    """
    results = results or paths.PUBLISHED
    models = []
    for path in sorted(results.glob("*/study.json")):
        with np.load(path.parent / "predictions_test.npz") as stored:
            test = dict(stored)
        study = json.loads(path.read_text(encoding="utf-8"))
        models.append(StudiedModel(path.parent.name, path.parent, study, test))
    if not models:
        raise FerlibError(f"{paths.relative(results)} holds no study.json; 'ferlib study NAME' writes one.")
    return sorted(models, key=lambda model: -model.study["valid"]["scores"]["accuracy"])


def obtain_studies(
    results: Path, name: str | None = None, *, rerun: bool = False, root: Path | None = None, risk: float = RISK,
    images: int = IMAGES,
) -> list[StudiedModel]:  # fmt: skip
    """Every studied model in a folder, the best on valid first, one of them evaluated again if wanted.

    Args:
        results: the folder.
        name: the model to evaluate again; None: the shipped default.
        rerun: evaluate it again.
        root: see `run_study`.
        risk: see `run_study`.
        images: see `run_study`.
    """
    if rerun:
        run_study(name, root=root, results=None if results == paths.PUBLISHED else results, risk=risk, images=images)
    return load_studies(results)


def reads_of_test(model: StudiedModel) -> list[ledger.TestRead]:
    """Reads of the test split by a model's weights, from the ledger of its data.

    Args:
        model: the model.

    Raises:
        FerlibError: the ledger is damaged.
    """
    about = model.study["about"]
    reads = ledger.read_ledger(ledger.ledger_path(about["data_hash"], model.folder.parent))
    return ledger.reads_of(reads, about["weights_sha256"], about["data_hash"])


def shown_model(models: Sequence[StudiedModel], name: str | None = None) -> StudiedModel:
    """Model that figures of a single one show: the named one, else the shipped default, else the best on valid.

    Args:
        models: the studied models, the best on valid first.
        name: name of a model.

    Raises:
        FerlibError: no model has this name.
    """
    by_name = {model.name: model for model in models}
    if name and name not in by_name:
        raise FerlibError(f"there is no study of {name!r}; choose one of {', '.join(by_name)}.")
    return by_name.get(name or checkpoints.DEFAULT_MODEL, models[0])


def model_caption(
    model: StudiedModel, more: str = "95 % bootstrap intervals", n: int | None = None, split: str = "test", *,
    several_protocols: bool = False,
) -> str:  # fmt: skip
    """Caption of a figure of one model: model, seed, protocol, split and n.

    Args:
        model: the model.
        more: further words at the end.
        n: number of images; None: all labelled ones of the split.
        split: ``"valid"`` or ``"test"``.
        several_protocols: name the data and the split alone.
    """
    about = model.study["about"]
    n = model.study[split]["scores"]["n"] if n is None else n
    end = f"; {more}" if more else ""
    counted = f"{_data_of(model)}; {split}" if several_protocols else f"{about['protocol']}; {split}, n = {n:,}"
    return f"{unofficial_prefix(model)}{model.name} (seed {about['seed_of_training']}); {counted}{end}."


def joint_caption(
    models: Sequence[StudiedModel], more: str = "95 % bootstrap intervals", n: int | None = None,
    count: int | None = None,
) -> str:  # fmt: skip
    """Caption of a figure of several models.

    Args:
        models: the models.
        more: further words at the end.
        n: number of images; None: all labelled ones of test.
        count: number of runs, when the figure shows more than the studied models.
    """
    line, count = model_caption(models[0], more, n), count or len(models)
    each = "runs" if count > len(models) else "models, one seed each"
    return line if count == 1 else f"{unofficial_prefix(models[0])}{count} {each}; {line.split('; ', 1)[1]}"


def unofficial_prefix(model: StudiedModel) -> str:
    """Beginning of a caption whose numbers are not of the official data, and so are no results; else empty."""
    return "" if model.study["about"]["protocol"].startswith("FER2013+") else "NO RESULT: "


def _data_of(model: StudiedModel) -> str:
    return model.study["about"]["protocol"].rsplit(",", 1)[0] if unofficial_prefix(model) else "FER2013+"


def leak_rows(models: Sequence[StudiedModel]) -> list[dict]:
    """Scores of `leakage.leak_scores` on test for each model, and for the published runs trained on everything.

    Each run that was trained on everything comes behind those on the cleaned split that differ from it in that and
    the seed alone. The scores of runs without a study come from their stored predictions.

    Args:
        models: the studied models, which come first.

    Returns:
        The scores with ``model``, ``training`` ("" where the folder of the studies does not tell), and ``clean``.
    """
    results = models[0].folder.parent
    runs = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*/metrics.json"))]
    runs = [run for run in runs if "test" in run]  # an ablation has no predictions on test
    training = {run["model"]: _training_text(run["config"]) for run in runs}
    rows = [
        {
            "model": model.name, "clean": model.study["about"]["clean"] is not False,
            "training": training.get(model.name, ""), **model.study["test"]["leaks"],
        }
        for model in models
    ]  # fmt: skip
    listed = {model.name for model in models}
    for unclean in [run for run in runs if not run["config"]["clean"]]:
        alike = [run for run in runs if run["config"]["clean"] and _same_settings(run, unclean)]
        for run in [run for run in (*alike, unclean) if run["model"] not in listed]:
            name = run["model"]
            with np.load(results / name / "predictions_test.npz") as stored:
                scores = leak_scores(stored["probabilities"], stored["labels"], stored["leaked"])
            rows.append({"model": name, "clean": run["config"]["clean"], "training": training[name], **scores})
            listed.add(name)
    return rows


def _training_text(config: Mapping) -> str:
    if config.get("soup"):
        return f"mean of {len(config['soup'])}"
    return f"{config['epochs']} epochs" + (f" after {config['start']}" if config.get("start") else "")


def _same_settings(run: dict, other: dict) -> bool:
    """Tell whether two runs differ in cleaning and seed at most."""
    first, second = (replace(TrainConfig.from_dict(it["config"]), clean=True, seed=0) for it in (run, other))
    return first == second


def paired_differences(models: Sequence[StudiedModel]) -> list[dict]:
    """Rows of `comparison.compare_pairs` for all `comparable_models`."""
    labelled = models[0].test["labels"] >= 0
    return compare_pairs(
        {
            model.name: (model.test["probabilities"].argmax(1) == model.test["labels"])[labelled]
            for model in comparable_models(models)
        }
    )


def comparable_models(models: Sequence[StudiedModel]) -> list[StudiedModel]:
    """First model, and those whose stored predictions are of the same test images and labels."""
    first = models[0].test
    return [model for model in models if all(np.array_equal(model.test[key], first[key]) for key in ("ids", "labels"))]
