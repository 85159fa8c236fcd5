"""Cost in accuracy of the whole live path: faces are pasted into pictures, detected, cropped and classified."""

from collections.abc import Callable

import numpy as np

from ferlib.evaluation.crop_fit import place_and_find
from ferlib.evaluation.metrics import accuracy_rate, bootstrap_mean
from ferlib.faces.cropping import CropSpec, crop_face
from ferlib.faces.detector import FaceDetector
from ferlib.models.preprocessing import FACE_SIZE

ROLL = 15.0
"""Largest turn of a pasted face to either side, in degrees, beyond its own tilt."""


def measure_live_path(
    predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, labels: np.ndarray, detector: FaceDetector,
    *, crop: CropSpec | None = None, roll: float = 0.0, seed: int = 0,
) -> dict:  # fmt: skip
    """Measure the accuracy through the whole live path beside that on the data set's own crops.

    Args:
        predict: (N, 48, 48) uint8 faces -> (N, 8) probabilities.
        faces: (N, 48, 48) uint8.
        labels: (N,) class indices, all of them 0 or more.
        detector: detector of the pipeline.
        crop: crop around a detected face; None for the pipeline's own.
        roll: largest turn of a pasted face to either side, in degrees.
        seed: seed of place, width and turn in the picture of 640x480 (`place_and_find`).

    Returns:
        JSON-ready: ``n``, ``roll``, ``found`` (share of faces detected), ``crop``, ``live`` (a missed face counts as an
        error) and ``live_if_found``, each with ``accuracy`` and its 95 % bootstrap ``interval``, and the paired
        ``cost``, crop minus live.
    """
    random, labels = np.random.default_rng(seed), np.asarray(labels)
    crops: list[np.ndarray | None] = []
    for face in faces:
        picture, detection = place_and_find(np.ascontiguousarray(face), detector, random, roll=roll)
        crops.append(None if detection is None else crop_face(picture, detection, crop, size=FACE_SIZE))
    detected = np.array([face_crop is not None for face_crop in crops], bool)
    direct = predict(np.asarray(faces)).argmax(axis=1) == labels
    through = np.zeros(len(labels), bool)
    if detected.any():
        detected_crops = np.stack([face_crop for face_crop in crops if face_crop is not None])
        through[detected] = predict(detected_crops).argmax(axis=1) == labels[detected]
    cost = direct.astype(np.float64) - through
    result = {
        "n": len(labels), "roll": roll, "found": float(detected.mean()),
        "crop": accuracy_rate(direct), "live": accuracy_rate(through),
        "cost": {"difference": float(cost.mean()), "interval": list(bootstrap_mean(cost))},
    }  # fmt: skip
    return result | ({"live_if_found": accuracy_rate(through[detected])} if detected.any() else {})
