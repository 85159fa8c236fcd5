import nbformat
import pytest
from notebook_files import add, settings

from ferlib.errors import FerlibError
from ferlib.notebooks import profiles


def test_notebooks_are_found_by_their_number(project):
    for stem in ("02_second", "01_first", "scratch"):
        add(project, stem)
    assert [path.stem for path in profiles.discover_notebooks()] == ["01_first", "02_second"]


def test_no_notebooks_is_an_error(project):
    with pytest.raises(FerlibError, match="holds no NN_name"):
        profiles.discover_notebooks()


def test_common_parameters_go_where_they_exist_and_a_section_wins(project):
    add(project, "01_first")
    add(project, "02_second", parameters="SIZE = 3")
    settings(project, "common: {EPOCHS: 1, RESULTS_DIR: data/runs/s, SIZE: 4}\n01_first: {EPOCHS: 2}\n02_second:\n")
    assert profiles.profile_parameters("smoke") == {
        "01_first": {"EPOCHS": 2, "RESULTS_DIR": "data/runs/s"},
        "02_second": {"SIZE": 4},
    }
    assert profiles.profile_parameters("published") == {"01_first": {}, "02_second": {}}


def test_a_notebook_without_a_kernel_name_is_explained(project):
    path = add(project, "01_first")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = {}
    nbformat.write(notebook, path)
    with pytest.raises(FerlibError, match=r"01_first\.ipynb names no kernel; run 'make refresh'"):
        profiles.profile_parameters("published")


@pytest.mark.parametrize("profile", profiles.PROFILES)
def test_the_committed_settings_fit_the_committed_notebooks(profile):
    assert set(profiles.profile_parameters(profile)) == {path.stem for path in profiles.discover_notebooks()}
