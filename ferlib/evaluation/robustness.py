"""Robustness: accuracy on faces that are blurred, noisy, dark, turned, covered or small, in five strengths each."""

from collections.abc import Callable

import cv2
import numpy as np

from ferlib.evaluation.metrics import accuracy_rate

Change = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""(48, 48) uint8 grey, strength, generator -> (48, 48) grey or (48, 48, 3) RGB, uint8."""

_EYES, _MOUTH = 0.39, 0.77  # height of eyes and mouth in FER2013's frame, shares of the side from the top


def blur(face: np.ndarray, sigma: float, _: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian; sigma in pixels."""
    return cv2.GaussianBlur(face, (0, 0), sigma)


def noise(face: np.ndarray, deviation: float, generator: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise; standard deviation in grey levels."""
    return _to_bytes(face + generator.normal(0, deviation, face.shape))


def low_light(face: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Leave a share of the light, with the photon noise of a sensor that counts 1,000 electrons at white."""
    electrons = generator.poisson(face / 255 * share * 1000)
    return _to_bytes(electrons / 1000 * 255)


def contrast(face: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    """Multiply the contrast by a factor around the face's mean."""
    mean = face.mean()
    return _to_bytes((face - mean) * factor + mean)


def jpeg(face: np.ndarray, quality: float, _: np.random.Generator) -> np.ndarray:
    """Compress as JPEG, quality 1 to 100, and decompress."""
    data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))


def rotation(face: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    """Rotate by so many degrees to either side; the border is repeated."""
    side = face.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees * generator.choice([-1, 1]), 1.0)
    return cv2.warpAffine(face, turn, (side, side), borderMode=cv2.BORDER_REPLICATE)


def cover_eyes(face: np.ndarray, share: float, _: np.random.Generator) -> np.ndarray:
    """Cover the eyes with a mid-grey bar, `share` of the face high."""
    return _cover(face, _EYES, share)


def cover_mouth(face: np.ndarray, share: float, _: np.random.Generator) -> np.ndarray:
    """Cover the mouth with a mid-grey bar, `share` of the face high."""
    return _cover(face, _MOUTH, share)


def low_resolution(face: np.ndarray, side: float, _: np.random.Generator) -> np.ndarray:
    """Shrink to a width of `side` pixels, then enlarge again."""
    small = cv2.resize(face, (int(side), int(side)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_LINEAR)


def tint(face: np.ndarray, strength: float, generator: np.random.Generator) -> np.ndarray:
    """Colour the light: red, green and blue lose up to `strength` each; the face becomes RGB."""
    light = 1 - strength * generator.random(3)
    return _to_bytes(face[..., None] * light)


CHANGES: dict[str, tuple[Change, tuple[float, ...], str]] = {
    "blur": (blur, (0.5, 1.0, 1.5, 2.0, 3.0), "sigma, pixels"),
    "noise": (noise, (5, 10, 20, 30, 50), "deviation, grey levels"),
    "low light": (low_light, (0.5, 0.3, 0.2, 0.1, 0.05), "share of the light"),
    "contrast": (contrast, (0.7, 0.5, 0.3, 0.2, 0.1), "factor"),
    "JPEG": (jpeg, (50, 30, 20, 10, 5), "quality"),
    "rotation": (rotation, (5, 10, 20, 30, 45), "degrees"),
    "eyes covered": (cover_eyes, (0.05, 0.1, 0.15, 0.2, 0.3), "bar, share of the face"),
    "mouth covered": (cover_mouth, (0.05, 0.1, 0.15, 0.2, 0.3), "bar, share of the face"),
    "low resolution": (low_resolution, (32, 24, 16, 12, 8), "pixels wide"),
    "tint": (tint, (0.1, 0.2, 0.4, 0.6, 0.8), "largest loss of a colour"),
}
"""Name -> (change, strengths from weak to strong, unit of the strength)."""


def change_faces(faces: np.ndarray, name: str, strength: float, seed: int = 0) -> np.ndarray:
    """Apply a change to each face; the same seed gives the same faces.

    Args:
        faces: (N, 48, 48) uint8.
        name: key of `CHANGES`.
        strength: strength in the unit of the change.
        seed: seed of the random changes.

    Returns:
        (N, 48, 48) or (N, 48, 48, 3) uint8.
    """
    change, _, _ = CHANGES[name]
    generator = np.random.default_rng(seed)
    return np.stack([change(np.ascontiguousarray(face), strength, generator) for face in faces])


def measure_robustness(
    predict: Callable[[np.ndarray], np.ndarray], faces: np.ndarray, labels: np.ndarray, seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict:  # fmt: skip
    """Measure the accuracy under every change at every strength, on the same images.

    Args:
        predict: (N, H, W) or (N, H, W, 3) uint8 faces -> (N, 8) probabilities.
        faces: (N, 48, 48) uint8.
        labels: (N,) class indices, all of them 0 or more.
        seed: seed of the random changes.
        progress: gets the name of each change as it begins.

    Returns:
        JSON-ready: ``n``, the accuracy on ``clean`` faces with its interval, and under ``changes`` unit, strengths,
        accuracies and intervals of each change.
    """
    clean = predict(faces).argmax(axis=1) == labels
    result: dict = {"n": len(labels), "clean": accuracy_rate(clean), "changes": {}}
    for name, (_, strengths, unit) in CHANGES.items():
        if progress:
            progress(name)
        hits = [predict(change_faces(faces, name, strength, seed)).argmax(axis=1) == labels for strength in strengths]
        result["changes"][name] = {"unit": unit, "strengths": list(strengths), **_columns(map(accuracy_rate, hits))}
    return result


def draw_labelled(labels: np.ndarray, most: int, seed: int = 0) -> np.ndarray:
    """Draw images with a label at random, without replacement.

    Args:
        labels: (N,) labels, -1 for none.
        most: largest number of images.
        seed: seed of the draw.

    Returns:
        Sorted indices of the images.
    """
    candidates = np.flatnonzero(np.asarray(labels) >= 0)
    return np.sort(np.random.default_rng(seed).permutation(candidates)[:most])


def _columns(rows) -> dict[str, list]:
    rows = list(rows)
    return {name: [row[name] for row in rows] for name in ("accuracy", "interval")}


def _cover(face: np.ndarray, centre: float, share: float) -> np.ndarray:
    side = face.shape[0]
    top = round(side * (centre - share / 2))
    covered = face.copy()
    covered[max(top, 0) : top + max(1, round(side * share))] = 127
    return covered


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)
