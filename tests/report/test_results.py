import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ferlib import paths
from ferlib.data.drawn import dataset
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.evaluation.scores import score_predictions
from ferlib.models.questions import BOTH_QUESTIONS
from ferlib.report import result_tables, results
from ferlib.training.config import TrainConfig
from ferlib.training.run_files import HISTORY_COLUMNS


def made_up(name, right=(True, True, False, True), seed=0):
    """A result with the accuracy that `right` says."""
    labels = np.arange(len(right)) % 8
    answers = np.where(right, labels, (labels + 1) % 8)
    scores = score_predictions(np.eye(8)[answers], labels).to_dict()
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "valid_accuracy": [0.3, 0.6]})
    by_split = {"valid": scores, "test": scores}
    return results.ModelResult(name, TrainConfig(seed=seed), history, by_split, 3600.0, 2, "none")


def test_published_results_are_read_as_they_stand():
    result, *_ = results.published_results(["custom_cnn", "never_made"])
    metrics = json.loads((paths.PUBLISHED / "custom_cnn" / "metrics.json").read_text())
    assert result.scores == {split: metrics[split]["all"] for split in ("valid", "test")}
    assert list(result.history) == list(HISTORY_COLUMNS)
    assert result.epoch == metrics["run"]["best_epoch"]
    assert result.history["valid_accuracy"].max() == pytest.approx(metrics["run"]["valid_accuracy"])


def test_nothing_published_is_an_error():
    with pytest.raises(FerlibError, match="none of never_made is published"):
        results.published_results(["never_made"])


