"""Ablations and pilots help to choose, so no page quotes their scores on the test split."""

import re

import nbformat
import pytest

from ferlib import paths

PAGES = [
    *(paths.ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted(paths.ROOT.glob("docs/**/*.md")), *sorted(paths.NOTEBOOKS.glob("*.md")), paths.WEIGHTS / "MODEL_CARD.md",
]  # fmt: skip

HELPS_TO_CHOOSE = re.compile(r"ablation|pilot|not published", re.IGNORECASE)
SCORE = r"\d+\.\d+(?: (?:%|points?))?(?: \([^)]*\))?"
ON_TEST = re.compile(rf"{SCORE} (?:of|on) test|(?:of|on) test[^.|]{{0,60}}? {SCORE}", re.IGNORECASE)
LEDGER = "Reads of the test split so far"


def paragraphs(text):
    """(headings above, paragraph) of a Markdown text; an item of a list and a row of a table are paragraphs."""
    headings = {}
    for block in re.split(r"\n\s*\n|\n(?=[-|] ?)", text):
        if block.startswith("#"):
            first, *rest = block.split("\n", 1)
            level = len(first) - len(first.lstrip("#"))
            headings = {depth: title for depth, title in headings.items() if depth < level} | {level: first}
            block = "".join(rest)
        yield " ".join(headings.values()), " ".join(block.split())


def quotes(text):
    """Paragraphs about ablations or pilots that hold a score on test."""
    return [
        paragraph
        for headings, paragraph in paragraphs(text)
        if HELPS_TO_CHOOSE.search(f"{headings} {paragraph}") and ON_TEST.search(paragraph)
        if not paragraph.startswith(LEDGER)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_no_page_quotes_test_of_an_ablation_or_a_pilot(page):
    assert quotes(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("notebook", sorted(paths.NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_quotes_test_of_an_ablation_or_a_pilot(notebook):
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert quotes(cell.source) == []
            continue
        for output in cell.get("outputs", []):
            shown = "".join(output.get("data", {}).get("text/plain", "")) + output.get("text", "")
            if "ablation" in cell.source + shown:
                assert not re.search(r"\btest\b", shown)


@pytest.mark.parametrize(
    "text",
    [
        "The ablation has 83.9 % of test.",
        "## Pilots\n\nSome text.\n\n- one: 82.0 % on valid and 81.25 % (80.1 to 82.3) on test",
        "`ablation_base` on test: 81.89 %",
        "A run that is not published has a macro-F1 on test of 0.561.",
        "# Pilots\n\n## Lite\n\nIt gains 0.5 points on test.",
    ],
)
def test_the_search_itself_finds(text):
    assert quotes(text)


@pytest.mark.parametrize(
    "text",
    [
        "The ablation has 83.9 % of valid. Test was not read.",
        "## Pilots\n\n80.0 % of valid.\n\n## The model\n\nIt has 86.45 % of test.",
        "- an ablation\n- `convnext`: 86.45 % of test",
    ],
)
def test_the_search_itself_passes_over(text):
    assert quotes(text) == []
