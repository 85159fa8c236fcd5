"""The files around the package that people and services read: citation, hooks, API page, prose and its links."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

from ferlib import paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (paths.ROOT / "Makefile").read_text()
README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md", "docs/EXPERIMENTS.md", "notebooks/README.md",
    "notebooks/GLOSSARY.md", "data/README.md", "ferlib/weights/MODEL_CARD.md",
    *(f"notebooks/{path.name}" for path in sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))),
)  # fmt: skip

TERMS = (
    "mcnemar", "holm", "kappa", "top-2", "macro-f1", "balanced accuracy", "kullback-leibler", "confident learning",
    "equalis", "layer scale", "batch norm", "dropout", "depthwise", "hungarian", "grad-cam", "temperature",
    "calibration", "bootstrap", "hysteresis", "stem", "distillation", "precision-recall", "onnx", "mtcnn", "landmark",
    "augmentation", "learning rate", "cross-entropy", "protocol", "entropy", "perceptual hash",
)  # fmt: skip


def test_the_citation_agrees_with_the_package():
    cited = yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])
    assert {"title", "message", "authors", "type"} <= set(cited)
    notes = [reference["notes"].split(",")[0] for reference in cited["references"]]
    assert notes == ["FER2013", "FER+", "ConvNeXt", "dlib", "MTCNN"]


def test_the_hooks_are_local_and_run_what_make_installs():
    hooks = yaml.safe_load((paths.ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
        for name in re.findall(r"tests/\S+", hook["entry"]):
            assert (paths.ROOT / name).exists(), name


@pytest.mark.slow
def test_the_api_page_is_made_from_docstrings(tmp_path):
    pytest.importorskip("pdoc", reason="the extra dev is not installed")
    recipe = re.search(r"^api:.*\n\t\$\(BIN\)/pdoc (.*) ferlib$", MAKEFILE, flags=re.MULTILINE)[1]
    assert "--output-directory build/" in recipe  # which git ignores
    options = recipe.replace("build/api", str(tmp_path)).split()
    command = [sys.executable, "-m", "pdoc", *options, "ferlib.data.labels", "ferlib.errors"]
    done = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Something the user can put right." in (tmp_path / "ferlib" / "errors.html").read_text(encoding="utf-8")


def test_what_the_glossary_names_exists():
    text = (paths.NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8")
    modules = set(re.findall(r"`ferlib\.([a-z_.]+)`", text))
    assert len(modules) >= 8
    assert [name for name in modules if not (paths.ROOT / "ferlib" / f"{name.replace('.', '/')}.py").is_file()] == []


def test_the_glossary_has_the_notebooks_words():
    """Terms of the trade that the notebooks' prose uses."""
    glossary = (paths.NOTEBOOKS / "GLOSSARY.md").read_text(encoding="utf-8").lower()
    prose = " ".join(
        cell.source.lower()
        for path in paths.NOTEBOOKS.glob("0*.ipynb")
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    used = [term for term in TERMS if term in " ".join(prose.split())]
    assert len(used) >= 20
    assert [term for term in used if term not in " ".join(glossary.split())] == []


@pytest.mark.parametrize("card", ["data/README.md", "ferlib/weights/MODEL_CARD.md"])
def test_the_cards_have_the_common_headings(card):
    text = (paths.ROOT / card).read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert {"license", "tags"} <= set(front)
    headings = set(re.findall(r"^## (.+)$", text, flags=re.MULTILINE))
    shared = {"Uses", "Bias, Risks, and Limitations", "Citation"}
    own = {"Dataset Details", "Dataset Structure", "Dataset Creation"}
    if "MODEL_CARD" in card:
        own = {"Model Details", "Training Details", "Evaluation", "How to Get Started with the Model"}
    assert shared | own <= headings


def prose_of(path: Path) -> str:
    """The Markdown of a page, or of a notebook's cells, without its code blocks."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """What a link may name after #: each heading as GitHub writes it, and explicit anchors."""
    text = prose_of(path)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = paths.ROOT / page
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose_of(path)):
        name, _, anchor = target.partition("#")
        other = path.parent / name if name else path
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])  # it names old paths as well
def test_modules_that_prose_names_exist(page):
    text = prose_of(paths.ROOT / page)
    named = re.findall(r"`((?:ferlib|tests|tools)/[a-z0-9_/.]*)`", text)
    modules = re.findall(r"`ferlib((?:\.[a-z_]+)+)[`(]", text)
    files = [paths.ROOT / name for name in named]
    assert [str(path) for path in files if not path.exists()] == []
    assert [name for name in modules if not is_importable(name)] == []


def is_importable(name: str) -> bool:
    """Whether `name`, such as ``.data.votes`` or ``.live.tracking.Tracker``, is a module of ferlib or stands in one."""
    parts = name.strip(".").split(".")
    place = paths.ROOT / "ferlib"
    for number, part in enumerate(parts):
        if (place / part).is_dir():
            place = place / part
            continue
        module = place / f"{part}.py"
        last = parts[number + 1 :]
        if not module.is_file():
            module, last = place / "__init__.py", parts[number:]
        return all(re.search(rf"\b{word}\b", module.read_text(encoding="utf-8")) for word in last)
    return True


def test_the_readme_has_a_line_for_each_room():
    (tree,) = re.findall(r"^notebooks/ .*?^tools/ ", README, flags=re.MULTILINE | re.DOTALL)
    package = tree.split("\nferlib/ ")[1].split("\ndata/\n")[0]
    lines = re.findall(r"^  ([a-z_]+(?:/|\.py)) +\S", package, flags=re.MULTILINE)
    folders = [f"{path.parent.name}/" for path in (paths.ROOT / "ferlib").glob("*/__init__.py")]
    modules = [path.name for path in (paths.ROOT / "ferlib").glob("*.py") if not path.name.startswith("_")]
    assert sorted(set(lines) - {"weights/"}) == sorted(folders + modules)  # weights/ holds data, no module
    assert len(lines) == len(set(lines))


def test_the_changelog_goes_by_version():
    text = (paths.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert PROJECT["version"] in versions
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_experiments_have_dates_with_the_newest_first():
    text = (paths.ROOT / "docs" / "EXPERIMENTS.md").read_text(encoding="utf-8")
    days = re.findall(r"^## (\d{4}-\d{2}-\d{2})$", text, flags=re.MULTILINE)
    assert len(days) >= 3
    assert days == sorted(set(days), reverse=True)


def test_each_page_of_the_documentation_is_listed():
    listed = set(re.findall(r"\]\(([^)#]+)", (paths.ROOT / "docs" / "README.md").read_text(encoding="utf-8")))
    pages = {path.relative_to(paths.ROOT / "docs").as_posix() for path in (paths.ROOT / "docs").rglob("*.md")}
    assert pages - listed == {"README.md"}