@pytest.mark.slow
def test_training_again_scores_valid_and_leaves_its_numbers(tmp_path, monkeypatch, drawn, tiny):
    for name in ("PROCESSED", "RUNS", "PUBLISHED", "CHECKPOINTS"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    dataset.save_official(drawn, tmp_path / "data")
    folder = tmp_path / "runs" / "mine"
    result = results.retrain_model("small", replace(tiny, epochs=2), folder, root=tmp_path / "data")
    assert set(result.scores) == {"valid"}
    assert result.scores["valid"]["accuracy"] == pytest.approx(result.history["valid_accuracy"].max(), abs=0.02)
    assert json.loads((folder / "small.json").read_text()) == json.loads(json.dumps(result.to_dict()))
    assert (folder / "small" / "run.json").is_file()
    assert not (tmp_path / "published").exists()


@pytest.mark.slow
def test_training_again_scores_both_questions(tmp_path, monkeypatch, tiny, drawn):
    for name in ("PROCESSED", "RUNS", "PUBLISHED", "CHECKPOINTS"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    dataset.save_official(drawn, tmp_path / "data")
    config = replace(tiny, epochs=2, questions=BOTH_QUESTIONS)
    result = results.retrain_model("small", config, tmp_path / "runs" / "mine", root=tmp_path / "data")
    best = result.history.iloc[result.epoch - 1]
    assert result.scores["valid"]["accuracy"] == pytest.approx(best["valid_accuracy"], abs=0.02)
    assert result.meant["valid"]["accuracy"] == pytest.approx(best["valid_meant_accuracy"], abs=0.02)
    assert result.meant["valid"]["n"] == ((drawn.split == "valid") & (drawn.meant >= 0)).sum()
    assert result.to_dict()["meant"] == result.meant


def test_tables_say_what_the_results_hold():
    result, other = made_up("net"), made_up("net-seed1", right=(True,) * 4, seed=1)
    table = result_tables.score_table([result, other])
    assert table.loc["net", "test accuracy, %"].startswith("75.00 (")
    assert table.loc["net-seed1", "seed"] == 1
    assert list(result_tables.settings_table([result])["epochs"]) == ["2 of 2"]
    assert result_tables.settings_table([result]).loc["net", "input, pixels"] == "40, then 48"
    recall = result_tables.per_class_table([result, other], "test")
    assert list(recall.columns) == list(EMOTIONS)
    assert recall.loc["net", EMOTIONS[2]] == 0
    assert np.isnan(recall.loc["net", EMOTIONS[7]])


def test_seeds_of_one_recipe_are_pooled():
    table = result_tables.seed_table([made_up("net"), made_up("net-seed1", (True,) * 4), made_up("alone")])
    assert list(table.index) == ["net"]
    assert table.loc["net", "test mean, %"] == 87.5
    assert table.loc["net", "standard deviation, points"] == pytest.approx(17.68)
    longer = made_up("net-seed2")
    longer = replace(longer, config=replace(longer.config, epochs=99))
    table = result_tables.seed_table([made_up("net"), made_up("net-seed1", (True,) * 4), longer])
    short = made_up("net").config.epochs
    assert list(table.index) == ["net", f"net, {short} epochs"]
    assert table.loc["net", "epochs"] == f"{short}, {short}, 99"


def test_costs_are_read_or_asked_for(tmp_path):
    with pytest.raises(FerlibError, match="ferlib bench models --publish"):
        result_tables.cost_table(tmp_path)
    row = {"parameters": 3_121_128, "multiply_adds": 202_385_408, "input": 48, "milliseconds": 5.04}
    (tmp_path / "bench_models.json").write_text(json.dumps({"models": {"net": row}}))
    assert result_tables.cost_table(tmp_path).loc["net"].tolist() == [48, 3.12, 202, 5.0]


def publish_answers(name, answers, labels, ids):
    folder = paths.PUBLISHED / name
    folder.mkdir(parents=True)
    probabilities = np.asarray(answers, np.float32)
    np.savez(folder / "predictions_valid.npz", ids=ids, labels=labels, probabilities=probabilities, leaked=labels < 0)


def test_an_ensemble_averages_logarithms(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    sure = np.full((2, 8), 0.01)
    sure[:, 0] = 0.93
    unsure = np.full((2, 8), 0.1)
    unsure[:, 1] = 0.3
    publish_answers("sure", sure, np.array([0, 1]), np.array(["a", "b"]))
    publish_answers("unsure", unsure, np.array([0, 1]), np.array(["a", "b"]))
    publish_answers("other", unsure, np.array([0, 1]), np.array(["a", "c"]))
    mean = results.ensemble_scores(["sure", "unsure"], "valid")
    assert mean["accuracy"] == 0.5  # the sure one wins: 0.093 against 0.003
    assert results.ensemble_scores(["unsure", "unsure"], "valid")["confusion"][1][1] == 1
    with pytest.raises(ValueError, match="different images or labels"):
        results.ensemble_scores(["sure", "other"], "valid")
    publish_answers("relabelled", unsure, np.array([0, -1]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match="different images or labels"):
        results.ensemble_scores(["sure", "relabelled"], "valid")


def test_pairs_are_compared_on_the_same_images(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    ids, labels = np.array([f"{k}" for k in range(41)]), np.array([0] * 40 + [-1])
    right, wrong = np.eye(8)[0], np.eye(8)[1]
    publish_answers("good", np.array([right] * 30 + [wrong] * 11), labels, ids)
    publish_answers("bad", np.array([right] * 20 + [wrong] * 21), labels, ids)
    table = result_tables.paired_table(["bad", "good"], "valid")
    row = table.loc[("good", "bad")]
    assert row["valid: difference, points"] == "+25.00"
    assert row["valid: 95 % interval"].startswith("+1")
    assert row["valid: p, corrected"] == "0.002"
    assert results.shared_errors("good", ["bad"], "valid") == (10, 10)
    assert results.shared_errors("bad", ["good"], "valid") == (20, 10)


def test_changes_are_counted_from_the_base_on_the_same_images(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    ids, labels = np.array([f"{k}" for k in range(41)]), np.array([0] * 40 + [-1])
    right, wrong = np.eye(8)[0], np.eye(8)[1]
    for name, count in (("base", 20), ("better", 30)):
        publish_answers(name, np.array([right] * count + [wrong] * (41 - count)), labels, ids)
    hits = {"base": (True, True, True, False), "better": (True,) * 4}
    monkeypatch.setattr(result_tables, "published_results", lambda names: [made_up(name, hits[name]) for name in names])
    monkeypatch.setattr(result_tables, "is_published", lambda name: name != "never_made")
    table = result_tables.change_table("base", {"better": "more pixels", "never_made": "less"})
    assert list(table.index) == ["nothing", "more pixels"]
    assert table["valid, %"].iloc[0].startswith("75.00 (")
    assert table["valid, change"].iloc[0] == ""
    assert table["valid, change"].iloc[1].startswith("+25.00 (+1")
    base, better = (made_up(name, right).scores["valid"]["macro_f1"] for name, right in hits.items())
    assert base < better
    assert list(table["valid, macro-F1"]) == [f"{base:.3f}", f"{better:.3f}"]


def test_the_ladder_counts_each_steps_gain():
    steps = {"first": made_up("a").scores, "second": made_up("b", right=(True,) * 4).scores}
    table = result_tables.step_table(steps, ["valid", "test"])
    assert list(table["gain on test, points"]) == ["", "+25.00"]
    assert table.loc["first", "valid, %"].startswith("75.00 (")


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "scratch"), ({"start": "convnext_alone"}, "convnext_alone"),
        ({"pretrained": True, "model": "efficientnet_b2"}, "ImageNet"),
        ({"pretrained": True, "model": "convnext_atto", "stem": "face"}, "dlib's faces"),
    ],
)  # fmt: skip
def test_a_beginning_is_called_by_its_name(changes, start):
    result = replace(made_up("net"), config=TrainConfig(**changes))
    assert result_tables.settings_table([result]).loc["net", "starts from"] == start
