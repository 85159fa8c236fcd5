"""Search for pairs of images that show the same photo.

FER2013 was collected by an image search that returned many photos several times: cropped, turned, scaled or lit a
little differently, with another watermark, or mirrored. There are two versions of the search; models carry flags of the
version that they were trained with.

Version 1:

1. equal SHA-256 of the pixels: exact copies;
2. a 64-bit perceptual hash (the DCT hash of `imagehash.phash`) within 12 bits of another image's, or of its mirror
   image's: candidates;
3. the candidates' best normalised cross-correlation over shifts of up to 4 pixels, at least 0.90 (0.92 for mirrored
   pairs): near copies. It misses photos that were scaled or cropped differently, and takes a few pairs of different
   people in the same light.

Version 2:

1. equal SHA-256 of the pixels: exact copies;
2. a window's sketch (`sketches`) with a cosine of 0.90 or more to that of another image's, or of its mirror image's:
   candidates;
3. the correlation of the candidates' details once one is laid over the other (`registration.detail_similarity`), at
   least 0.65 (0.70 for mirrored pairs): near copies.

Random pairs of FER2013, looked at by one person, showed the same photo so often:

==============================  ===========  ============
details                         near         mirrored
==============================  ===========  ============
0.80-0.88                       47 of 48     45 of 48 (a)
0.70-0.80                       39 of 48
0.65-0.70                       15 of 20     9 of 17 (b)
0.60-0.65                       10 of 28 (b)
shifted correlation from 0.95   15 of 15 (c)
==============================  ===========  ============

(a) 0.70-0.85. (b) Not taken. (c) With details below 0.65. Most of the 13,200 near pairs have 0.88 or more, and 220 less
than 0.80, so that more than 99 % of what version 2 takes is the same photo; the others mostly show one person in two
poses. A wider net (neighbours by a network's features, alignment from any start) over 300 images of valid without a
leak by version 2 brought up 15 whose photo is in train: crops that differ much in scale or place. So version 2 finds
about 89 % (83-93 %) of the leaked images of valid, and version 1 about 59 %.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferlib.data.registration import detail_similarity, registered_similarity
from ferlib.data.sketches import MIN_COSINE, similar_pairs
from ferlib.parallel import Workers, default_threads

VERSIONS = (1, 2)  # of the search
HASH_BITS = 12  # candidates of version 1: at most this many of 64 bits differ
SIMILARITY = {"near": 0.90, "mirrored": 0.92}  # smallest registered correlation of a copy, version 1
DETAIL_SIMILARITY = {"near": 0.65, "mirrored": 0.70}  # smallest correlation of a copy's details, version 2
_PORTION = 200  # pairs that a thread scores at a time

KINDS = ("exact", "near", "mirrored")

Images = np.ndarray  # (N, H, W) uint8
Score = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of images that show the same photo.

    Attributes:
        first: (P,) index of the earlier image of each pair.
        second: (P,) index of the later image.
        kind: (P,) one of `KINDS`; every pair stands once, under the first kind that holds.
        similarity: (P,) registered correlation (version 1) or correlation of the details (2), 1 for exact copies.
    """

    first: np.ndarray
    second: np.ndarray
    kind: np.ndarray
    similarity: np.ndarray

    def groups(self, count: int) -> np.ndarray:
        """Number the groups of copies; an image without copies is a group of its own.

        Args:
            count: number of images.

        Returns:
            (count,) group number of each image.
        """
        links = coo_array((np.ones(len(self.first)), (self.first, self.second)), shape=(count, count))
        return connected_components(links, directed=False)[1]


