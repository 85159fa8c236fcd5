import numpy as np
import pytest
import torch

from ferlib.data.drawn.dataset import draw_faces
from ferlib.evaluation import explain
from ferlib.evaluation.explain import explained_layer, grad_cam, mean_maps
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing


class Halves(torch.nn.Module):
    """Class 0 is the brightness of the upper half, class 1 that of the lower half."""

    def __init__(self):
        super().__init__()
        self.features = torch.nn.Conv2d(1, 1, 1)
        torch.nn.init.ones_(self.features.weight)
        torch.nn.init.zeros_(self.features.bias)

    def forward(self, x):
        rows = self.features(x).mean(dim=(1, 3))
        half = rows.shape[1] // 2
        zero = torch.zeros(len(x), 6)
        return torch.cat([rows[:, :half].sum(1, keepdim=True), rows[:, half:].sum(1, keepdim=True), zero], dim=1)


@pytest.fixture
def halves():
    return Checkpoint("halves", Halves().eval(), Preprocessing(size=8, mean=(0.0,), std=(1.0,)), 1.0, {})


def test_grad_cam_is_captums_weighting_of_the_layer(halves):
    faces = np.zeros((2, 8, 8), np.uint8)
    faces[0, 1, 2], faces[1, 6, 6] = 255, 255
    maps = grad_cam(halves, faces, np.array([0, 1]))
    assert maps.shape == (2, 8, 8)
    assert np.unravel_index(maps[0].argmax(), (8, 8)) == (1, 2)
    assert np.unravel_index(maps[1].argmax(), (8, 8)) == (6, 6)
    assert maps.max() == 1


def test_a_face_that_speaks_for_nothing_has_an_empty_map(halves):
    assert grad_cam(halves, np.zeros((1, 8, 8), np.uint8), np.array([0])).max() == 0
    assert len(grad_cam(halves, np.zeros((0, 8, 8), np.uint8), np.array([], int))) == 0
    with pytest.raises(ValueError, match="as many classes"):
        grad_cam(halves, np.zeros((2, 8, 8), np.uint8), np.array([0]))


@pytest.mark.parametrize(
    ("name", "size", "layer", "side"),
    [
        ("custom_cnn", 48, "features", 6), ("convnext_atto", 64, "stages.2", 4),
        ("tf_efficientnet_lite2", 96, "blocks.4", 6), ("mobilenetv3_large_100", 96, "blocks.4", 6),
    ],
)  # fmt: skip
def test_each_network_has_a_layer_to_explain(name, size, layer, side):
    channels = 1 if name == "custom_cnn" else 3
    mean, std = ((0.5,), (0.25,)) if channels == 1 else (IMAGENET_MEAN, IMAGENET_STD)
    torch.manual_seed(0)
    model = build_model(name, channels=channels).eval()
    checkpoint = Checkpoint(name, model, Preprocessing(size, "none", channels, mean, std), 1.0, {})
    faces = draw_faces([4, 7], seed=0, size=48)
    assert explained_layer(model, checkpoint.preprocessing(faces[:1]))[0] == layer
    maps = grad_cam(checkpoint, faces, np.array([4, 7]))
    assert maps.shape[0] == 2
    assert min(maps.shape[1:]) >= side
    assert ((maps >= 0) & (maps <= 1)).all()


def test_mean_maps_average_the_recognised_faces_of_each_emotion(halves, monkeypatch):
    monkeypatch.setattr(explain, "MIN_FACES", 2)
    faces = np.zeros((5, 8, 8), np.uint8)
    for face, (row, column) in zip(faces, ((1, 1), (2, 2), (6, 6), (5, 5), (2, 3)), strict=True):
        face[row, column] = 255
    averages = mean_maps(halves, faces, np.array([0, 0, 1, 0, -1]))  # the fourth is taken for class 1
    assert averages["counts"].tolist() == [2, 1, 0, 0, 0, 0, 0, 0]
    assert np.argwhere(averages["maps"][0] == 0.5).tolist() == [[1, 1], [2, 2]]
    assert np.isnan(averages["maps"][1:]).all()  # one face's map would be that of a person
    assert (averages["mean_face"] == 127).all()  # five faces are too few for an average that shows nobody


def test_the_mean_face_needs_a_hundred_faces(halves):
    faces = np.full((100, 8, 8), 40, np.uint8)
    assert (mean_maps(halves, faces, np.zeros(100, int))["mean_face"] == 40).all()


def test_without_maps_there_is_nothing_to_explain():
    with pytest.raises(ValueError, match="no layer"):
        explained_layer(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 8)), torch.zeros(1, 1, 8, 8))
