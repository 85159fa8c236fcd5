import json
from dataclasses import replace

import pytest

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.publishing import ledger
from ferlib.publishing.ledger import AT_THE_READ, TestRead
from ferlib.report import readme, readme_tables
from ferlib.report.speeds import speed_markdown


def scores(accuracy, n=100):
    row = {"precision": 0.5, "recall": None, "f1": 0.25, "support": 7}
    return {
        "n": n, "accuracy": accuracy, "accuracy_interval": [accuracy - 0.01, accuracy + 0.01], "macro_f1": 0.6,
        "macro_f1_interval": [0.55, 0.65], "per_class": dict.fromkeys(EMOTIONS, row),
    }  # fmt: skip


def metrics(name="custom_cnn", accuracy=0.8):
    return {
        "model": name, "protocol": "majority", "config": {"seed": 3, "epochs": 5}, "run": {"seconds": 5400, "cores": 2},
        "valid": {"all": scores(accuracy)}, "test": {"all": scores(accuracy - 0.02), "leak_free": scores(0.7, 60)},
    }  # fmt: skip


def test_table_has_intervals_counts_and_duration():
    table = readme_tables.results_markdown([metrics()])
    assert "| custom_cnn (3) | 80.00 (79.0–81.0) | **78.00 (77.0–79.0)** | 70.00 (69.0–71.0) |" in table
    assert "0.600 (0.550–0.650)" in table
    assert "5 epochs, 1.5 h on 2 cores |" in table
    mixed = metrics()
    mixed["run"] = {**mixed["run"], "precision": "bf16"}
    assert "5 epochs, 1.5 h on 2 cores, bf16 |" in readme_tables.results_markdown([mixed])
    assert "n = 100 (valid), 100 (test), 60 (test images that have no copy" in table


def test_several_seeds_give_a_mean_and_a_spread():
    again = metrics("custom_cnn-seed1", 0.81)
    again["config"] = {"seed": 1, "epochs": 2}
    table = readme_tables.results_markdown([metrics(), metrics("other"), again])
    assert "`custom_cnn`, 2 seeds: 78.50 % of test on average, standard deviation 0.71 points" in table
    assert "(epochs: 2 for seed 1, 5 for seed 3)" in table
    assert table.count("seeds:") == 1
    third = metrics("custom_cnn-seed2", 0.83)
    third["config"] = {"seed": 2, "epochs": 2}
    table = readme_tables.results_markdown([metrics(), again, third])
    assert "`custom_cnn`, 3 seeds: 79.33 %" in table
    assert (
        "2 seeds: 80.00 % of test on average, standard deviation 1.41 points (epochs: 2 for seed 1, 2 for seed 2)."
        in table
    )
    assert "`other`" not in table
    for run in (again, third):
        run["config"] = {**run["config"], "start": "base"}
    third["run"] = {**third["run"], "precision": "bf16"}
    table = readme_tables.results_markdown([again, third])
    assert "(epochs: 2 for seed 1, 2 for seed 2; all go on from `base`; seed 2 in bf16)." in table
    again["config"].pop("start")
    table = readme_tables.results_markdown([again, third])
    assert "(epochs: 2 for seed 1, 2 for seed 2; seed 2 goes on from `base`; seed 2 in bf16)." in table


def test_speed_is_told_by_faces_and_in_the_browser():
    assert "`ferlib bench live` measures" in speed_markdown({}, {}, {})
    total = {"p50": 12.34, "p95": 20.0}
    row = {"width": 640, "threads": 2, "faces": 4, "total": total}
    rows = [row | {"path": path} for path in ("ours", "plain")] + [row | {"path": "ours", "threads": 1, "faces": 1}]
    live = {"rows": rows, "rounds": 60, "model": "m", "cores": 2, "classifier": {"onnx": {"p50": 1.9}}}
    trip = {"answers_a_second": 29.85, "milliseconds_p50_p95": {"round trip": [43.1, 55.9]}}
    table = speed_markdown(live, {"runs": {"1 face": trip, "300 ms a frame": {}}}, {})
    assert "| faces | ours, ms | plain, ms |" in table
    assert "| 4 | 12.3 (20.0) | 12.3 (20.0) |" in table
    assert "one face on one thread, in turns with the others: 1.9 in onnx." in table
    assert "29.9 round trips a second with 1 face (median 43, 95th percentile 56 ms)" in table
    live["folder"] = {"times_as_fast": {"plain loop": 1.0, "two workers": 5.04}}
    assert "5.0 times as fast" in speed_markdown(live, {}, {})
    train = {
        "recipe": "m",
        "times_as_fast": {"usual": 1.0, "usual, tcmalloc": 3.0, "ours": 1.5, "ours, bf16": 2.1},
        "pictures_per_second": {"usual": 200.0}, "cores": 2,
    }  # fmt: skip
    text = speed_markdown(live, {}, train)
    assert "Training `m` goes 2.1 times as fast (bf16; 1.5 times in full precision) as" in text
    plain = train | {"times_as_fast": {"usual": 1.0, "ours": 1.5, "ours, bf16": 1.2}}
    assert "goes 1.5 times as fast (ours) as" in speed_markdown(live, {}, plain)
    assert "learns from 200 pictures a second on the 2 cores" in text


