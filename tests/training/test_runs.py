import json
from dataclasses import replace

import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.training import run_files, runs


@pytest.mark.slow
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
        run_files.check_name(name)


@pytest.mark.slow
def test_a_start_or_teacher_without_a_checkpoint_is_taken_from_its_run(project, tiny):
    first = runs.train(replace(tiny, epochs=1), "first", progress=False)
    config = replace(tiny, epochs=1, start="first", teachers=("first",), peak_lr=1e-9, ema_decay=0.0, seed=1)
    second = runs.train(config, "second", progress=False)
    for name, value in first["state"].items():
        if name.endswith("weight") and value.ndim > 1:
            assert abs(value - second["state"][name]).max() < 1e-2  # half precision, and a step of next to nothing
    about = json.loads((paths.RUNS / "first" / "run.json").read_text())
    (paths.RUNS / "first" / "run.json").write_text(json.dumps(about | {"data_hash": "other"}))
    with pytest.raises(FerlibError, match="the run 'first' was trained on other data"):
        runs.train(config, "third", progress=False)
    with pytest.raises(FerlibError, match="'none' is no checkpoint and no finished run; train it first"):
        runs.train(replace(config, start="none", teachers=()), "third", progress=False)
