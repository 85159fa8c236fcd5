import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.inference import graphs, onnx_export
from ferlib.inference.classifier import Classifier
from ferlib.inference.loading import load_classifier
from ferlib.inference.sessions import OnnxSession
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

FACES = np.random.default_rng(1).integers(0, 256, (5, 48, 48), dtype=np.uint8)


def save(name, architecture, pre, **options):
    torch.manual_seed(0)
    arguments = {"name": architecture, "channels": pre.channels, **options}
    model = build_model(**arguments)
    for key, value in model.state_dict().items():
        if key.endswith("gamma"):
            value.copy_(torch.rand_like(value))
    checkpoints.save(name, model.state_dict(), {"model": arguments, "preprocessing": pre.to_dict(), "temperature": 0.5})
    return checkpoints.load(name)


def load_graph(name):
    about, _ = checkpoints.describe(name)
    return onnx_export.load_graph(about, lambda: checkpoints.load(name))


def test_a_graph_says_what_it_was_made_from(tiny_checkpoint):
    about, _ = checkpoints.describe("tiny")
    metadata = onnx_export.metadata(load_graph("tiny"))
    assert metadata == graphs.graph_identity(about)
    assert metadata["weights_sha256"] == about["weights_sha256"]
    assert json.loads(metadata["classes"]) == about["classes"]
    assert (metadata["temperature"], metadata["layout"]) == ("1.0", graphs.LAYOUT)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "stem", "size"),
    [
        ("convnext_atto", "", 64), ("convnext_atto", "conv", 64), ("convnext_atto", "half", 64),
        ("convnext_atto", "lite", 64), ("convnext_atto", "face", 96), ("mobilenetv3_large_100", "", 80),
        ("efficientnet_b2", "", 64), ("tf_efficientnet_lite2", "", 112), ("face_resnet", "", 80),
    ],
)  # fmt: skip
def test_every_architecture_at_another_size_in_three_channels(tiny_checkpoint, architecture, stem, size):
    pre = Preprocessing(size=size, channels=3, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    checkpoint = save("net", architecture, pre, **({"stem": stem} if stem else {}))
    session = OnnxSession(load_graph("net"), threads=1)
    classifier = Classifier(checkpoint)
    assert np.abs(session.run(FACES, "probabilities") - classifier.predict_proba(FACES)).max() < 1e-4
    logits = torch.from_numpy(session.run(FACES[:1], "logits"))
    assert np.abs(logits.softmax(1).numpy() - classifier.predict_proba(FACES[:1], calibrated=False)).max() < 1e-4


@pytest.mark.parametrize("name", checkpoints.available())
def test_every_shipped_model_runs_in_onnx_runtime_by_default(name):
    assert load_classifier(name).engine == "onnx"


def test_what_is_stored_of_the_shipped_export_holds():
    about, _ = checkpoints.describe()
    report = json.loads((paths.PUBLISHED / about["name"] / "export.json").read_text())
    assert report["weights_sha256"] == about["weights_sha256"]
    assert report["max_difference"] < 1e-4
    accuracy = report["accuracy"]
    assert abs(accuracy["onnx"] - accuracy["torch"]) <= 0.0005
    assert accuracy["torch"] - accuracy["int8"] <= 0.003


def test_it_is_made_once(tiny_checkpoint, monkeypatch):
    first = load_graph("tiny")
    monkeypatch.setattr(onnx_export, "export_graph", lambda checkpoint: pytest.fail("made again"))
    assert load_graph("tiny") == first
    assert sorted(path.suffix for path in (paths.PROCESSED / "graphs").iterdir()) == [".json", ".onnx"]


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "one bit", "no card", "layout", "temperature"])
def test_what_does_not_fit_is_made_anew(tiny_checkpoint, monkeypatch, damage):
    first = load_graph("tiny")
    about, _ = checkpoints.describe("tiny")
    path = graphs.graph_path(about)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(first[: len(first) // 2])
    elif damage == "text":
        path.write_bytes(b"no graph")
    elif damage == "one bit":
        path.write_bytes(first[:-200] + bytes([first[-200] ^ 1]) + first[-199:])
    elif damage == "no card":
        graphs.card_path(path).unlink()
    elif damage == "layout":
        monkeypatch.setattr(graphs, "LAYOUT", "next")
    else:
        checkpoints.update_sidecar("tiny", temperature=2.0)
    again = load_graph("tiny")
    about, _ = checkpoints.describe("tiny")
    assert onnx_export.metadata(again) == graphs.graph_identity(about)
    assert path.read_bytes() == again
    OnnxSession(again, threads=1).run(FACES, "probabilities")


def test_other_weights_are_another_file(tiny_checkpoint):
    load_graph("tiny")
    state = checkpoints.load("tiny").model.state_dict()
    about, _ = checkpoints.describe("tiny")
    checkpoints.save("tiny", {key: value * 1.5 for key, value in state.items()}, about)
    load_graph("tiny")
    assert len(list((paths.PROCESSED / "graphs").glob("*.onnx"))) == 2


def test_a_graph_that_differs_from_torch_is_refused(tiny_checkpoint, monkeypatch):
    checkpoint = checkpoints.load("tiny")
    graph = onnx_export.export_graph(checkpoint)
    colder = replace(checkpoint, temperature=0.5)
    assert onnx_export.largest_difference(checkpoint, graph) < 1e-4 < onnx_export.largest_difference(colder, graph)
    monkeypatch.setattr(onnx_export, "largest_difference", lambda *_: 2e-4)
    with pytest.raises(FerlibError, match=r"differs from torch by 2\.0e-04"):
        onnx_export.export_graph(checkpoint)


def test_what_torch_cannot_write_is_one_sentence(tiny_checkpoint, monkeypatch):
    def fail(*args, **options):
        raise RuntimeError("unknown operator\nand a page of it")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(FerlibError, match=r"'tiny' cannot be written as ONNX \(unknown operator\); use"):
        onnx_export.export_graph(checkpoints.load("tiny"))


def test_where_nothing_can_be_written_it_works_still(tiny_checkpoint):
    paths.PROCESSED.write_text("a file where the folder should be")
    assert onnx_export.metadata(load_graph("tiny"))["name"] == "tiny"
