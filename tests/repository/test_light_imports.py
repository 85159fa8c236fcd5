"""What is imported without the packages that only training needs, and what prediction leaves alone."""

import ast
import subprocess
import sys

import nbformat
import pytest

from ferlib import paths

TRAINING = (
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "safetensors",
    "onnx",
    "captum",
    "cleanlab",
    "facenet_pytorch",
)
HEAVY = ("torch", "timm", "matplotlib", "sklearn", "pandas")
ENTRIES = (
    "ferlib.cli.main", "ferlib.pipeline", "ferlib.scoring.pictures", "ferlib.live.session", "ferlib.apps.jupyter.demo",
)  # fmt: skip
PREDICTION = (
    "ferlib.pipeline", "ferlib.scoring.pictures", "ferlib.scoring.video", "ferlib.cli.predict", "ferlib.annotate.boxes",
    "ferlib.live.session", "ferlib.inference.loading", "ferlib.faces.detector",
)  # fmt: skip

# A finder, not None in sys.modules: SciPy takes a key "torch" there for the imported package.
HIDDEN = f"""\
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter; its last line of error fails the test."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=paths.ROOT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def notebook_imports() -> list[str]:
    """Import statements of all notebooks, each once."""
    statements = {}
    for path in sorted(paths.NOTEBOOKS.glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                nodes = ast.walk(ast.parse(cell.source))
                imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
                statements |= {ast.unparse(node): path.stem for node in imports}
    return list(statements)


def test_the_training_packages_are_hidden():
    with pytest.raises(AssertionError, match="No module named 'torch'"):
        run_python(f"{HIDDEN}\nimport torch")


@pytest.mark.slow
def test_notebooks_and_applications_import_without_the_training_packages():
    statements = notebook_imports()
    assert any("ferlib.report" in statement for statement in statements)
    run_python("\n".join([HIDDEN, *statements, *(f"import {module}" for module in ENTRIES)]))


@pytest.mark.slow
def test_prediction_imports_nothing_heavy():
    code = "\n".join(["import sys", *(f"import {module}" for module in PREDICTION), "print(*sys.modules)"])
    assert set(run_python(code).split()) & set(HEAVY) == set()


@pytest.mark.slow
def test_pictures_and_cameras_need_no_package_of_videos():
    modules = (
        "ferlib.cli.predict",
        "ferlib.cli.demo",
        "ferlib.scoring.pictures",
        "ferlib.live.session",
        "ferlib.live.sources",
    )
    code = "\n".join(["import sys", *(f"import {module}" for module in modules), "print(*sys.modules)"])
    assert "av" not in run_python(code).split()
