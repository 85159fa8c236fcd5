"""Whether two detectors find the same faces: on pictures that are made up for that."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from ferlib.faces.detector import Detection
from ferlib.live.tracking import overlap
from ferlib.samples.clips import SIZE, draw_head, ground

Detector = Callable[[np.ndarray], list[Detection]]

_SAME = 0.5  # intersection over union above which two boxes may be of one face


class Boxed(Protocol):
    """What has a place in the picture, as detections and faces do."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2, pixels."""


def composed_pictures(seed: int = 0, count: int = 40) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB pictures: the photo's head at many sizes, places, turns and brightness levels.

    One to five heads of 28 to 300 pixels, up to 40 degrees to either side and partly over the border, in a light of
    0.25 to 1.3. Then a crowd of 24, a ground without a face, and noise.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        picture = ground(random)
        for _ in range(int(random.integers(1, 6))):
            width = float(np.exp(random.uniform(np.log(28), np.log(300))))
            place = random.uniform(0, SIZE[0]), random.uniform(0, SIZE[1])
            draw_head(picture, *place, width, np.radians(random.uniform(-40, 40)), bool(random.integers(2)))
        yield _lit(picture, random.uniform(0.25, 1.3), random)
    crowd = ground(random)
    for index in range(24):
        draw_head(crowd, 55 + 106 * (index % 6), 60 + 120 * (index // 6), 52, 0.0, index % 2 == 1)
    yield crowd
    yield ground(random)
    yield random.integers(0, 256, (240, 320, 3), dtype=np.uint8)


def agreement(reference: Detector, other: Detector, pictures: Iterable[np.ndarray]) -> dict[str, float]:
    """How the faces of `other` are those of `reference`, JSON-ready.

    Returns:
        ``pictures``; ``faces`` of the reference; ``lost`` and ``extra``: faces that only one of both has; the ``least``
        and ``mean`` intersection over union of the common ones (1 without any), and the greatest distance of a
        ``landmark`` and of a ``probability``, the first in widths of the box.
    """
    counts = {"pictures": 0, "faces": 0, "lost": 0, "extra": 0}
    overlaps, landmarks, probabilities = [1.0], [0.0], [0.0]
    for picture in pictures:
        wanted, found = reference(picture), other(picture)
        pairs = matched(wanted, found)
        for index, mate, shared in pairs:
            one, two = wanted[index], found[mate]
            overlaps.append(shared)
            landmarks.append(float(np.abs(one.landmarks - two.landmarks).max()) / (one.box[2] - one.box[0]))
            probabilities.append(abs(one.confidence - two.confidence))
        counts["pictures"] += 1
        counts["faces"] += len(wanted)
        counts["lost"] += len(wanted) - len(pairs)
        counts["extra"] += len(found) - len(pairs)
    common = overlaps[1:] or [1.0]
    worst = {"least": min(common), "landmark": max(landmarks), "probability": max(probabilities)}
    return counts | worst | {"mean": float(np.mean(common))}


def matched(wanted: Sequence[Boxed], found: Sequence[Boxed]) -> list[tuple[int, int, float]]:
    """Pairs of one face, (index, index, intersection over union), the most alike first and each face once at most."""
    boxes = [[np.asarray(one.box, np.float64) for one in faces] for faces in (wanted, found)]
    shared = [(overlap(one, two), i, j) for i, one in enumerate(boxes[0]) for j, two in enumerate(boxes[1])]
    pairs: list[tuple[int, int, float]] = []
    taken: tuple[set[int], set[int]] = (set(), set())
    for value, i, j in sorted(shared, reverse=True):
        if value > _SAME and i not in taken[0] and j not in taken[1]:
            pairs.append((i, j, value))
            taken[0].add(i)
            taken[1].add(j)
    return pairs


def _lit(picture: np.ndarray, light: float, random: np.random.Generator) -> np.ndarray:
    return np.clip(picture * light + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
