"""The stored evaluations of the models, as notebook 04 and the figures read them."""

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
from ferlib.publishing.study import IMAGES, RISK, run_study
from ferlib.report import studies
from ferlib.training.config import TrainConfig


@dataclass(frozen=True, eq=False)
class Studied:
    """One model's stored evaluation.

    Attributes:
        name: of the model; folder: where it is stored; study: ``study.json``.
        test: the stored predictions on test, at temperature 1 (ids, labels, probabilities, leaked).
    """

    name: str
    folder: Path
    study: dict
    test: dict[str, np.ndarray]


def load(results: Path | None = None) -> list[Studied]:
    """Every studied model in the folder `results` (default ``data/published``), the best on valid first.

    Raises:
        FerlibError: there is none.
    """
    results, found = results or paths.PUBLISHED, []
    for path in sorted(results.glob("*/study.json")):
        with np.load(path.parent / "predictions_test.npz") as stored:
            test = dict(stored)
        found.append(Studied(path.parent.name, path.parent, json.loads(path.read_text(encoding="utf-8")), test))
    if not found:
        raise FerlibError(f"{paths.relative(results)} holds no study.json; 'ferlib study NAME' writes one.")
    return sorted(found, key=lambda one: -one.study["valid"]["scores"]["accuracy"])


def shown(models: Sequence[Studied], name: str | None = None) -> Studied:
    """The model that figures of a single one show: `name`, else the shipped default, else the best on valid."""
    wanted = name or checkpoints.DEFAULT_MODEL
    found = [one for one in models if one.name == wanted]
    if name and not found:
        raise FerlibError(f"there is no study of {name!r}; choose one of {', '.join(one.name for one in models)}.")
    return (found or list(models))[0]


def note(
    one: Studied, more: str = "95 % bootstrap intervals", n: int | None = None, split: str = "test", *,
    several: bool = False,
) -> str:  # fmt: skip
    """The caption line: model, seed, protocol, split and n; `several` protocols: data and split alone."""
    about = one.study["about"]
    n = one.study[split]["scores"]["n"] if n is None else n
    end = f"; {more}" if more else ""
    counted = f"{_data_of(one)}; {split}" if several else f"{about['protocol']}; {split}, n = {n:,}"
    return f"{unofficial(one)}{one.name} (seed {about['seed_of_training']}); {counted}{end}."


def note_of_all(
    models: Sequence[Studied], more: str = "95 % bootstrap intervals", n: int | None = None, count: int | None = None
) -> str:
    """The caption line of a figure of all models; `count`: of them, when there are more than the studied ones."""
    line, count = note(models[0], more, n), count or len(models)
    each = "runs" if count > len(models) else "models, one seed each"
    return line if count == 1 else f"{unofficial(models[0])}{count} {each}; {line.split('; ', 1)[1]}"


def unofficial(one: Studied) -> str:
    """What a caption begins with when its numbers are not of the official data, and so are no results."""
    return "" if one.study["about"]["protocol"].startswith("FER2013+") else "NO RESULT: "


def _data_of(one: Studied) -> str:
    protocol = one.study["about"]["protocol"]
    return "FER2013+" if not unofficial(one) else protocol.rsplit(",", 1)[0]


def leak_rows(models: Sequence[Studied]) -> list[dict]:
    """`leakage.leak_scores` of each model on test, with its ``model``, its ``training`` and if that was ``clean``.

    ``training`` is "" where the folder of the studies does not tell.
    After the studied models come the published runs that were trained on everything, each behind those on the cleaned
    split that it differs from in that and the seed alone. Their scores come from the stored predictions.
    """
    metrics = [json.loads(path.read_text("utf-8")) for path in sorted(models[0].folder.parent.glob("*/metrics.json"))]
    training = {found["model"]: _training(found["config"]) for found in metrics}
    rows = [
        {
            "model": one.name, "clean": one.study["about"]["clean"] is not False,
            "training": training.get(one.name, ""), **one.study["test"]["leaks"],
        }
        for one in models
    ]  # fmt: skip
    done = {one.name for one in models}
    for unclean in (found for found in metrics if not found["config"]["clean"]):
        alike = [found for found in metrics if found["config"]["clean"] and _settings(found) == _settings(unclean)]
        for found in [one for one in (*alike, unclean) if one["model"] not in done]:
            with np.load(models[0].folder.parent / found["model"] / "predictions_test.npz") as stored:
                scored = leak_scores(stored["probabilities"], stored["labels"], stored["leaked"])
            rows.append(
                {
                    "model": found["model"], "clean": found["config"]["clean"], "training": training[found["model"]],
                    **scored,
                }
            )  # fmt: skip
            done.add(found["model"])
    return rows


def _training(config: Mapping) -> str:
    if config.get("soup"):
        return f"mean of {len(config['soup'])}"
    return f"{config['epochs']} epochs" + (f" after {config['start']}" if config.get("start") else "")


def _settings(metrics: dict) -> TrainConfig:
    return replace(TrainConfig.from_dict(metrics["config"]), clean=True, seed=0)


def differences(models: Sequence[Studied]) -> list[dict]:
    """`comparison.compare_pairs` over all `comparable` models."""
    counted = models[0].test["labels"] >= 0
    return compare_pairs(
        {
            model.name: (model.test["probabilities"].argmax(1) == model.test["labels"])[counted]
            for model in comparable(models)
        }
    )


def comparable(models: Sequence[Studied]) -> list[Studied]:
    """The first model, and those whose stored predictions are of the same test images and labels."""
    first = models[0].test
    return [one for one in models if all(np.array_equal(one.test[key], first[key]) for key in ("ids", "labels"))]


def obtain(
    results: Path, name: str | None = None, *, rerun: bool = False, root: Path | None = None, risk: float = RISK,
    images: int = IMAGES,
) -> list[Studied]:  # fmt: skip
    """The studied models in the folder `results`, the best on valid first; with `rerun` that of `name` is made anew.

    For the other arguments see `run_study`.
    """
    if rerun:
        run_study(name, root=root, results=None if results == paths.PUBLISHED else results, risk=risk, images=images)
    return studies.load(results)
