import pytest
import torch

from ferlib.inference import deployed
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing, resize
from ferlib.models.questions import QuestionRule


def lively(name, **options):
    """Build a network in which every weight counts: random scales and running statistics."""
    torch.manual_seed(0)
    model = build_model(name, **options).eval()
    for key, value in model.state_dict().items():
        if key.endswith("gamma") or "running" in key:
            value.copy_(torch.rand_like(value) * 0.5 + 0.5)
    return model


@pytest.mark.parametrize("size", [24, 48, 80, 96])
def test_two_matrix_products_are_the_resizing(size):
    images = torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8)
    rows = deployed.torch_resampling(48, size)
    expected = resize(images, size).squeeze(1) * 255
    assert torch.allclose(rows @ images.float() @ rows.T, expected, atol=1e-3)


@pytest.mark.parametrize(("name", "stem"), [("convnext_atto", "lite"), ("convnext_atto", "")])
def test_simplifying_changes_nothing_but_rounding(name, stem):
    model = lively(name, channels=3, stem=stem)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    plain = deployed.simplify(model, 3, 52)
    images = torch.rand(2, 3, 52, 52)
    with torch.inference_mode():
        assert torch.allclose(plain(images), model(images), atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())  # it was a copy
    assert not any(type(module).__name__ == "Conv2dSame" for module in plain.modules())
    assert not any("gamma" in key for key in plain.state_dict())


@pytest.mark.parametrize("channels", [1, 3])
def test_the_deployed_net_is_preprocessing_network_and_softmax(channels):
    pre = Preprocessing(size=32, channels=channels, mean=(0.4, 0.5, 0.6)[:channels], std=(0.2, 0.3, 0.25)[:channels])
    model = lively("custom_cnn", channels=channels, width=0.125)
    faces = torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8)
    with torch.inference_mode():
        probabilities, logits = deployed.DeployedNet(model, pre, QuestionRule(("seen",), (0.5,), "seen", 0.5), 48)(
            faces
        )
        expected = model(pre(faces.numpy()))
    assert torch.allclose(logits, expected, atol=1e-5)
    assert torch.allclose(probabilities, (expected / 0.5).softmax(dim=1), atol=1e-5)
