import json
from dataclasses import replace

import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.training import runs


def test_a_finished_run_keeps_its_record_and_gets_its_history_back(project, tiny, monkeypatch):
    config = replace(tiny, epochs=2)
    monkeypatch.setattr(runs, "code_commit", lambda: "first")
    runs.train(config, "kept", progress=False)
    history = (paths.RUNS / "kept" / "history.csv").read_bytes()
    (paths.RUNS / "kept" / "history.csv").unlink()
    monkeypatch.setattr(runs, "code_commit", lambda: "later")
    best = runs.train(config, "kept", progress=False)
    assert best["commits"] == ["first"]
    assert json.loads((paths.RUNS / "kept" / "run.json").read_text())["code_commit"] == "first"
    assert (paths.RUNS / "kept" / "history.csv").read_bytes() == history


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "a b"])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(FerlibError, match="is no name for a run"):
        runs.check_name(name)
