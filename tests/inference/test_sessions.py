import sys

import numpy as np
import pytest
import torch

import ferlib
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.inference import loading, onnx_export
from ferlib.inference.classifier import Classifier
from ferlib.inference.loading import ENGINES, load_classifier
from ferlib.models import checkpoints

FACES = np.random.default_rng(0).integers(0, 256, (7, 48, 48), dtype=np.uint8)


@pytest.fixture
def reference(tiny_checkpoint):
    return Classifier(checkpoints.load("tiny"))


@pytest.fixture(params=["onnx", "openvino"])
def engine(request):
    pytest.importorskip(request.param.replace("onnx", "onnxruntime"))
    return request.param


@pytest.mark.slow
def test_every_engine_gives_torchs_probabilities(reference, engine):
    checkpoints.update_sidecar("tiny", temperature=0.5, threshold=0.6)
    in_torch, on_engine = Classifier(checkpoints.load("tiny")), load_classifier("tiny", engine=engine, threads=1)
    for calibrated in (True, False):
        expected = in_torch.predict_proba(FACES, calibrated=calibrated)
        for batch_size in (1, 3, 128):
            probabilities = on_engine.predict_proba(FACES, batch_size, calibrated=calibrated)
            assert probabilities.dtype == np.float32
            assert np.abs(probabilities - expected).max() < 1e-4
    assert (on_engine.name, on_engine.threshold, on_engine.classes, on_engine.engine) == ("tiny", 0.6, EMOTIONS, engine)
    assert (on_engine.about, on_engine.preprocessing) == (in_torch.about, in_torch.preprocessing)


@pytest.mark.slow
def test_no_face_and_two_hundred(reference, engine):
    classifier = load_classifier("tiny", engine=engine)
    assert classifier.predict_proba(np.zeros((0, 48, 48), np.uint8)).shape == (0, 8)
    assert classifier.predict_proba(np.zeros((0, 48, 48, 3), np.uint8)).shape == (0, 8)
    many = np.resize(FACES, (200, 48, 48))
    assert np.abs(classifier.predict_proba(many) - reference.predict_proba(many)).max() < 1e-4


def test_results_do_not_change_with_the_next_call(reference, engine):
    classifier = load_classifier("tiny", engine=engine)
    first = classifier.predict_proba(FACES[:1])
    before = first.copy()
    classifier.predict_proba(FACES[1:2])
    assert np.array_equal(first, before)


def test_colour_other_sizes_and_equalisation(reference):
    classifier = load_classifier("tiny", engine="onnx")
    rgb = np.repeat(FACES[..., None], 3, axis=3)
    assert np.abs(classifier.predict_proba(rgb) - reference.predict_proba(rgb)).max() < 1e-4
    wide = np.random.default_rng(1).integers(0, 256, (2, 100, 80), dtype=np.uint8)
    assert np.abs(classifier.predict_proba(wide) - reference.predict_proba(wide)).max() < 1e-5
    about = checkpoints.load("tiny").about
    checkpoints.update_sidecar("tiny", preprocessing=about["preprocessing"] | {"equalise": "clahe"})
    expected = Classifier(checkpoints.load("tiny")).predict_proba(FACES)
    assert np.abs(load_classifier("tiny", engine="onnx").predict_proba(FACES) - expected).max() < 1e-4
    assert np.abs(expected - reference.predict_proba(FACES)).max() > 1e-4


def test_wrong_input_is_refused_alike(reference):
    classifier = load_classifier("tiny", engine="onnx")
    for faces in (FACES.astype(np.float32), FACES[0, 0]):
        with pytest.raises(ValueError, match="faces must be"):
            classifier.predict_proba(faces)


def test_onnx_runtime_is_the_default_and_torch_can_be_named(tiny_checkpoint):
    assert ferlib.load_classifier("tiny").engine == "onnx"
    assert type(load_classifier("tiny", engine="torch")) is Classifier
    assert load_classifier("tiny", engine="torch").engine == "torch"


def test_threads_of_torch(tiny_checkpoint):
    before = torch.get_num_threads()
    try:
        load_classifier("tiny", engine="torch", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"engine": "onnxx"}, "no engine 'onnxx'; choose one of onnx, int8"), ({"threads": 0}, "at least 1, not 0")],
)
def test_impossible_wishes(tiny_checkpoint, options, sentence):
    with pytest.raises(FerlibError, match=sentence):
        load_classifier("tiny", **options)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_without_the_package_torch_steps_in_with_one_warning(tiny_checkpoint, monkeypatch, caplog, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(loading, "_warned", set())
    assert [load_classifier("tiny").engine for _ in range(3)] == ["torch"] * 3
    assert [record.name for record in caplog.records] == ["ferlib.inference.loading"]
    assert "tiny runs in torch, which is slower" in caplog.text
    with pytest.raises(FerlibError, match=f"needs the package {package}; install it"):
        load_classifier("tiny", engine="onnx")


@pytest.mark.parametrize("package", ["torch", "timm"])
def test_without_torch_another_model_is_one_sentence(tiny_checkpoint, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert load_classifier("convnext").engine == "onnx"  # the shipped one comes with its graph
    for engine in ENGINES:
        with pytest.raises(
            FerlibError, match=rf"needs the package {package}; install it: pip install 'ferlib\[train\]'|8-bit"
        ):
            load_classifier("tiny", engine=engine)


def test_openvino_that_is_missing_is_named(tiny_checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(FerlibError, match=r"needs the package openvino; install it: pip install 'ferlib\["):
        load_classifier("tiny", engine="openvino")


def test_a_graph_that_no_runtime_takes(tiny_checkpoint, monkeypatch, caplog):
    monkeypatch.setattr(onnx_export, "load_graph", lambda about, load: b"no graph at all")
    monkeypatch.setattr(loading, "_warned", set())
    for engine in ("onnx", "openvino"):
        with pytest.raises(FerlibError, match="cannot use the graph"):
            load_classifier("tiny", engine=engine)
    assert load_classifier("tiny").engine == "torch"
    assert "cannot use the graph" in caplog.text


@pytest.mark.filterwarnings("error")
def test_a_missing_checkpoint_is_not_hidden_by_the_fallback(tiny_checkpoint):
    for engine in (None, *ENGINES):
        with pytest.raises(FerlibError, match="there is no checkpoint 'none'"):
            load_classifier("none", engine=engine)


@pytest.mark.parametrize("wrong", [{"temperature": "warm"}, {"preprocessing": {"side": 48}}])
@pytest.mark.filterwarnings("ignore:tiny runs in torch")
def test_a_sidecar_that_cannot_be_used_is_named_with_every_engine(tiny_checkpoint, wrong):
    load_classifier("tiny")  # its graph is there
    checkpoints.update_sidecar("tiny", **wrong)
    for engine in (None, "onnx", "torch"):
        with pytest.raises(FerlibError, match="the sidecar of 'tiny' cannot be used"):
            load_classifier("tiny", engine=engine)
