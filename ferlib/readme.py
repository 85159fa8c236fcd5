"""Numbers into the README and the cards: from `data/published` to the text between two markers, never by hand.

``python -m ferlib.readme`` rewrites them; a test fails when a page is out of date.
"""

import json
from pathlib import Path

from ferlib import paths
from ferlib.data.check import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.learning import anchors

_SPLITS = ("valid", "test")


def load_metrics() -> list[dict]:
    """``metrics.json`` of every model published on the official data, the best on valid last."""
    files = sorted(paths.PUBLISHED.glob("*/metrics.json"))
    found = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    found = [metrics for metrics in found if metrics["run"]["data_hash"] in OFFICIAL_HASHES]
    return sorted(found, key=lambda metrics: metrics["valid"]["all"]["accuracy"])


def results_table(metrics: list[dict]) -> str:
    """Markdown: one row a model, accuracy with its 95 % interval on valid, test and leak-free test, and macro-F1."""
    if not metrics:
        return "No model is published yet."
    lines = [
        "| model (seed) | valid | **test** | test, leak-free | test macro-F1 | the student project, valid | training |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(one) for one in metrics]
    counts = {split: metrics[-1][split]["all"]["n"] for split in _SPLITS}
    free = metrics[-1]["test"].get("leak_free", {}).get("n", 0)
    lines += [
        "",
        f"Accuracy in percent with its 95 % bootstrap interval. {metrics[-1]['protocol']}; n = {counts['valid']:,} "
        f"(valid), {counts['test']:,} (test), {free:,} (test images that have no copy in another split). Trained on "
        "the cleaned training split, epoch chosen on valid, one forward pass, test read once.",
    ]
    return "\n".join(lines)


def class_table(metrics: dict, split: str = "test") -> str:
    """Markdown: precision, recall, F1 and number of images of each class."""
    lines = ["| emotion | precision | recall | F1 | images |", "|---|---:|---:|---:|---:|"]
    for emotion, row in metrics[split]["all"]["per_class"].items():
        cells = ["–" if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        lines.append(f"| {emotion} | {' | '.join(cells)} | {row['support']:,} |")
    return "\n".join(lines)


def fill(text: str, name: str, content: str) -> str:
    """`text` with what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` replaced."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise FerlibError(f"the markers {begin} and {end} must each stand once; put them back.")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def pages() -> dict[Path, str]:
    """Each page that holds generated numbers, with its up-to-date text."""
    metrics = load_metrics()
    from ferlib.learning.checkpoints import DEFAULT_MODEL

    shipped = [one for one in metrics if one["model"] == DEFAULT_MODEL]
    readme, card = paths.ROOT / "README.md", paths.CHECKPOINTS / "README.md"
    results = results_table(metrics)
    texts = {readme: fill(readme.read_text(encoding="utf-8"), "results", results)}
    card_text = fill(card.read_text(encoding="utf-8"), "results", results)
    texts[card] = fill(card_text, "classes", class_table(shipped[0]) if shipped else "No model is published yet.")
    return texts


def main() -> None:
    """Rewrite the pages."""
    for path, text in pages().items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"written: {paths.relative(path)}")


def _row(metrics: dict) -> str:
    valid, test = (metrics[split]["all"] for split in _SPLITS)
    free = metrics["test"].get("leak_free")
    hours = metrics["run"]["seconds"] / 3600
    theirs = anchors.study(metrics["model"])
    study = "–" if theirs is None else f"{theirs:.0%}".replace("%", " %")
    f_low, f_high = test["macro_f1_interval"]
    return (
        f"| {metrics['model']} ({metrics['config']['seed']}) | {_accuracy(valid)} | **{_accuracy(test)}** | "
        f"{_accuracy(free) if free else '–'} | {test['macro_f1']:.3f} ({f_low:.3f}–{f_high:.3f}) | {study} | "
        f"{metrics['config']['epochs']} epochs, {hours:.1f} h on {metrics['run']['cores']} cores |"
    )


def _accuracy(scores: dict) -> str:
    low, high = scores["accuracy_interval"]
    return f"{100 * scores['accuracy']:.2f} ({100 * low:.1f}–{100 * high:.1f})"


if __name__ == "__main__":
    main()
