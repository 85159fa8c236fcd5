"""Numbers into the README and the cards: from `data/published` to the text between two markers, never by hand.

``python -m ferlib.report.readme`` rewrites them; a test fails when a page is out of date.
"""

from pathlib import Path

from ferlib import paths
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.files import atomic_path
from ferlib.publishing import ledger
from ferlib.report import readme_tables
from ferlib.report.speeds import speed_markdown


def official_runs() -> list[dict]:
    """``metrics.json`` of every run published on the official data."""
    runs = [readme_tables.read_json(path) for path in sorted(paths.PUBLISHED.glob("*/metrics.json"))]
    return [run for run in runs if run["run"]["data_hash"] in OFFICIAL_HASHES]


def official_results() -> list[dict]:
    """``metrics.json`` of every model published on the official data, the best on valid last.

    Without the cleaning a run has seen images of valid and test, and an ablation, which has no scores on test, only
    compares: neither is a result.
    """
    results = [run for run in official_runs() if run["config"]["clean"] and "test" in run]
    return sorted(results, key=lambda run: run["valid"]["all"]["accuracy"])


def fill_block(text: str, name: str, content: str) -> str:
    """Replace the text between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``.

    Args:
        text: text of a page.
        name: name of the block.
        content: the new text.

    Raises:
        FerlibError: a marker is missing, doubled, or out of order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise FerlibError(f"the markers {begin} and {end} must each stand once, in this order; put them back.")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{content}\n{end}{rest.split(end)[1]}"


def updated_pages() -> dict[Path, str]:
    """Up-to-date text of each page that holds generated numbers."""
    metrics, check = official_results(), readme_tables.read_json(paths.PUBLISHED / "data_check.json")
    reads = ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME)
    results = f"{readme_tables.results_markdown(metrics)}\n\n{readme_tables.reads_markdown(reads)}"
    live, camera, train = (
        readme_tables.read_json(paths.PUBLISHED / f"bench_{name}.json") for name in ("live", "camera", "train")
    )
    blocks = {
        paths.ROOT / "README.md": {"results": results, "speed": speed_markdown(live, camera, train)},
        paths.WEIGHTS / "MODEL_CARD.md": {
            "models": readme_tables.models_markdown(metrics),
            "results": results,
            "classes": readme_tables.classes_markdown(metrics),
            "confidence": readme_tables.confidence_markdown(),
            "hours": readme_tables.hours_markdown(official_runs()),
        },
        paths.DATA / "README.md": {
            "counts": readme_tables.counts_markdown(check),
            "emotions": readme_tables.emotions_markdown(check),
            "leaks": readme_tables.leaks_markdown(check),
        },
    }
    texts = {}
    for path, contents in blocks.items():
        text = path.read_text(encoding="utf-8")
        for name, content in contents.items():
            text = fill_block(text, name, content)
        texts[path] = text
    return texts


def main() -> None:
    """Rewrite the pages."""
    for path, text in updated_pages().items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"written: {paths.relative(path)}")


if __name__ == "__main__":
    main()
