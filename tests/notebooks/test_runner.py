import base64
import io
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbformat.v4 import new_code_cell, new_notebook, new_output
from notebook_files import add, settings
from PIL import Image

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.notebooks import outputs, runner

WRITES = """\
from pathlib import Path
out = Path("..") / RESULTS_DIR
out.mkdir(parents=True, exist_ok=True)
print(len(list(out.iterdir())), "files before")
(out / "{stem}.txt").write_text(f"{{EPOCHS}} {{DATA}} {{Path.cwd().name}}")"""


def png(pixels: np.ndarray) -> str:
    """In base64, as notebooks store pictures."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("common: {EPOCH: 1}", "section 'common': EPOCH is no parameter"),
        ("01_first: {epochs: 1}", "section '01_first': epochs is no parameter"),
        ("01_frist: {EPOCHS: 1}", "section '01_frist', but there is no such notebook"),
        ("common: {EPOCHS: 1}", "must set RESULTS_DIR of 01_first to a folder under data/runs"),
        ("common: {RESULTS_DIR: data/runs}", "must set RESULTS_DIR"),
        ("common: {RESULTS_DIR: data/runs/../published}", "must set RESULTS_DIR"),
        ("common: {EPOCHS: [}", "is not YAML"),
        ("common: 3", "must hold 'common:'"),
        ("- EPOCHS", "must hold 'common:'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_runs(project, text, message):
    add(project, "01_first")
    settings(project, text)
    with pytest.raises(FerlibError, match=message):
        runner.run_notebooks("smoke")
    assert not paths.RUNS.exists()


def test_unknown_profile_and_notebook_are_refused(project):
    add(project, "01_first")
    with pytest.raises(FerlibError, match="no profile 'fast'; choose from published, smoke, full"):
        runner.run_notebooks("fast")
    with pytest.raises(FerlibError, match="no notebook '02_second'; choose from 01_first"):
        runner.run_notebooks("published", ["02_second"])


@pytest.mark.notebooks
def test_a_smoke_run_chains_the_notebooks_away_from_the_published_results(project, capsys):
    originals = [add(project, stem, WRITES.format(stem=stem)) for stem in ("01_first", "02_second")]
    before = [path.read_bytes() for path in originals]
    settings(project, "common: {EPOCHS: 1, DATA: drawn, RESULTS_DIR: data/runs/s}")
    stale = project / "data" / "runs" / "s" / "stale.txt"
    stale.parent.mkdir(parents=True)
    stale.write_text("of an earlier run")
    copies = runner.run_notebooks("smoke")
    assert [path.relative_to(project).as_posix() for path in copies] == [
        "data/runs/notebooks/smoke/01_first.ipynb",
        "data/runs/notebooks/smoke/02_second.ipynb",
    ]
    printed = [nbformat.read(copy, as_version=4).cells[-1].outputs[0].text for copy in copies]
    assert printed == ["0 files before\n", "1 files before\n"]  # the second finds what the first wrote, and no more
    assert (stale.parent / "02_second.txt").read_text() == "1 drawn notebooks"
    assert not (project / "data" / "published").exists()
    assert [path.read_bytes() for path in originals] == before
    assert "02_second: smoke run in" in capsys.readouterr().out


@pytest.mark.notebooks
def test_the_first_failing_notebook_stops_the_run(project):
    add(project, "01_first", "x = 1", 'raise ValueError("line one\\nthe last line.")')
    add(project, "02_second", "import time; time.sleep(2)")  # begun together with the first
    add(project, "03_third")
    sentence = (
        r"^01_first stopped in cell step-2 \(In \[3\]\): ValueError: the last line; "
        r"the traceback is in data/runs/notebooks/published/01_first.ipynb\.$"
    )
    with pytest.raises(FerlibError, match=sentence):
        runner.run_notebooks("published")
    copies = sorted(path.name for path in (paths.RUNS / "notebooks" / "published").iterdir())
    assert copies == ["01_first.ipynb", "02_second.ipynb"]


@pytest.mark.notebooks
def test_published_notebooks_run_two_at_a_time(project):
    meet = """\
import time
from pathlib import Path
Path("{stem}").touch()
for _ in range(600):
    if len(list(Path(".").glob("[12]"))) == 2:
        break
    time.sleep(0.1)
