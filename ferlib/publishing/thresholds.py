"""The "not sure" threshold of a studied model, chosen again from its stored predictions: no image is read.

``python -m ferlib.publishing.thresholds`` does it for every studied model, after a change of the rule.
"""

import json
from collections.abc import Mapping

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation import calibration
from ferlib.evaluation.reading import TwoAnswers, choose_reading
from ferlib.files import write_json
from ferlib.models import checkpoints
from ferlib.publishing import store


def fit_threshold(probabilities: np.ndarray, labels: np.ndarray, temperature: float, risk: float) -> float:
    """Choose the threshold of a model from its predictions on valid.

    Args:
        probabilities: (N, 8) of temperature 1.
        labels: (N,) majority labels, -1 for none.
        temperature: temperature of the model.
        risk: as `calibration.choose_threshold` takes it.

    Raises:
        FerlibError: no threshold gives so few wrong answers.
    """
    confidence, right = calibration.confidence_and_right(probabilities, labels, temperature)
    return calibration.choose_threshold(confidence, right, risk)


def fit_reading(predictions: Mapping[str, np.ndarray], temperature: float, risk: float) -> dict | None:
    """Choose how a model's answers to both questions are read, from its predictions on valid.

    Args:
        predictions: arrays as in `splits.Split.predictions`.
        temperature: temperature of "seen".
        risk: as `calibration.choose_threshold` takes it.

    Returns:
        What `reading.choose_reading` returns; None for a model that answers "seen" alone.

    Raises:
        FerlibError: no threshold gives so few wrong answers.
    """
    if "meant_probabilities" not in predictions:
        return None
    names = ("probabilities", "meant_probabilities", "labels", "meant_labels")
    return choose_reading(TwoAnswers(*(predictions[name] for name in names)), temperature, risk)


def reading_entries(reading: dict | None) -> dict:
    """Select the entries of the sidecar from what `fit_reading` returns.

    Args:
        reading: the choices; None for a model that answers "seen" alone.
    """
    return {name: value for name, value in (reading or {}).items() if name != "shares"}


def choose_again(name: str) -> dict:
    """Choose a studied model's thresholds again; temperature of "seen", risk and all other measures stay.

    The threshold comes from the stored predictions on valid. It goes into the sidecar, then into ``study.json``, where
    the scores of the answers above it are computed again from the stored predictions of both splits.

    Args:
        name: name of the model.

    Returns:
        The content of ``study.json``.

    Raises:
        FerlibError: there is no study, or it is of other weights than the shipped ones.
    """
    path = paths.PUBLISHED / name / "study.json"
    if not path.is_file():
        raise FerlibError(f"there is no study of {name!r}; 'ferlib study {name}' writes one.")
    study = json.loads(path.read_text(encoding="utf-8"))
    if checkpoints.describe(name)[0]["weights_sha256"] != study["about"]["weights_sha256"]:
        raise FerlibError(f"the study of {name!r} is of other weights than the shipped ones; make it again.")
    chosen, predictions = study["chosen_on_valid"], store.published_predictions(name, "valid")
    threshold = fit_threshold(
        predictions["probabilities"], predictions["labels"], chosen["temperature"], chosen["risk"]
    )
    chosen |= {"threshold": threshold, "level": calibration.LEVEL}
    if reading := fit_reading(predictions, chosen["temperature"], chosen["risk"]):
        chosen["reading"] = reading
    for split in ("valid", "test"):
        predictions = store.published_predictions(name, split)
        confidence, right = calibration.confidence_and_right(
            predictions["probabilities"], predictions["labels"], chosen["temperature"]
        )
        answers = calibration.selective(confidence, right, confidence >= threshold)
        study[split]["abstention"]["at_threshold"] = {"threshold": threshold, **answers}
    checkpoints.update_sidecar(
        name, threshold=threshold, threshold_level=calibration.LEVEL, **reading_entries(chosen.get("reading"))
    )
    write_json(path, study)
    return study


def main() -> None:
    """Choose the threshold of every studied model again and print what it gives."""
    for path in sorted(paths.PUBLISHED.glob("*/study.json")):
        study = choose_again(path.parent.name)
        for split in ("valid", "test"):
            answers = study[split]["abstention"]["at_threshold"]
            print(
                f"{path.parent.name}, {split}: not sure below {answers['threshold']:.3f}, answered "
                f"{answers['coverage']:.1%}, of these wrong {1 - answers['accuracy']:.1%}"
            )


if __name__ == "__main__":
    main()
