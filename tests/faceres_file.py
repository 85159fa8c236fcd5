"""Random weights of FaceRes in the form of its npm package."""

import json

import numpy as np


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