else:
    raise TimeoutError("the other notebook never ran")"""
    add(project, "01_first", meet.format(stem="1"))
    add(project, "02_second", meet.format(stem="2"))
    add(project, "03_third", "EPOCHS")
    copies = runner.run_notebooks("published")
    assert [path.name for path in copies] == ["01_first.ipynb", "02_second.ipynb", "03_third.ipynb"]
    assert all(path.is_file() for path in copies)


@pytest.mark.notebooks
def test_a_cell_without_end_is_stopped(project, monkeypatch):
    monkeypatch.setattr(runner, "CELL_SECONDS", 1)
    add(project, "01_first", "import time; time.sleep(60)")
    with pytest.raises(FerlibError, match=r"stopped in cell step-1 \(In \[2\]\): no end after 1 s; the traceback"):
        runner.run_notebooks("published")


@pytest.mark.notebooks
def test_a_dead_kernel_is_explained(project):
    add(project, "01_first", "import os; os._exit(1)")
    with pytest.raises(FerlibError, match=r"01_first stopped in .*: the kernel died, perhaps for want of memory"):
        runner.run_notebooks("published", ["01_first"], project / "elsewhere")


@pytest.mark.notebooks
def test_figures_are_kept_when_the_shell_sets_a_backend(project, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    add(project, "01_first", "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    (copy,) = runner.run_notebooks("published")
    assert "image/png" in nbformat.read(copy, as_version=4).cells[-1].outputs[-1].data


@pytest.mark.notebooks
def test_refresh_gives_the_same_bytes_each_time(project):
    noise = 'import sys\nprint("kept")\nprint("warned", file=sys.stderr)\nprint("too")\nEPOCHS'
    path = add(project, "01_first", noise)
    runner.refresh_notebooks()
    first = path.read_bytes()
    runner.refresh_notebooks(["01_first"])
    assert path.read_bytes() == first
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == ["title", "parameters", "step-1"]
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2]
    assert [cell.metadata for cell in notebook.cells] == [{}, {"tags": ["parameters"]}, {}]
    stream, value = notebook.cells[-1].outputs
    assert (stream.text, value.data["text/plain"]) == ("kept\ntoo\n", "20")


def test_copies_never_replace_the_notebooks(project):
    path = add(project, "01_first")
    before = path.read_bytes()
    with pytest.raises(FerlibError, match="copies would replace the notebooks themselves"):
        runner.run_notebooks("published", ["01_first"], path.parent)
    assert path.read_bytes() == before


def test_a_kernel_that_does_not_start_is_explained(project, monkeypatch):
    add(project, "01_first")

    def never(*_, **__):
        raise RuntimeError("Kernel didn't respond in 60 seconds")

    monkeypatch.setattr(runner.NotebookClient, "execute", never)
    monkeypatch.setattr(runner.papermill, "execute_notebook", never)
    for start in (runner.refresh_notebooks, lambda: runner.run_notebooks("published", out_dir=project / "elsewhere")):
        with pytest.raises(FerlibError, match=r"01_first: the kernel did not start \(.*60 seconds\); close other"):
            start()


@pytest.mark.notebooks
def test_refresh_leaves_a_failing_notebook_as_it_was(project):
    path = add(project, "01_first", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(FerlibError, match=r"step-1 .*ZeroDivisionError: division by zero; the notebook was left"):
        runner.refresh_notebooks()
    assert path.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir()) == ["01_first.ipynb", "params"]


def test_normalise_removes_what_differs_between_runs():
    cell = new_code_cell("x", id="x", execution_count=1, metadata={"papermill": {"duration": 1}, "execution": {}})
    cell.outputs = [
        new_output("stream", name="stdout", text="0%\r50%\r100%\na"),
        new_output("stream", name="stderr", text="warned"),
        new_output("stream", name="stdout", text="b\n"),
        new_output("display_data", data={outputs.WIDGET: {"model_id": "8f"}, "text/plain": "Box()"}),
        new_output(
            "display_data", data={"image/png": png(np.zeros((4, 4, 3), np.uint8))}, metadata={"image/png": {"width": 9}}
        ),
    ]
    messy = new_notebook(
        cells=[cell], metadata={"widgets": {}, "papermill": {}, "language_info": {"name": "x", "version": "3"}}
    )
    clean = outputs.normalise_notebook(messy)
    assert clean.metadata == {
        "kernelspec": {"display_name": "Python 3", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert clean.cells[0].metadata == {}
    text, image = clean.cells[0].outputs
    assert (text.name, text.text) == ("stdout", "100%\nab\n")
    assert image.metadata == {"image/png": {"width": 9}}
    assert messy.metadata.widgets == {}  # the argument is not changed
    assert len(messy.cells[0].outputs) == 5


def test_another_projects_kernel_is_refused(project, monkeypatch, tmp_path):
    add(project, "01_first")
    foreign = type("Spec", (), {"argv": [str(tmp_path / "bin" / "python")]})
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda *_: foreign)
    with pytest.raises(FerlibError, match=r"belongs to another Python .*ipykernel install --sys-prefix"):
        runner.run_notebooks("published")
    own = type("Spec", (), {"argv": [str(Path(sys.executable).parent / "python3.11")]})
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", lambda *_: own)
    runner._check_kernel()


def test_a_missing_kernel_is_explained(project, monkeypatch):
    def missing(*_):
        raise NoSuchKernel("python3")

    add(project, "01_first")
    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", missing)
    with pytest.raises(FerlibError, match="Jupyter has no kernel 'python3'; run 'python -m ipykernel install"):
        runner.refresh_notebooks()


def test_the_module_is_a_command(monkeypatch, capsys):
    called = []
    monkeypatch.setattr(runner, "run_notebooks", lambda profile, names: called.append((profile, names)))
    monkeypatch.setattr(runner, "refresh_notebooks", lambda names: called.append(("refresh", names)))
    assert runner.main(["smoke", "--only", "01_data_cleaning"]) == 0
    assert runner.main(["refresh"]) == 0
    assert called == [("smoke", ["01_data_cleaning"]), ("refresh", None)]

    def fail(*_):
        raise FerlibError("It broke; mend it.")

    monkeypatch.setattr(runner, "run_notebooks", fail)
    assert runner.main(["full"]) == 1
    assert capsys.readouterr().err == "ferlib: It broke; mend it.\n"

    def interrupt(profile, names):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_notebooks", interrupt)
    assert runner.main(["full"]) == 130
    assert capsys.readouterr().err == "ferlib: stopped.\n"


def test_normalise_shrinks_pictures_once():
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 4), dtype=np.uint8)
    picture = png(noise)
    notebook = new_notebook(
        cells=[new_code_cell("1", outputs=[new_output("display_data", data={"image/png": picture})])]
    )
    first = outputs.normalise_notebook(notebook).cells[0].outputs[0].data["image/png"]
    again = outputs.normalise_notebook(outputs.normalise_notebook(notebook)).cells[0].outputs[0].data["image/png"]
    assert len(first) < 0.5 * len(picture)
    assert again == first
    with Image.open(io.BytesIO(base64.b64decode(first))) as image:
        assert image.size == (60, 60)
