import json
from dataclasses import replace

import numpy as np
import pytest

from ferlib import paths
from ferlib.data.copies import recorded_version
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.errors import FerlibError
from ferlib.files import sha256
from ferlib.models import checkpoints
from ferlib.publishing import ledger, publish, rescore, store, study
from ferlib.training import recipes, runs
from ferlib.training.config import TrainConfig


@pytest.mark.slow
def test_train_publish_evaluate(project, tiny, drawn):
    best = runs.train(replace(tiny, epochs=2), "small", progress=False)
    about = json.loads((paths.RUNS / "small" / "run.json").read_text())
    assert about["valid_accuracy"] == best["valid_accuracy"]
    assert about["data_hash"] == drawn.content_hash
    assert TrainConfig.from_dict(about["config"]).epochs == 2
    metrics = publish.publish("small")
    assert recorded_version(json.loads((paths.CHECKPOINTS / "small.json").read_text())["config"]) == 1
    folder = paths.PUBLISHED / "small"
    assert {path.name for path in folder.iterdir()} == {
        "metrics.json", "history.csv", "predictions_valid.npz", "predictions_test.npz",
    }  # fmt: skip
    assert metrics["test"]["all"]["n"] > 0
    test = store.published_predictions("small", "test")
    assert set(test["ids"]) == set(drawn.ids[drawn.split == "test"])
    assert np.allclose(test["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert metrics["protocol"].startswith("not the official FER2013+ (official folders, label.csv)")
    for split in ("valid", "test"):
        stored, again = (rescore.evaluate_model("small", split, recompute=flag) for flag in (False, True))
        assert all(stored[key] == again[key] == value for key, value in metrics[split]["all"].items())
        assert stored.get("leaked") == metrics[split].get("leaked")
        assert "n = " in rescore.render_evaluation(stored)
        assert again["max_difference"] == 0
        assert "from the stored probabilities" in rescore.render_evaluation(again)
    first, second = ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME)
    assert (first.purpose, second.purpose) == ("publication", "check of the stored predictions")
    assert first.weights_sha256 == second.weights_sha256 == sha256(paths.CHECKPOINTS / "small.safetensors")
    assert (first.repeat, second.repeat) == (False, True)
    assert (first.n, first.data_hash) == (metrics["test"]["all"]["n"], drawn.content_hash)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ablation_mine", "other_name"])
def test_an_ablation_is_published_without_reading_test(project, tiny, monkeypatch, name):
    config = replace(tiny, epochs=1)
    monkeypatch.setitem(recipes.ABLATIONS, "ablation_mine", replace(config, epochs=9, seed=3))
    monkeypatch.setattr(publish, "score_test", lambda *_, **__: pytest.fail("test was read"))
    runs.train(config, name, progress=False)
    metrics = publish.publish(name)
    assert "valid" in metrics
    assert "test" not in metrics
    assert {path.name for path in (paths.PUBLISHED / name).iterdir()} == {
        "metrics.json", "history.csv", "predictions_valid.npz",
    }  # fmt: skip
    assert set(checkpoints.load(name).about["scores"]) == {"valid"}
    for recompute in (False, True):
        with pytest.raises(FerlibError, match=f"'{name}' is an ablation, which is scored on valid only"):
            rescore.evaluate_model(name, "test", recompute=recompute)
    with pytest.raises(FerlibError, match="it gets no study"):
        study.run_study(name)


def keys_of(value):
    """All keys of nested JSON."""
    if isinstance(value, dict):
        return set(value).union(*(keys_of(each) for each in value.values()))
    return set().union(*(keys_of(each) for each in value)) if isinstance(value, list) else set()


def test_no_file_of_a_published_ablation_has_scores_on_test():
    ablations = set()
    for path in paths.PUBLISHED.glob("*/metrics.json"):
        config = TrainConfig.from_dict(json.loads(path.read_text(encoding="utf-8"))["config"])
        if recipes.is_ablation(path.parent.name, config):
            ablations.add(path.parent.name)
            assert {each.name for each in path.parent.iterdir()} == {
                "metrics.json", "history.csv", "predictions_valid.npz",
            }  # fmt: skip
            assert "test" not in (path.parent / "history.csv").read_text(encoding="utf-8")
    assert ablations == set(recipes.ABLATIONS)
    for name in ablations:
        files = [*(paths.PUBLISHED / name).glob("*.json"), paths.CHECKPOINTS / f"{name}.json"]
        for path in [path for path in files if path.is_file()]:
            assert not [key for key in keys_of(json.loads(path.read_text(encoding="utf-8"))) if "test" in key]


@pytest.mark.slow
def test_a_name_is_published_once(project, tiny):
    runs.train(replace(tiny, epochs=1), "once", progress=False)
    publish.publish("once")
    with pytest.raises(FerlibError, match="published already"):
        publish.publish("once")
    study = paths.PUBLISHED / "once" / "study.json"
    study.write_text("of the weights that are replaced")
    assert publish.publish("once", replace=True)
    assert not study.exists()


@pytest.mark.slow
def test_the_numbers_can_be_published_without_the_weights(project, tiny):
    runs.train(replace(tiny, epochs=1), "light", progress=False)
    publish.publish("light", weights=False)
    assert rescore.evaluate_model("light", "test")["n"] > 0
    assert not paths.CHECKPOINTS.exists()
    publish.publish("light", replace=True)
    with pytest.raises(FerlibError, match="the weights of 'light' are shipped and would not fit the new numbers"):
        publish.publish("light", replace=True, weights=False)


@pytest.mark.slow
def test_files_of_two_trainings_are_not_published(project, tiny):
    runs.train(replace(tiny, epochs=2), "mixed", progress=False)
    about = json.loads((paths.RUNS / "mixed" / "run.json").read_text())
    for changed in ({"best_epoch": 99}, {"config": about["config"] | {"seed": 5}}):
        (paths.RUNS / "mixed" / "run.json").write_text(json.dumps(about | changed))
        with pytest.raises(FerlibError, match=r"two trainings|other settings or data"):
            publish.publish("mixed")
    assert not store.is_published("mixed")


def test_an_unfinished_run_is_not_published(project):
    with pytest.raises(FerlibError, match="missing or unfinished"):
        publish.publish("nothing")


def test_unpublished_predictions_are_named(project):
    with pytest.raises(FerlibError, match="no published predictions of 'x' on valid"):
        store.published_predictions("x", "valid")


@pytest.mark.parametrize("file", ["run.json", "checkpoint.pt", "history.csv"])
def test_a_run_with_a_file_missing_is_not_published_and_nothing_is_written(project, tiny, file):
    runs.train(replace(tiny, epochs=1), "holed", progress=False)
    (paths.RUNS / "holed" / file).unlink()
    with pytest.raises(FerlibError, match=f"no {file}"):
        publish.publish("holed")
    assert not paths.PUBLISHED.exists()
    assert not paths.CHECKPOINTS.exists()


def test_a_run_on_other_data_is_not_published(project, tiny, monkeypatch):
    runs.train(replace(tiny, epochs=1), "other", progress=False)
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    with pytest.raises(FerlibError, match="the run other was trained on other data"):
        publish.publish("other")


def test_each_part_of_a_split_has_its_own_scores():
    right, wrong = np.eye(8)[0], np.eye(8)[1]
    parts = store.scores_by_part(
        {
            "probabilities": np.array([right, right, wrong, right, right]),
            "labels": np.array([0, 0, 0, 0, -1]),
            "leaked": np.array([True, False, False, False, True]),
        }
    )
    assert {part: (row["n"], row["accuracy"]) for part, row in parts.items()} == {
        "all": (4, 0.75), "leak_free": (3, pytest.approx(2 / 3)), "leaked": (1, 1.0),
    }  # fmt: skip


@pytest.mark.slow
def test_the_leaked_flag_is_the_manifests(project, tiny, drawn, drawn_manifest):
    runs.train(replace(tiny, epochs=1), "flags", progress=False)
    publish.publish("flags")
    stored = store.published_predictions("flags", "test")
    expected = drawn_manifest.loc[(drawn_manifest["split"] == "test") & drawn_manifest["leaked"], "id"]
    assert set(stored["ids"][stored["leaked"]]) == set(expected)
    assert 0 < len(expected) < len(stored["ids"])


def test_what_is_shipped_was_published_on_the_official_data():
    shipped = checkpoints.load()
    assert shipped.about["data_hash"] in OFFICIAL_HASHES
    assert len(shipped.about["code_commit"]) == 40
    metrics = store.published_metrics(shipped.name)
    assert metrics["run"]["data_hash"] == shipped.about["data_hash"]
    assert metrics["test"]["all"] == shipped.about["scores"]["test"]
