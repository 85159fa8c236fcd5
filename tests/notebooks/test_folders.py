import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.notebooks.folders import notebook_data, notebook_folders


def test_published_results_draw_into_the_figures_and_others_into_their_own_folder():
    assert notebook_folders("data/published", again=False) == (paths.PUBLISHED, paths.FIGURES)
    mine = paths.RUNS / "mine"
    for again in (False, True):
        assert notebook_folders("data/runs/mine", again=again) == (mine, mine / "figures")


@pytest.mark.parametrize("results", ["data/published", "data/published/convnext", "data/../data/published"])
def test_published_results_are_not_computed_again(results):
    with pytest.raises(FerlibError, match="RETRAIN = True would replace the published results in data/published"):
        notebook_folders(results, again=True)


def test_a_folder_that_cannot_be_read_is_refused():
    with pytest.raises(FerlibError, match="RESULTS_DIR = 'data/publishd' is no folder of the project"):
        notebook_folders("data/publishd", again=False)
    with pytest.raises(FerlibError, match="RESULTS_DIR = 'data/runs/mine' holds nothing that RETRAIN = False reads"):
        notebook_folders("data/runs/mine", again=False, published_only=True)
    assert notebook_folders("data/runs/mine", again=True, published_only=True)[0] == paths.RUNS / "mine"


def test_data_is_chosen_by_name():
    assert notebook_data("fer2013plus") is None
    assert notebook_data("drawn") == paths.SAMPLE
    with pytest.raises(FerlibError, match="DATA = 'draw' is no data set of the notebooks; choose"):
        notebook_data("draw")
