"""Numbers into the README and the cards: from `data/published` to the text between two markers, never by hand.

``python -m ferlib.report.readme`` rewrites them; a test fails when a page is out of date.
"""

from pathlib import Path

from ferlib import paths
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.report import readme_tables as markdown
from ferlib.training.recipes import ABLATIONS


def load_runs() -> list[dict]:
    """``metrics.json`` of every run published on the official data."""
    found = [markdown.read(path) for path in sorted(paths.PUBLISHED.glob("*/metrics.json"))]
    return [one for one in found if one["run"]["data_hash"] in OFFICIAL_HASHES]


def load_metrics() -> list[dict]:
    """``metrics.json`` of every model published on the official data, the best on valid last.

    Without the cleaning a run has seen images of valid and test, and an ablation only compares: neither is a result.
    """
    found = [one for one in load_runs() if one["config"]["clean"] and one["model"].split("-seed")[0] not in ABLATIONS]
    return sorted(found, key=lambda metrics: metrics["valid"]["all"]["accuracy"])


def fill(text: str, name: str, content: str) -> str:
    """`text` with what stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->`` replaced."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise FerlibError(f"the markers {begin} and {end} must each stand once, in this order; put them back.")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def pages() -> dict[Path, str]:
    """Each page that holds generated numbers, with its up-to-date text."""
    metrics, check = load_metrics(), markdown.read(paths.PUBLISHED / "data_check.json")
    results = markdown.results_table(metrics)
    measured = (markdown.read(paths.PUBLISHED / f"bench_{name}.json") for name in ("live", "camera", "train"))
    speed = markdown.speed_table(*measured)
    blocks = {
        paths.ROOT / "README.md": {"results": results, "speed": speed},
        paths.CHECKPOINTS / "README.md": {
            "models": markdown.model_table(metrics), "results": results, "classes": markdown.class_tables(metrics),
            "confidence": markdown.confidence_table(), "hours": markdown.hours_of_training(load_runs()),
        },
        paths.DATA / "README.md": {
            "counts": markdown.count_table(check), "emotions": markdown.emotion_table(check),
            "leaks": markdown.leak_table(check),
        },
    }  # fmt: skip
    texts = {}
    for path, named in blocks.items():
        text = path.read_text(encoding="utf-8")
        for name, content in named.items():
            text = fill(text, name, content)
        texts[path] = text
    return texts


def main() -> None:
    """Rewrite the pages."""
    for path, text in pages().items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"written: {paths.relative(path)}")


if __name__ == "__main__":
    main()
