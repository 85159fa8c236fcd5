"""Agreement of two face detectors, measured on composed pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from ferlib.faces.detector import Detection
from ferlib.live.tracking import overlaps
from ferlib.samples.clips import SIZE, draw_head, ground

Detect = Callable[[np.ndarray], list[Detection]]
"""A detector: an (H, W, 3) uint8 RGB picture -> its faces."""

SAME_FACE = 0.5
"""Intersection over union above which two boxes may be of one face."""


class Boxed(Protocol):
    """Object with a place in the picture, as detections and faces are."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Corners x1, y1, x2, y2, in pixels."""


def composed_pictures(seed: int = 0, count: int = 40) -> Iterator[np.ndarray]:
    """Pictures with the photo's head at many sizes, places, turns and brightness levels.

    Each has one to five heads of 28 to 300 pixels, up to 40 degrees to either side and partly over the border, in a
    light of 0.25 to 1.3. After them come a crowd of 24 heads, a ground without a face, and noise.

    Args:
        seed: seed of the random places.
        count: number of pictures before the last three.

    Yields:
        (H, W, 3) uint8 RGB pictures.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        picture = ground(random)
        for _ in range(int(random.integers(1, 6))):
            width = float(np.exp(random.uniform(np.log(28), np.log(300))))
            place = random.uniform(0, SIZE[0]), random.uniform(0, SIZE[1])
            draw_head(picture, *place, width, np.radians(random.uniform(-40, 40)), bool(random.integers(2)))
        yield _relit(picture, random.uniform(0.25, 1.3), random)
    crowd = ground(random)
    for index in range(24):
        draw_head(crowd, 55 + 106 * (index % 6), 60 + 120 * (index // 6), 52, 0.0, index % 2 == 1)
    yield crowd
    yield ground(random)
    yield random.integers(0, 256, (240, 320, 3), dtype=np.uint8)


def detector_agreement(reference: Detect, other: Detect, pictures: Iterable[np.ndarray]) -> dict[str, float]:
    """Agreement of two detectors on the same pictures, JSON-ready.

    Args:
        reference: the detector whose faces count as right.
        other: the detector to compare with it.
        pictures: (H, W, 3) uint8 RGB.

    Returns:
        ``pictures``; ``faces`` of the reference; ``lost`` and ``extra``: faces that only one of both has; the ``least``
        and ``mean`` intersection over union of the common ones (1 without any), and the greatest distance of a
        ``landmark`` and of a ``probability``, the first in widths of the box.
    """
    counts = {"pictures": 0, "faces": 0, "lost": 0, "extra": 0}
    overlaps, landmarks, probabilities = [], [0.0], [0.0]
    for picture in pictures:
        expected, detections = reference(picture), other(picture)
        pairs = matched_pairs(expected, detections)
        for expected_index, index, intersection in pairs:
            face, twin = expected[expected_index], detections[index]
            overlaps.append(intersection)
            landmarks.append(float(np.abs(face.landmarks - twin.landmarks).max()) / (face.box[2] - face.box[0]))
            probabilities.append(abs(face.confidence - twin.confidence))
        counts["pictures"] += 1
        counts["faces"] += len(expected)
        counts["lost"] += len(expected) - len(pairs)
        counts["extra"] += len(detections) - len(pairs)
    overlaps = overlaps or [1.0]
    worst = {"least": min(overlaps), "landmark": max(landmarks), "probability": max(probabilities)}
    return counts | worst | {"mean": float(np.mean(overlaps))}


def matched_pairs(expected: Sequence[Boxed], detected: Sequence[Boxed]) -> list[tuple[int, int, float]]:
    """Pairs of boxes of one face, the most alike first; each box stands in one pair at most.

    Args:
        expected: boxes of the reference.
        detected: boxes to find among them.

    Returns:
        (index in `expected`, index in `detected`, intersection over union above 0.5).
    """
    boxes = [np.array([item.box for item in items], np.float64).reshape(-1, 4) for items in (expected, detected)]
    shares = overlaps(*boxes)
    candidates = [(float(shares[i, j]), int(i), int(j)) for i, j in np.argwhere(shares > SAME_FACE)]
    pairs: list[tuple[int, int, float]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for value, i, j in sorted(candidates, reverse=True):
        if i not in taken[0] and j not in taken[1]:
            pairs.append((i, j, value))
            taken[0].add(i)
            taken[1].add(j)
    return pairs


def _relit(picture: np.ndarray, light: float, random: np.random.Generator) -> np.ndarray:
    return np.clip(picture * light + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
