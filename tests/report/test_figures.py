import json
import shutil
from pathlib import Path

import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.report import figures, model_figures, studies


@pytest.fixture
def results(tmp_path):
    """The published custom CNN twice, under two names, the second one a little worse on valid and trained uncleaned."""
    folder = tmp_path / "results"
    for name in ("custom_cnn", "other"):
        shutil.copytree(paths.PUBLISHED / "custom_cnn", folder / name)
    path = folder / "other" / "study.json"
    study = json.loads(path.read_text())
    study["valid"]["scores"]["accuracy"] -= 0.01
    study["about"]["clean"] = False
    path.write_text(json.dumps(study))
    shutil.copy(paths.PUBLISHED / "data_check.json", folder)
    row = {"parameters": 3_121_128, "multiply_adds": 202_385_408, "input": 48, "milliseconds": 5.0}
    (folder / "bench_models.json").write_text(json.dumps({"models": {"custom_cnn": row}}))
    return folder


def test_studies_are_loaded_best_on_valid_first(results):
    models = studies.load_studies(results)
    assert [model.name for model in models] == ["custom_cnn", "other"]
    assert studies.shown_model(models).name == "custom_cnn"
    assert studies.shown_model(models, "other").name == "other"
    assert studies.shown_model(models[1:]).name == "other"
    with pytest.raises(FerlibError, match="no study of 'x'; choose one of custom_cnn, other"):
        studies.shown_model(models, "x")


def test_without_a_study_it_says_what_to_do(tmp_path):
    with pytest.raises(FerlibError, match="'ferlib study NAME' writes one"):
        studies.load_studies(tmp_path)


def test_equal_models_do_not_differ(results):
    (row,) = studies.paired_differences(studies.load_studies(results))
    assert (row["difference"], row["p_adjusted"], row["n"]) == (0, 1, 3137)


def test_leaks_show_what_the_cleaning_is_measured_against(results):
    """A run on everything that has no study, and those on the cleaned split that are alike but for that."""
    for name, changes in {"unclean": {"clean": False}, "seed1": {"seed": 1}, "longer": {"epochs": 99}}.items():
        shutil.copytree(paths.PUBLISHED / "custom_cnn", results / name)
        (results / name / "study.json").unlink()
        path = results / name / "metrics.json"
        metrics = json.loads(path.read_text())
        path.write_text(json.dumps(metrics | {"model": name, "config": metrics["config"] | changes}))
    rows = studies.leak_rows(studies.load_studies(results))
    assert [(row["model"], row["clean"]) for row in rows] == [
        ("custom_cnn", True), ("other", False), ("seed1", True), ("unclean", False),
    ]  # fmt: skip
    assert rows[2]["leaked"] == rows[0]["leaked"]
    assert [row["training"] for row in rows] == ["34 epochs", "", "34 epochs", "34 epochs"]


@pytest.mark.slow
def test_every_figure_is_drawn_twice_with_the_same_bytes(results, tmp_path):
    first, again = (figures.write_figures(tmp_path / name, results) for name in "ab")
    assert [path.stem for path in first] == [f"04_{name}" for name in figures.EVALUATION_FIGURES]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert all(path.stat().st_size > 5000 for path in first)


def test_the_training_images_are_those_of_the_models_own_search(results):
    model = studies.load_studies(results)[0]
    path = results / "data_check.json"
    counts = json.loads(path.read_text())
    assert model_figures.recall_figure(model, []) is not None
    (model.folder / "metrics.json").rename(model.folder / "run.json")  # a run that is not published
    assert model_figures.recall_figure(model, []) is not None
    del counts["searches"]["1"]
    path.write_text(json.dumps(counts))
    assert model_figures.recall_figure(model, []) is None


@pytest.mark.slow
def test_one_model_has_no_differences_and_what_is_missing_is_left_out(results, tmp_path):
    shutil.rmtree(results / "other")
    (results / "custom_cnn" / "history.csv").unlink()
    (results / "data_check.json").write_text("{}")  # of an earlier version
    (results / "bench_models.json").unlink()
    names = ["accuracy_against_cost", "differences", "training_curves", "recall_against_examples", "leaks"]
    written = figures.write_figures(tmp_path / "out", results, only=names, suffix="pdf")
    assert [path.name for path in written] == ["04_leaks.pdf"]
    assert written[0].read_bytes().startswith(b"%PDF")