def test_the_card_tells_confidence_and_live_path():
    table = readme_tables.confidence_markdown()
    study = json.loads((paths.PUBLISHED / "convnext" / "study.json").read_text())["test"]
    (row,) = [line for line in table.splitlines() if line.startswith("| convnext |")]
    assert f"| {study['calibration']['scaled']['majority']['ece']:.3f} |" in row
    assert f"{100 * study['live_path'][0]['live']['accuracy']:.1f} (" in row
    assert f"n = {study['scores']['n']:,}" in table


def test_the_reads_of_test_are_counted_from_the_ledger():
    read = TestRead("a", "2026-01-01", "c", "p", 100, "d", "w", "publication", False, "afterwards, from git")
    again = replace(read, purpose="full report", repeat=True, recorded=AT_THE_READ)
    text = readme_tables.reads_markdown([read, again, replace(again, model="b", weights_sha256="v", repeat=False)])
    assert "so far: 3 (1 for publication, 2 for full report), by 2 models; 1 of them repeat" in text
    assert "; 1 were recorded afterwards" in text
    assert readme_tables.reads_markdown([]) == "No model has read the test split yet."


def test_the_count_of_reads_stands_under_the_results():
    pages = readme.updated_pages()
    sentence = readme_tables.reads_markdown(ledger.read_ledger(paths.PUBLISHED / ledger.LEDGER_NAME))
    block = pages[paths.ROOT / "README.md"].split("<!-- results:begin -->")[1].split("<!-- results:end -->")[0]
    assert sentence in block


def test_without_models_the_table_says_so():
    assert readme_tables.results_markdown([]) == "No model is published yet."


def test_class_table_shows_undefined_values_as_a_dash():
    lines = readme_tables.class_markdown(metrics()).splitlines()
    assert len(lines) == 10
    assert lines[2] == "| angry | 0.500 | – | 0.250 | 7 |"


def test_fill_replaces_between_the_markers_only():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"
    once = readme.fill_block(text, "x", "new")
    assert once == "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n"
    assert readme.fill_block(once, "x", "new") == once


def test_missing_markers_are_named():
    with pytest.raises(FerlibError, match="x:begin"):
        readme.fill_block("nothing", "x", "new")


