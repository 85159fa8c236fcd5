"""The stored evaluations of the models, as notebook 04 and the figures read them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.learning import checkpoints
from ferlib.learning.comparison import compare


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


def note(one: Studied, more: str = "95 % bootstrap intervals", n: int | None = None, split: str = "test") -> str:
    """The caption line: model, seed, protocol, split and n."""
    about = one.study["about"]
    n = one.study[split]["scores"]["n"] if n is None else n
    official = "" if about["protocol"].startswith("FER2013+") else "NO RESULT: "
    end = f"; {more}" if more else ""
    return f"{official}{one.name} (seed {about['seed_of_training']}); {about['protocol']}; {split}, n = {n:,}{end}."


def note_of_all(models: Sequence[Studied], more: str = "95 % bootstrap intervals", n: int | None = None) -> str:
    """The caption line of a figure of all models."""
    line = note(models[0], more, n)
    return line if len(models) == 1 else f"{len(models)} models, one seed each; {line.split('; ', 1)[1]}"


def differences(models: Sequence[Studied]) -> list[dict]:
    """`comparison.compare` over all models whose stored predictions are of the same test images."""
    ids = models[0].test["ids"]
    same = [model for model in models if np.array_equal(model.test["ids"], ids)]
    counted = models[0].test["labels"] >= 0
    right = {model.name: (model.test["probabilities"].argmax(1) == model.test["labels"])[counted] for model in same}
    return compare(right)
