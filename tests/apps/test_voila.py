from types import SimpleNamespace

import nbformat
import pytest

from ferlib import paths
from ferlib.apps.jupyter import voila
from ferlib.errors import FerlibError


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(paths.NOTEBOOKS / voila.NOTEBOOK, as_version=4)


def test_the_application_is_the_tagged_part_of_the_notebook(notebook):
    application = voila.app_notebook(notebook)
    nbformat.validate(application)
    assert [cell.id for cell in application.cells] == ["title", "imports", "parameters", "derived", "camera"]
    assert "print(" not in "".join(cell.source for cell in application.cells)  # the page shows the demo alone


def test_the_application_runs_in_the_order_of_its_cells(notebook, monkeypatch):
    names, pipeline = {}, SimpleNamespace(threshold=0.6)
    monkeypatch.setattr("ferlib.load_pipeline", lambda model: pipeline)
    monkeypatch.setattr("ferlib.apps.jupyter.demo.LiveDemo", lambda *given: given)
    for cell in voila.app_notebook(notebook, "none").cells[1:]:
        exec(cell.source, names)
    assert names["demo"] == (None, pipeline, names["settings"])
    assert names["settings"].threshold == 0.6


def test_another_source_replaces_the_parameter(notebook):
    cells = [cell.source for cell in voila.app_notebook(notebook, "it's.mp4").cells]
    assert cells[3] == 'SOURCE = "it\'s.mp4"'
    assert cells[2].startswith("SOURCE = ")


def test_a_notebook_without_the_tag_is_refused():
    with pytest.raises(FerlibError, match="no cells tagged"):
        voila.app_notebook(nbformat.v4.new_notebook())


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("pc", False),
    ],
)
def test_a_token_is_asked_for_wherever_others_could_come(address, own):
    assert voila.is_this_machine(address) == own
    settings = voila.configuration(address, 8866, None, dark=True, browser=False)
    assert settings.Voila.auto_token == (not own)
    assert (settings.Voila.ip, settings.VoilaConfiguration.theme) == (address, "dark")


def test_the_hook_gives_voila_the_reduced_notebook(notebook):
    hook = voila.configuration("127.0.0.1", 8866, "none", dark=False, browser=False).VoilaConfiguration.prelaunch_hook
    assert hook(None, notebook=notebook, cwd="")["cells"][3].source == "SOURCE = 'none'"


@pytest.mark.slow
def test_a_missing_notebook_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path)
    with pytest.raises(FerlibError, match="check out the whole repository"):
        voila.serve(browser=False)