def test_the_curves_leave_out_what_was_not_trained(results):
    path = results / "other" / "history.csv"
    shutil.copy(paths.PUBLISHED / "efficientnet_lite2_soup" / "history.csv", path)
    left, _ = figures.draw_figure(studies.load_studies(results), "training_curves").axes
    assert [line.get_label() for line in left.lines if not line.get_label().startswith("_")] == ["custom_cnn"]


def test_an_unknown_figure_is_refused(results, tmp_path):
    with pytest.raises(FerlibError, match="no figure 'x'; choose from model_comparison"):
        figures.write_figures(tmp_path, results, only=["x"])


def test_captions_name_model_seed_protocol_split_and_n(results):
    models = studies.load_studies(results)
    line = studies.model_caption(models[0])
    assert (
        line == "custom_cnn (seed 0); FER2013+, label.csv, majority label; test, n = 3,137; 95 % bootstrap intervals."
    )
    assert studies.joint_caption(models).startswith(
        "2 models, one seed each; FER2013+, label.csv, majority label; test"
    )
    assert studies.model_caption(models[0], "x", several_protocols=True) == "custom_cnn (seed 0); FER2013+; test; x."
    assert studies.joint_caption(models, count=4).startswith("4 runs; FER2013+, label.csv")
    models[0].study["about"]["protocol"] = "not the official FER2013+ (folders, label.csv), majority label"
    assert studies.model_caption(models[0]).startswith("NO RESULT: custom_cnn")
    assert studies.joint_caption(models).startswith("NO RESULT: 2 models")
    several = studies.model_caption(models[0], "x", several_protocols=True)
    assert several == "NO RESULT: custom_cnn (seed 0); not the official FER2013+ (folders, label.csv); test; x."


def test_captions_count_the_models_that_are_drawn(results):
    bench = results / "bench_models.json"
    measured = json.loads(bench.read_text())
    measured["models"].pop("other", None)
    bench.write_text(json.dumps(measured))
    models = studies.load_studies(results)
    caption = figures.draw_figure(models, "accuracy_against_cost").get_supxlabel()
    assert caption.startswith("custom_cnn (seed 0)")
    models[1].test["labels"] = models[1].test["labels"][::-1]
    assert figures.draw_figure(models, "differences") is None
    assert [model.name for model in studies.comparable_models(models)] == [models[0].name]


def test_the_committed_figures_are_all_there():
    models = studies.load_studies()
    names = {path.stem for path in Path(paths.FIGURES).glob("04_*.png")}
    expected = {f"04_{name}" for name in figures.EVALUATION_FIGURES} - (
        {"04_differences"} if len(models) == 1 else set()
    )
    assert names == expected


@pytest.mark.slow
def test_the_latency_figure_is_drawn_from_what_the_bench_stored(results, tmp_path):
    assert list(figures.build_figures(studies.load_studies(results), only=["latency"])) == []
    steps = {"detect": 20.0, "crop": 0.5, "classify": 2.0, "total": 22.5}
    times = {step: {"p50": value, "p95": 2 * value} for step, value in steps.items()}
    rows = [
        {"width": width, "height": width, "faces": faces, "threads": threads, "path": path, **times}
        for width in (640, 1280) for faces in (1, 4) for threads in (1, 2) for path in ("ours", "plain")
    ]  # fmt: skip
    measured = {"model": "m", "engine": "onnx", "rounds": 30, "cores": 2, "rows": rows}
    (results / "bench_live.json").write_text(json.dumps(measured))
    first, again = (figures.write_figures(tmp_path / name, results, only=["latency"]) for name in "ab")
    assert [path.name for path in first] == ["05_latency.png"]
    assert first[0].read_bytes() == again[0].read_bytes()
    ((_, figure),) = figures.build_figures(studies.load_studies(results), only=["latency"])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["ours", "plain"]
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["640 x 640, 1 face", "640 x 640, 4 faces", "1280 x 1280, 1 face", "1280 x 1280, 4 faces"]
