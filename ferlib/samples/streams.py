"""Synthetic streams with known truth: faces that move and vanish, and expressions as a shaky classifier sees them.

They hold the answers of a detector and a classifier instead of pictures, so that identities and flicker can be measured
exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferlib.data.labels import EMOTIONS
from ferlib.pipeline import Face

# Landmarks in a box, as shares of its width and height, where MTCNN finds them.
_LANDMARKS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])

FRAME = (640, 480)
"""Width and height of a frame, in pixels."""

SCENES = ("standing", "crossing", "vanishing", "leaving", "crowd")
"""Kinds of `scene`."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A synthetic stream of faces with their true identities.

    Attributes:
        times: time of each frame, in seconds.
        faces: faces of each frame.
        people: true identity of each of these faces.
    """

    times: list[float]
    faces: list[list[Face]]
    people: list[list[int]]


def expressions(
    seconds: float = 60.0, rate: float = 15.0, hold: float = 3.0, seed: int = 0, forget: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate one face with changing expressions, as a shaky classifier sees it.

    The scores are 2.5 for the true class and 0 for the others, plus noise of standard deviation 1.2 that is correlated
    in time: the faster the frames come, the more alike neighbours are, as in a video.

    Args:
        seconds: length of the stream.
        rate: frames a second.
        hold: seconds until the true expression changes.
        seed: decides expressions and noise.
        forget: seconds in which the correlation of the noise falls to 1/e.

    Returns:
        Times (N,) in seconds, probabilities (N, 8) float32, and true class indices (N,).
    """
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * rate)) / rate
    order = [int(rng.integers(len(EMOTIONS)))]
    while len(order) * hold < seconds:
        order.append(int((order[-1] + rng.integers(1, len(EMOTIONS))) % len(EMOTIONS)))
    truth = np.array(order)[np.minimum((times / hold + 1e-9).astype(int), len(order) - 1)]
    correlation = float(np.exp(-1 / (rate * forget)))  # of neighbouring frames
    noise = rng.normal(size=(len(times), len(EMOTIONS)))
    for index in range(1, len(times)):
        noise[index] = correlation * noise[index - 1] + np.sqrt(1 - correlation**2) * noise[index]
    scores = np.exp(1.2 * noise + 2.5 * np.eye(len(EMOTIONS))[truth])
    return times, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32), truth


def scene(kind: str, rate: float = 12.0, seed: int = 0) -> Scene:
    """Simulate eight seconds of faces whose boxes shake by two pixels, as a detector's do.

    Args:
        kind: one of `SCENES`:

            - ``standing``: three faces stay.
            - ``crossing``: two faces pass each other, and the nearer one hides the other while they overlap by much.
            - ``vanishing``: one of two faces is not found for half a second, twice.
            - ``leaving``: a face goes out to the right, and half a second later another comes in there.
            - ``crowd``: thirty faces in rows sway.
        rate: frames a second.
        seed: decides how the boxes shake.

    Raises:
        ValueError: an unknown kind.
    """
    rng = np.random.default_rng(seed)
    times = [index / rate for index in range(round(8 * rate))]
    faces, people = [], []
    for time in times:
        visible = [(person, box) for person, box in _boxes_at(kind, time) if box is not None]
        faces.append([made_face(box + rng.normal(0, 2, 4).round(1)) for _, box in visible])
        people.append([person for person, _ in visible])
    return Scene(times, faces, people)


def made_face(box: Sequence[float] | np.ndarray, probabilities: np.ndarray | None = None) -> Face:
    """Make a face with landmarks in their usual places.

    Args:
        box: x1, y1, x2, y2 in pixels.
        probabilities: (8,) in class order; None means mostly neutral.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    if probabilities is None:
        probabilities = np.full(len(EMOTIONS), 0.05, np.float32)
        probabilities[EMOTIONS.index("neutral")] = 0.65
    best = int(probabilities.argmax())
    landmarks = (_LANDMARKS * [x2 - x1, y2 - y1] + [x1, y1]).astype(np.float32)
    return Face((x1, y1, x2, y2), landmarks, 0.99, EMOTIONS[best], float(probabilities[best]), probabilities)


def _boxes_at(kind: str, time: float) -> list[tuple[int, np.ndarray | None]]:
    """Person and box of everybody in the scene; None for a face that no detector could find."""
    if kind == "standing":
        return [(person, _box(120 + 200 * person, 240, 110)) for person in range(3)]
    if kind == "crossing":
        left, right = _box(80 + 60 * time, 230, 120), _box(560 - 60 * time, 250, 100)
        return [(0, left), (1, None if abs(left[0] - right[0]) < 70 else right)]
    if kind == "vanishing":
        hidden = 2 <= time < 2.5 or 5 <= time < 5.5
        return [(0, _box(180, 240, 110)), (1, None if hidden else _box(440 + 10 * np.sin(time), 240, 110))]
    if kind == "leaving":
        first = _box(360 + 100 * time, 240, 110) if time < 3 else None
        second = _box(700 - 80 * (time - 3.5), 240, 110) if time >= 4 else None
        return [(0, first), (1, second), (2, _box(120, 240, 110))]
    if kind == "crowd":
        spots = [(column, row) for row in range(5) for column in range(6)]
        return [
            (person, _box(60 + 104 * column + 12 * np.sin(time + person), 55 + 92 * row, 60))
            for person, (column, row) in enumerate(spots)
        ]
    raise ValueError(f"unknown scene {kind!r}; choose one of {', '.join(SCENES)}")


def _box(x: float, y: float, side: float) -> np.ndarray:
    """Box around a centre, a little higher than wide."""
    return np.array([x - side / 2, y - 0.6 * side, x + side / 2, y + 0.6 * side])
