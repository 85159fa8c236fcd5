"""Stored scores of a published model, and the same computed again from its weights."""

import numpy as np

from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.publishing.splits import same_data, score_test, score_valid
from ferlib.publishing.store import published_metrics, published_predictions, summarise

_PARTS = (("leak_free", "leak-free"), ("leaked", "leaked"))


def evaluate_model(name: str | None, split: str, *, recompute: bool = False) -> dict:
    """Scores of a published model on ``"valid"`` or ``"test"``, with what they were measured on.

    The keys of `Scores.to_dict` are those of all images; ``leak_free`` and ``leaked`` hold the same for those parts.
    They come from the stored predictions, which need no data. With `recompute` the shipped weights are run again on
    the data set, and ``max_difference`` says how far any probability is from the stored one.

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
        same_data(metrics["run"]["data_hash"], f"{name} was published with")
        classifier = load_classifier(name, engine="torch")
        again, _ = score_test(classifier) if split == "test" else score_valid(classifier)
        difference = float(np.abs(again["probabilities"] - predictions["probabilities"]).max())
        about |= {"source": "recomputed", "max_difference": difference}
        predictions = again
    parts = summarise(predictions)
    return {**about, **parts.pop("all"), **parts}


def render_evaluation(result: dict) -> str:
    """`evaluate_model`'s result as a few lines for people."""
    head = f"{result['model']} (seed {result['seed']}) on {result['split']}: {result['protocol']}; {result['source']}"
    if "max_difference" in result:
        head += f", at most {result['max_difference']:.1e} from the stored probabilities"
    parts = [_line(title, result[part]) for part, title in _PARTS if part in result]
    return "\n".join([head, _line("all images", result), *parts])


def _line(title: str, scores: dict) -> str:
    low, high = scores["accuracy_interval"]
    f_low, f_high = scores["macro_f1_interval"]
    return (
        f"  {title:<11} n = {scores['n']:>5,}   accuracy {scores['accuracy']:.2%} "
        f"(95 % {low:.2%} to {high:.2%})   macro-F1 {scores['macro_f1']:.3f} ({f_low:.3f} to {f_high:.3f})"
    )
