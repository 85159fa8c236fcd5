import numpy as np
import onnx
import pytest
from facenet_pytorch import MTCNN

from ferlib.errors import FerlibError
from ferlib.faces.mtcnn import build
from ferlib.faces.mtcnn.nets import NAMES, OnnxNets, TorchNets, net_path


@pytest.fixture(scope="module")
def nets():
    return OnnxNets(), TorchNets(MTCNN())


@pytest.mark.parametrize(
    ("name", "shape"),
    [("pnet", (1, 3, 12, 12)), ("pnet", (1, 3, 37, 50)), ("rnet", (5, 3, 24, 24)), ("onet", (3, 3, 48, 48))],
)
def test_the_graphs_say_what_facenet_pytorch_says(nets, name, shape):
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    ours, theirs = (getattr(engine, name)(pixels) for engine in nets)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_crops_are_judged_one_by_one_as_together(nets):
    pixels = np.random.default_rng(0).uniform(0, 255, (7, 3, 24, 24)).astype(np.float32)
    together = nets[0].rnet(pixels)
    np.testing.assert_allclose(np.concatenate([nets[0].rnet(pixels[k : k + 1]) for k in range(7)]), together, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_graphs_are_what_the_weights_give(name):
    stored, built = onnx.load(net_path(name)), onnx.load_model_from_string(build.build_graph(name))
    assert stored.graph == built.graph


def test_missing_weights_are_reported(monkeypatch):
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    with pytest.raises(FerlibError, match="install facenet-pytorch"):
        build.build_graph("pnet")
