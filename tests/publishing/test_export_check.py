import json

import numpy as np
import pytest

from ferlib import paths
from ferlib.data.data_set import DataSet, open_data_set
from ferlib.data.drawn import dataset
from ferlib.data.votes import hard_labels
from ferlib.errors import FerlibError
from ferlib.inference import int8, onnx_export
from ferlib.inference.loading import load_classifier
from ferlib.publishing import export_check


@pytest.fixture
def data(tiny_checkpoint, tmp_path, monkeypatch, drawn):
    """Drawn faces as the data set."""
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    monkeypatch.setattr(export_check, "code_commit", lambda: "0")
    dataset.save_official(drawn, tmp_path / "data")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "data"))
    sidecar = paths.CHECKPOINTS / "tiny.json"
    about = json.loads(sidecar.read_text()) | {"data_hash": open_data_set().content_hash}
    sidecar.write_text(json.dumps(about))
    return drawn


def test_without_int8_no_data_is_needed(tiny_checkpoint, monkeypatch, tmp_path):
    monkeypatch.setattr(export_check, "code_commit", lambda: "0")
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "none"))
    report = export_check.check_export("tiny", out=tmp_path / "tiny.onnx")
    assert report["max_difference"] < 1e-4
    assert onnx_export.metadata((tmp_path / "tiny.onnx").read_bytes())["name"] == "tiny"
    assert len((tmp_path / "tiny.onnx").read_bytes()) == report["bytes"]
    assert "tiny: graph of" in export_check.render_export(report)


@pytest.mark.slow
def test_eight_bits_that_are_as_good_are_kept(data):
    steps = []
    report = export_check.check_export("tiny", int8=True, say=steps.append)
    assert report == json.loads((paths.PUBLISHED / "tiny" / "export.json").read_text())
    assert report["accuracy"]["onnx"] == pytest.approx(report["accuracy"]["torch"], abs=1 / report["n"])
    assert report["agreement"]["torch"] == 1
    assert report["n"] == ((data.split == "valid") & (hard_labels(data.votes) >= 0)).sum()
    assert report["int8_kept"] == (report["accuracy"]["torch"] - report["accuracy"]["int8"] <= 0.003)
    assert int8.ranges_path("tiny").is_file() == report["int8_kept"]
    assert "valid, int8" in steps


@pytest.mark.slow
def test_eight_bits_that_cost_too_much_are_not(data, monkeypatch):
    measured = {"n": 10, "split": "valid", "accuracy": {"torch": 0.9, "int8": 0.8965}, "agreement": {}}
    monkeypatch.setattr(export_check, "_compare_on_valid", lambda *_: dict(measured))
    assert export_check.check_export("tiny", int8=True)["int8_kept"] is False
    with pytest.raises(FerlibError, match="has no 8-bit version"):
        load_classifier("tiny", engine="int8")
    measured["accuracy"] = {"torch": 0.9, "int8": 0.8975}
    assert export_check.check_export("tiny", int8=True)["int8_kept"] is True
    load_classifier("tiny", engine="int8")


@pytest.mark.slow
def test_an_interrupted_measurement_leaves_no_ranges(data, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(export_check, "_compare_on_valid", stop)
    with pytest.raises(KeyboardInterrupt):
        export_check.check_export("tiny", int8=True)
    assert not int8.ranges_path("tiny").exists()
    int8.ranges_path("tiny").write_text("accepted before")
    with pytest.raises(KeyboardInterrupt):
        export_check.check_export("tiny", int8=True)
    assert int8.ranges_path("tiny").read_text() == "accepted before"


def test_ranges_are_measured_on_the_checkpoints_own_data_only(data, monkeypatch):
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    int8.ranges_path("tiny").write_text("accepted before")
    with pytest.raises(FerlibError, match="tiny was trained on other data than FERLIB_DATA has now"):
        export_check.check_export("tiny", int8=True)
    assert int8.ranges_path("tiny").read_text() == "accepted before"
    assert not (paths.PUBLISHED / "tiny").exists()


def test_ranges_come_from_training_faces(data):
    faces = export_check.calibration_faces(DataSet(data), count=20)
    train = {image.tobytes() for image in np.asarray(data.images)[data.split == "train"]}
    assert faces.shape == (20, 48, 48)
    assert all(face.tobytes() in train for face in faces)
    assert np.array_equal(faces, export_check.calibration_faces(DataSet(data), count=20))


def test_a_missing_checkpoint_is_named(tiny_checkpoint):
    with pytest.raises(FerlibError, match="there is no checkpoint 'none'"):
        export_check.check_export("none")


def test_the_published_numbers_do_not_come_from_a_graph(data, monkeypatch):
    """Evaluation names torch, so that it stays bit-identical whatever the default engine is."""
    from ferlib.publishing import rescore

    asked = []
    monkeypatch.setattr(rescore, "load_classifier", lambda name, **how: asked.append(how) or 1 / 0)
    monkeypatch.setattr(rescore, "open_same_data", lambda *_: None)
    monkeypatch.setattr(rescore, "published_metrics", lambda name: {
        "protocol": "p", "config": {"seed": 0}, "run": {"data_hash": ""},
    })  # fmt: skip
    monkeypatch.setattr(rescore, "published_predictions", lambda *_: {})
    with pytest.raises(ZeroDivisionError):
        rescore.evaluate_model("tiny", "valid", recompute=True)
    assert asked == [{"engine": "torch"}]
