import numpy as np
import pytest
from facenet_pytorch import MTCNN

from ferlib.errors import FerlibError
from ferlib.faces.mtcnn import nets as mtcnn_engine
from ferlib.faces.mtcnn.nets import OnnxNets, TorchNets


@pytest.fixture(scope="module")
def nets():
    return OnnxNets(), TorchNets(MTCNN())


@pytest.mark.parametrize(
    ("name", "shape"),
    [("pnet", (1, 3, 12, 12)), ("pnet", (1, 3, 37, 50)), ("rnet", (5, 3, 24, 24)), ("onet", (3, 3, 48, 48))],
)
def test_the_graphs_say_what_facenet_pytorch_says(nets, name, shape):
    pixels = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    ours, theirs = (getattr(one, name)(pixels) for one in nets)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_one_that_stays_is_one_that_was_there(nets):
    pixels = np.random.default_rng(0).uniform(0, 255, (7, 3, 24, 24)).astype(np.float32)
    whole = nets[0].rnet(pixels)
    np.testing.assert_allclose(np.concatenate([nets[0].rnet(pixels[k : k + 1]) for k in range(7)]), whole, atol=1e-5)


def test_missing_weights_are_told(monkeypatch):
    monkeypatch.setattr(mtcnn_engine, "find_spec", lambda name: None)
    with pytest.raises(FerlibError, match="install facenet-pytorch"):
        OnnxNets()
