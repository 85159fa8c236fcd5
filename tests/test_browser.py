"""A notebook in real JupyterLab in real Chromium, as a reader opens it."""

from chromium import MARKS, chromium, jupyterlab, run_notebook, screenshot

pytestmark = MARKS


def test_the_first_notebook_runs_in_jupyterlab(tmp_path):
    with jupyterlab(tmp_path) as lab, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        state = run_notebook(page, lab, "01_data_cleaning.ipynb", 120)
        screenshot(page, "01_data_cleaning")
    assert state["errors"] == []
    assert state["counts"] == list(range(1, len(state["counts"]) + 1))
    assert state["images"] >= 5
