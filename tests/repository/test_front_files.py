"""The files around the package that people and services read: citation, hooks, API page, glossary."""

import re
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml

from ferlib import paths

PROJECT = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (paths.ROOT / "Makefile").read_text()

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
    notes = [one["notes"].split(",")[0] for one in cited["references"]]
    assert notes == ["FER2013", "FER+", "ConvNeXt", "dlib", "MTCNN"]


def test_the_hooks_are_local_and_run_what_make_installs():
    hooks = yaml.safe_load((paths.ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    for hook in hooks["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")


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


@pytest.mark.parametrize("card", ["data/README.md", "data/checkpoints/README.md"])
def test_the_cards_have_the_common_headings(card):
    text = (paths.ROOT / card).read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert {"license", "tags"} <= set(front)
    headings = set(re.findall(r"^## (.+)$", text, flags=re.MULTILINE))
    shared = {"Uses", "Bias, Risks, and Limitations", "Citation"}
    own = {"Dataset Details", "Dataset Structure", "Dataset Creation"}
    if "checkpoints" in card:
        own = {"Model Details", "Training Details", "Evaluation", "How to Get Started with the Model"}
    assert shared | own <= headings
