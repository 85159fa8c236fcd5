"""A notebook in real JupyterLab in real Chromium, as a reader opens it."""

import pytest
from browser import MARKS
from chromium import chromium, jupyterlab, run_notebook, screenshot

pytestmark = MARKS


@pytest.mark.parametrize("stem", ["01_data_cleaning", "02_baselines", "03_convnext_finetuning", "04_evaluation"])
def test_a_notebook_runs_in_jupyterlab(tmp_path, stem):
    with jupyterlab(tmp_path) as lab, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        state = run_notebook(page, lab, f"{stem}.ipynb", 120)
        screenshot(page, stem)
    assert state["errors"] == []
    assert state["counts"] == list(range(1, len(state["counts"]) + 1))
    assert state["images"] >= 3