def test_the_pages_hold_the_published_numbers():
    pages = readme.updated_pages()
    stale = [paths.relative(path) for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    assert not stale, f"run python -m ferlib.report.readme: {stale}"


CHECK = {
    "images": {"train": 3000, "valid": 20, "test": 10},
    "kept": {"label.csv": {"majority": {"train": 2900, "valid": 19, "test": 9}}},
    "classes": {"fear": {"train": 1234, "valid": 2, "test": 1}},
    "searches": {
        "2": {
            "leaked": {
                name: {"images": 5, "of_images": 20, "labelled": 4, "of_labelled": 16}
                for name in ("train", "valid", "test")
            },
            "dropped": {"copy within train": 1500, "also in test": 7},
            "training": {"images": 1493, "with a crossentropy target": 1400},
        },
    },
}


def test_the_dataset_cards_tables():
    assert "| `label.csv`, majority | 2,900 | 19 | 9 |" in readme_tables.counts_markdown(CHECK)
    assert readme_tables.emotions_markdown(CHECK).splitlines()[2:] == ["| fear | 1,234 | 2 | 1 |"]
    leaks = readme_tables.leaks_markdown(CHECK)
    assert "| search 2, all | 5 (25.0 %) | 5 (25.0 %) | 5 (25.0 %) |" in leaks
    assert (
        "After search 2, training keeps 1,493 of 3,000 images (left out: 1,500 copy within train, 7 also in test); "
        "1,400 of them" in leaks
    )


def test_the_model_table_takes_sidecar_and_speed(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    row = {"parameters": 3_121_128, "multiply_adds": 202_385_408, "input": 48, "milliseconds": 6.54}
    (tmp_path / "bench_models.json").write_text(json.dumps({"models": {"one": row}}))
    sidecar = {"preprocessing": {"size": 48, "channels": 1}, "temperature": 0.789, "threshold": 0.5629}
    (tmp_path / "one.json").write_text(json.dumps(sidecar))
    (tmp_path / "two.json").write_text(json.dumps({"preprocessing": {"size": 96, "channels": 3}}))
    lines = readme_tables.models_markdown([metrics("one"), metrics("not shipped"), metrics("two")]).splitlines()
    assert lines[2] == "| two | 96 px, grey in three channels | – | – | – | – | – |"  # the best is the last given
    assert lines[3] == "| one | 48 px, grey | 3.1 M | 202.4 M | 6.5 | 0.789 | 0.563 |"


def test_every_shipped_model_has_its_classes():
    text = readme_tables.classes_markdown([metrics("one"), metrics("two")])
    assert text.index("`two`:") < text.index("`one`:")
    assert text.count("| angry |") == 2
    assert readme_tables.classes_markdown([]) == "No model is published yet."


def test_all_runs_count_in_the_hours():
    soup = metrics("soup")
    soup["config"] = {**soup["config"], "soup": ["one", "two"]}
    text = readme_tables.hours_markdown([metrics("one"), metrics("two"), soup])
    assert text.startswith("The 2 published trainings, the ablations among them, took 3 hours on 2 processor cores")
    names = {run["model"] for run in readme.official_runs()}
    assert {"ablation_base", "custom_cnn_uncleaned"} <= names
    assert names > {run["model"] for run in readme.official_results()}


def test_what_is_missing_gets_a_sentence():
    for table in (readme_tables.counts_markdown, readme_tables.emotions_markdown, readme_tables.leaks_markdown):
        assert table({}) == "Not counted yet; `ferlib data check --publish` does it."
    quick = {"rows": [{"width": 320, "threads": 1}]}
    assert "`ferlib bench live` measures" in speed_markdown(quick, {}, {})
    with pytest.raises(FerlibError, match="in this order"):
        readme.fill_block("<!-- x:end --> <!-- x:begin -->", "x", "new")


def test_seeds_of_an_ablation_only_compare(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    source = readme.official_runs  # reads paths.PUBLISHED when it is called
    (official, *_) = readme.OFFICIAL_HASHES
    for name in ("custom_cnn", "ablation_base", "ablation_base-seed1"):
        run = metrics(name)
        run["config"] = {**run["config"], "clean": True}
        run["run"] = {**run["run"], "data_hash": official}
        if name.startswith("ablation"):
            del run["test"]
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(run))
    assert len(source()) == 3
    assert [run["model"] for run in readme.official_results()] == ["custom_cnn"]


def test_the_confidence_table_tells_the_risk_and_leaves_out_other_data(tmp_path, monkeypatch):
    study = json.loads((paths.PUBLISHED / "convnext" / "study.json").read_text())
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path)
    for name, risk, official in (("one", 0.05, True), ("two", 0.1, True), ("drawn", 0.1, False)):
        changed = json.loads(json.dumps(study))
        changed["chosen_on_valid"]["risk"] = risk
        changed["about"]["data_hash"] = changed["about"]["data_hash"] if official else "0"
        if name == "one":
            changed["test"]["abstention"]["at_threshold"] = {"answered": 0, "coverage": 0.0, "accuracy": None}
            changed["test"]["live_path"][0]["n"] = 200
        (tmp_path / name).mkdir()
        (tmp_path / name / "study.json").write_text(json.dumps(changed))
    table = readme_tables.confidence_markdown()
    assert "| drawn |" not in table
    assert "an upper 95 % bound (Clopper and Pearson 1934) of at most 5 % or 10 %." in table
    assert "200 or 1,000 of them" in table
    assert "| 0.0 | – |" in table
