"""Stored scores of a published model, and the same computed again from its weights."""

import numpy as np

from ferlib.format import share_with_interval, with_interval
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.publishing.splits import open_same_data, score_test, score_valid
from ferlib.publishing.store import published_metrics, published_predictions, scores_by_part

_PART_TITLES = {"leak_free": "leak-free", "leaked": "leaked", "meant": "meant"}


def evaluate_model(name: str | None, split: str, *, recompute: bool = False) -> dict:
    """Score a published model on a split.

    The scores come from the stored predictions, which need no data, or from the model itself.

    Args:
        name: name of the model; None for the shipped default.
        split: ``"valid"`` or ``"test"``.
        recompute: whether to run the shipped weights on the data set again.

    Returns:
        `Scores.to_dict` of all images beside ``model``, ``split``, ``protocol``, ``seed`` and ``source``;
        ``leak_free`` and ``leaked`` hold the scores of these parts, ``meant`` those of the second question. With
        `recompute` also ``max_difference``, the largest difference of any probability from the stored one.

    Raises:
        FerlibError: no such published model, or `recompute` on other data than it was published with.
    """
    name = name or checkpoints.DEFAULT_MODEL
    metrics, predictions = published_metrics(name), published_predictions(name, split)
    about = {
        "model": name, "split": split, "protocol": metrics["protocol"], "seed": metrics["config"]["seed"],
        "source": "stored predictions",
    }  # fmt: skip
    if recompute:
        data_set = open_same_data(metrics["run"]["data_hash"], metrics["config"], f"{name} was published with")
        classifier = load_classifier(name, engine="torch")
        if split == "test":
            recomputed = score_test(classifier, data_set, purpose="check of the stored predictions").predictions
        else:
            recomputed = score_valid(classifier, data_set).predictions
        difference = float(np.abs(recomputed["probabilities"] - predictions["probabilities"]).max())
        about |= {"source": "recomputed", "max_difference": difference}
        predictions = recomputed
    parts = scores_by_part(predictions)
    return {**about, **parts.pop("all"), **parts}


def render_evaluation(result: dict) -> str:
    """Render the result of `evaluate_model` as a few lines for people."""
    head = f"{result['model']} (seed {result['seed']}) on {result['split']}: {result['protocol']}; {result['source']}"
    if "max_difference" in result:
        head += f", at most {result['max_difference']:.1e} from the stored probabilities"
    parts = [_score_line(title, result[part]) for part, title in _PART_TITLES.items() if part in result]
    return "\n".join([head, _score_line("all images", result), *parts])


def _score_line(title: str, scores: dict) -> str:
    accuracy = share_with_interval(scores["accuracy"], scores["accuracy_interval"])
    macro_f1 = with_interval(scores["macro_f1"], scores["macro_f1_interval"])
    return f"  {title:<11} n = {scores['n']:>5,}   accuracy {accuracy}   macro-F1 {macro_f1}"