def pixel_hashes(images: np.ndarray) -> np.ndarray:
    """Compute the hex SHA-256 of each image's pixels.

    Args:
        images: (N, H, W) uint8.

    Returns:
        (N,) strings.
    """
    return np.array(
        [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images], dtype="<U64"
    )


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """Compute the 64-bit perceptual hash of each image, as `imagehash.phash` does (Zauner 2010).

    A bit says whether one of the 8x8 lowest DCT coefficients of the image, at 32x32 pixels, is above their median.

    Args:
        images: (N, H, W) uint8.

    Returns:
        (N,) uint64.
    """
    small = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in images])
    low = dctn(small.astype(np.float32), axes=(1, 2))[:, :8, :8].reshape(len(images), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def find_copies(images: np.ndarray, version: int) -> Copies:
    """Find all pairs of images that show the same photo.

    FER2013's 35,710 images take about four minutes on two cores, and 12 s with version 1.

    Args:
        images: (N, 48, 48) uint8.
        version: version of the search, 1 or 2.

    Raises:
        ValueError: there is no such version.
    """
    images = np.asarray(images)
    flipped = np.ascontiguousarray(images[:, :, ::-1])
    candidates, score, thresholds = _search(version)
    by_kind = [
        _exact_pairs(images),
        _proven_pairs(images, images, candidates(images, images), score, thresholds["near"]),
        _proven_pairs(flipped, images, candidates(flipped, images), score, thresholds["mirrored"]),
    ]
    copies: dict[tuple[int, int], tuple[str, float]] = {}
    for kind, pairs in zip(KINDS, by_kind, strict=True):
        for first, second, similarity in pairs:
            copies.setdefault((int(first), int(second)), (kind, similarity))
    ordered = sorted(copies)
    index = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    kinds = np.array([copies[pair][0] for pair in ordered], dtype="<U8")
    similarities = np.array([copies[pair][1] for pair in ordered], dtype=np.float64)
    return Copies(index[:, 0], index[:, 1], kinds, similarities)


def rules(version: int) -> str:
    """Name a version of the search and its thresholds, for file names.

    Args:
        version: version of the search, 1 or 2.

    Raises:
        ValueError: there is no such version.
    """
    thresholds = _search(version)[2]
    first = {1: HASH_BITS, 2: MIN_COSINE}[version]
    return f"{first}-{thresholds['near']}-{thresholds['mirrored']}-search{version}"


def recorded_version(config: Mapping) -> int:
    """Read the version of the search that a run was made with.

    Args:
        config: its stored settings; those from before version 2 have no ``manifest_version``.
    """
    return int(config.get("manifest_version", 1))


def _search(version: int) -> tuple[Callable[[Images, Images], np.ndarray], Score, dict[str, float]]:
    """Search for candidates, similarity of two images, and smallest similarity of a copy by kind."""
    if version == 1:
        return _hash_pairs, registered_similarity, SIMILARITY
    if version == 2:
        return similar_pairs, detail_similarity, DETAIL_SIMILARITY
    raise ValueError(f"there is no version {version} of the search for copies; choose 1 or 2")


def _exact_pairs(images: np.ndarray) -> list[tuple[int, int, float]]:
    """Each later copy with the first image of the same pixels."""
    _, first, inverse = np.unique(pixel_hashes(images), return_index=True, return_inverse=True)
    origin = first[inverse]
    return [(int(origin[index]), int(index), 1.0) for index in np.flatnonzero(origin != np.arange(len(images)))]


def _hash_pairs(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pairs (i < j) of `left[i]` and `right[j]` with close hashes, (P, 2)."""
    left_hashes = perceptual_hashes(left)
    right_hashes = left_hashes if left is right else perceptual_hashes(right)
    pairs = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(left), 512):
        distance = np.bitwise_count(left_hashes[start : start + 512, None] ^ right_hashes[None, :])
        rows, columns = np.nonzero(distance <= HASH_BITS)
        rows += start
        ahead = rows < columns
        pairs.append(np.stack([rows[ahead], columns[ahead]], axis=1))
    return np.concatenate(pairs)


def _proven_pairs(
    left: np.ndarray, right: np.ndarray, pairs: np.ndarray, score: Score, threshold: float
) -> list[tuple[int, int, float]]:
    """Candidates whose similarity is high enough, with it."""
    portions = np.array_split(pairs, -(-len(pairs) // _PORTION)) if len(pairs) else []
    workers = Workers(default_threads(), "ferlib-copies")
    scores = workers.share(lambda portion: [score(left[i], right[j]) for i, j in portion], portions)
    similarities = [similarity for portion in scores for similarity in portion]
    return [(i, j, value) for (i, j), value in zip(pairs, similarities, strict=True) if value >= threshold]
