"""How much accuracy the way through a picture costs: pasted, detected, cropped and classified."""

from collections.abc import Callable

import numpy as np

from ferlib.evaluation.crop_fit import place_and_find
from ferlib.evaluation.metrics import bootstrap_mean, rate
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.faces.detector import FaceDetector

ROLL = 15.0
"""Degrees that a pasted face is turned at most, to either side, beyond its own tilt."""


def live_path(
    predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, labels: np.ndarray, detector: FaceDetector,
    *, crop: CropSpec | None = None, roll: float = 0.0, seed: int = 0,
) -> dict:  # fmt: skip
    """Accuracy through the whole live path beside the accuracy on the data set's own crops, JSON-ready.

    Args:
        predict: (N, 48, 48) uint8 faces -> (N, 8) probabilities.
        faces: (N, 48, 48) uint8; labels: (N,) class indices, all of them 0 or more.
        detector: as the camera has it; crop: None for the pipeline's own.
        roll: degrees that a pasted face is turned at most, to either side.
        seed: of place, width and turn in the picture of 640x480 (`place_and_find`).

    Returns:
        ``n``, ``found`` (share), ``crop``, ``live`` (a missed face counts as an error) and ``live_if_found``, each
        with ``accuracy`` and its 95 % bootstrap ``interval``, and the paired ``cost``, crop minus live.
    """
    random, labels = np.random.default_rng(seed), np.asarray(labels)
    crops: list[np.ndarray | None] = []
    for face in faces:
        picture, detection = place_and_find(np.ascontiguousarray(face), detector, random, roll=roll)
        crops.append(None if detection is None else crop_face(picture, detection, crop))
    found = np.array([one is not None for one in crops], bool)
    direct = predict(np.asarray(faces)).argmax(axis=1) == labels
    through = np.zeros(len(labels), bool)
    if found.any():
        seen = np.stack([one for one in crops if one is not None])
        through[found] = predict(seen).argmax(axis=1) == labels[found]
    cost = direct.astype(np.float64) - through
    result = {
        "n": len(labels), "roll": roll, "found": float(found.mean()), "crop": rate(direct), "live": rate(through),
        "cost": {"difference": float(cost.mean()), "interval": list(bootstrap_mean(cost))},
    }  # fmt: skip
    return result | ({"live_if_found": rate(through[found])} if found.any() else {})
