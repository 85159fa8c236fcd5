import pytest
import torch

from ferlib.errors import FerlibError
from ferlib.models.networks import MODELS, TIMM_MODELS, CustomCNN, build_model

MILLIONS = {
    "mobilenetv3_large_100": 4.2, "efficientnet_b2": 7.7, "convnext_atto": 3.4, "tf_efficientnet_lite2": 4.8,
    "face_resnet": 4.4, "faceres": 3.2,
}  # fmt: skip


@pytest.mark.parametrize("name", ["custom_cnn", "mobilenetv3_large_100", "convnext_atto", "tf_efficientnet_lite2"])
@pytest.mark.parametrize(("channels", "size"), [(1, 48), (3, 64)])
def test_models_map_faces_to_eight_logits(name, channels, size):
    model = build_model(name, channels=channels, dropout=0.1).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, channels, size, size)).shape == (2, 8)
    assert model.get_classifier().out_features == 8


@pytest.mark.parametrize(("name", "millions"), MILLIONS.items())
def test_sizes_are_those_of_the_literature_with_eight_classes(name, millions):
    count = sum(parameter.numel() for parameter in build_model(name, channels=3).parameters())
    assert round(count / 1e6, 1) == millions


def test_custom_cnn_is_as_large_as_documented():
    assert sum(parameter.numel() for parameter in CustomCNN().parameters()) == 3_121_128
    assert set(MODELS) == {"custom_cnn", "face_resnet", "faceres", *TIMM_MODELS}


def test_channels_and_dropout_reach_the_network():
    model = build_model("custom_cnn", channels=3, dropout=0.4, width=0.125)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 8)
    assert model.dropout.p == 0.4


@pytest.mark.slow
@pytest.mark.parametrize(("stem", "side"), [("", 16), ("conv", 16), ("half", 32), ("lite", 8)])
def test_stems_have_their_resolution(stem, side):
    model = build_model("convnext_atto", stem=stem).eval()
    faces = torch.zeros(2, 1, 64, 64)
    with torch.inference_mode():
        assert model.stem(faces).shape == (2, 40, side, side)
        assert model(faces).shape == (2, 8)


def test_the_face_stem_stands_in_the_place_of_the_first_stage():
    model = build_model("convnext_atto", channels=3, stem="face").eval()
    faces = torch.zeros(2, 3, 64, 64)
    with torch.inference_mode():
        assert model.stem(faces).shape == (2, 64, 8, 8)
        assert model.forward_features(faces).shape == (2, 320, 2, 2)  # as ConvNeXt has from 64 pixels with its own stem
    assert sum(len(getattr(stage, "blocks", ())) for stage in model.stages) == 10


def test_above_the_lite_stem_come_the_last_three_convnext_stages():
    model = build_model("convnext_atto", channels=3, stem="lite").eval()
    with torch.inference_mode():
        features = model.forward_features(torch.zeros(1, 3, 96, 96))
    assert features.shape == (1, 320, 3, 3)  # as ConvNeXt has from 96 pixels with its own stem
    assert sum(len(stage.blocks) for stage in list(model.stages)[1:]) == 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "vgg99"}, "no model 'vgg99'; choose one of custom_cnn"),
        ({"name": "custom_cnn", "stem": "conv"}, "no patch stem"),
        ({"name": "convnext_atto", "stem": "root"}, "no stem 'root'; choose one of conv, half, lite, face"),
        ({"name": "custom_cnn", "drop_path": 0.1}, "no stochastic depth"),
        ({"name": "convnext_atto", "width": 0.5}, "fixed width"),
        ({"name": "convnext_atto", "stem": "face"}, "a face stem sees three channels"),
        ({"name": "face_resnet"}, "sees three channels"),
        ({"name": "face_resnet", "channels": 3, "width": 0.5}, "fixed width"),
        ({"name": "custom_cnn", "layer_scale": 1.0}, "no layer scales"),
    ],
)
def test_impossible_models_are_refused(arguments, sentence):
    with pytest.raises(FerlibError, match=sentence):
        build_model(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenetv3_large_100", "convnext_atto", "tf_efficientnet_lite2"])
def test_a_new_network_starts_undecided(name):
    torch.manual_seed(0)
    probabilities = build_model(name, channels=3)(torch.rand(8, 3, 64, 64)).softmax(dim=1)
    assert probabilities.max() < 0.3


@pytest.mark.parametrize("name", ["custom_cnn", "convnext_atto", "faceres"])
def test_a_network_of_both_questions_has_fifteen_logits(name):
    model = build_model(name, channels=3, questions=("seen", "meant")).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 15)
    assert model.get_classifier().out_features == 15
