import pytest
import torch

from ferlib.errors import FerlibError
from ferlib.learning.models import MODELS, CustomCNN, build_model


@pytest.mark.parametrize("name", sorted(MODELS))
@pytest.mark.parametrize("size", [40, 48])
def test_every_model_maps_faces_to_eight_logits(name, size):
    model = build_model(name, width=0.25).eval()
    assert model(torch.zeros(2, 1, size, size)).shape == (2, 8)


def test_custom_cnn_is_as_large_as_documented():
    assert sum(parameter.numel() for parameter in CustomCNN().parameters()) == 3_121_128


def test_channels_and_dropout_reach_the_network():
    model = build_model("custom_cnn", channels=3, dropout=0.4, width=0.125)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 8)
    assert model.dropout.p == 0.4


def test_unknown_model_is_named():
    with pytest.raises(FerlibError, match="no model 'vgg99'; choose one of custom_cnn"):
        build_model("vgg99")
