"""Copies, leaks between splits, and images that are no faces, recorded in a manifest.

FER2013 was collected by an image search that returned many photos twice, often cropped a little differently, and the
copies were split at random: some sit in training and in validation or test. Three steps find them:

1. equal SHA-256 of the pixels: exact copies;
2. a 64-bit perceptual hash (the DCT hash of `imagehash.phash`) within 12 bits of another image's, or of its mirror
   image's: candidates;
3. the candidates' best normalised cross-correlation over shifts of up to 4 pixels, at least 0.90 (0.92 for mirrored
   pairs): near copies. Seen by eye on FER2013, pairs above these values show the same photo; pairs of different
   people reach 0.88 (0.91 when mirrored).

Training drops copies and everything that also sits in validation or test. Validation and test are never changed;
each of their images carries a `leaked` flag instead.
"""

import hashlib
from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferlib import paths
from ferlib.data.ferplus import FerData
from ferlib.data.labels import EMOTIONS
from ferlib.data.votes import drop_reasons, hard_labels, targets
from ferlib.files import atomic_path

HASH_BITS = 12  # candidates: at most this many of 64 bits differ
SIMILARITY = {"near": 0.90, "mirrored": 0.92}  # smallest registered correlation of a copy
BLANK_STD = 4.0  # grey levels; the flattest real face of FER2013 has 9.1
_SHIFT = 4  # pixels
_VERSION = 2  # part of the cache's name: raise it when the rules change

_TEXT = ("id", "pixel_hash", "perceptual_hash", "group")  # columns that may look like numbers

KINDS = ("exact", "near", "mirrored")


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of images that show the same photo.

    Attributes:
        first: (P,) index of the earlier image of each pair.
        second: (P,) index of the later image.
        kind: (P,) one of `KINDS`; every pair stands once, under the first kind that holds.
        similarity: (P,) registered correlation, 1 for exact copies.
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


def find_copies(images: np.ndarray) -> Copies:
    """Find all pairs of images that show the same photo; FER2013's 35,710 images take about 12 s.

    Args:
        images: (N, 48, 48) uint8.
    """
    images = np.asarray(images)
    exact = _exact_pairs(images)
    hashes = perceptual_hashes(images)
    near = _similar_pairs(images, images, hashes, hashes, SIMILARITY["near"])
    flipped = np.ascontiguousarray(images[:, :, ::-1])
    mirrored = _similar_pairs(flipped, images, perceptual_hashes(flipped), hashes, SIMILARITY["mirrored"])
    copies: dict[tuple[int, int], tuple[str, float]] = {}
    for kind, pairs in zip(KINDS, (exact, near, mirrored), strict=True):
        for first, second, similarity in pairs:
            copies.setdefault((int(first), int(second)), (kind, similarity))
    ordered = sorted(copies)
    index = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    kinds = np.array([copies[pair][0] for pair in ordered], dtype="<U8")
    similarities = np.array([copies[pair][1] for pair in ordered], dtype=np.float64)
    return Copies(index[:, 0], index[:, 1], kinds, similarities)


def build_manifest(data: FerData) -> pd.DataFrame:
    """Build the manifest: for each image its copies, its label, and whether training keeps it.

    Args:
        data: all splits, since a training image may sit in valid or test too.

    Returns:
        A table with one row for each image, in the order of `data`, and these columns:

        - ``id``, ``split``: as in the data.
        - ``pixel_hash``: hex SHA-256 of the pixels.
        - ``perceptual_hash``: 16 hex digits.
        - ``group``: id of the first image of its group of copies, "" when it has no copy.
        - ``group_size``: number of images in the group, 1 when it has no copy.
        - ``copy``: kind of the closest copy (`KINDS`), "" when it has none.
        - ``label``: majority emotion (label rule of validation and test), "" when the votes give none.
        - ``disagrees``: whether its group holds two different majority labels.
        - ``leaked``: whether its group reaches into another split.
        - ``kept``: for train, whether training may use it; always True in valid and test, which are never changed.
        - ``reason``: why training drops it, "" when it does not.
    """
    copies = find_copies(data.images)
    group = copies.groups(len(data))
    labels = hard_labels(data.votes)
    table = pd.DataFrame({"id": data.ids, "split": data.split, "pixel_hash": pixel_hashes(data.images)})
    table["perceptual_hash"] = [f"{value:016x}" for value in perceptual_hashes(data.images)]
    sizes = np.bincount(group)[group]
    leaders = table.groupby(group)["id"].transform("min")
    table["group"] = np.where(sizes > 1, leaders, "")
    table["group_size"] = sizes
    table["copy"] = _closest_kind(copies, len(data))
    table["label"] = np.where(labels >= 0, np.array(EMOTIONS)[labels], "")
    table["disagrees"] = _differs_in_group(labels, group, labels >= 0)
    splits = pd.factorize(table["split"])[0]
    table["leaked"] = _differs_in_group(splits, group, np.ones(len(data), bool))
    table["reason"] = _drop_reasons(table, data, group)
    table["kept"] = table["reason"] == ""
    return table


def load_manifest(data: FerData) -> pd.DataFrame:
    """Read the manifest from its cache, or build it; see `build_manifest` for the columns.

    The cache is a CSV file under `data/processed`, named by the data's content hash and the rules.

    Args:
        data: all splits.
    """
    rules = f"{HASH_BITS}-{SIMILARITY['near']}-{SIMILARITY['mirrored']}-v{_VERSION}"
    cached = paths.PROCESSED / f"manifest-{data.content_hash[:16]}-{len(data)}-{rules}.csv"
    with suppress(OSError, ValueError, KeyError):  # there is none, or it is damaged
        table = pd.read_csv(cached, keep_default_na=False, dtype=dict.fromkeys(_TEXT, str))
        if table["kept"].dtype == bool and table["id"].tolist() == data.ids.tolist():
            return table
    table = build_manifest(data)
    with suppress(OSError), atomic_path(cached) as temporary:  # a read-only checkout works without a cache
        table.to_csv(temporary, index=False)
    return table


def leak_table(table: pd.DataFrame) -> pd.DataFrame:
    """Count the images of each split (rows) whose photo also sits in a split (columns).

    Args:
        table: a manifest; only the columns ``group`` and ``split`` are read.

    Returns:
        (S, S) counts; on the diagonal the images that have a copy inside their own split.
    """
    names = list(dict.fromkeys(table["split"]))
    grouped = table[table["group"] != ""]
    members = grouped.groupby(["group", "split"]).size().unstack(fill_value=0).reindex(columns=names, fill_value=0)
    counts = pd.DataFrame(0, index=names, columns=names)
    for row in names:
        for column in names:
            reach = members[column] > (1 if row == column else 0)
            counts.loc[row, column] = int(members.loc[reach, row].sum())
    return counts


def _exact_pairs(images: np.ndarray) -> list[tuple[int, int, float]]:
    """Each later copy with the first image of the same pixels."""
    _, first, inverse = np.unique(pixel_hashes(images), return_index=True, return_inverse=True)
    origin = first[inverse]
    return [(int(origin[index]), int(index), 1.0) for index in np.flatnonzero(origin != np.arange(len(images)))]


def _similar_pairs(left, right, left_hashes, right_hashes, min_similarity: float) -> list[tuple[int, int, float]]:
    """Pairs (i < j) of `left[i]` and `right[j]` with close hashes and a registered correlation that is high enough."""
    pairs = []
    for start in range(0, len(left), 512):
        distance = np.bitwise_count(left_hashes[start : start + 512, None] ^ right_hashes[None, :])
        rows, columns = np.nonzero(distance <= HASH_BITS)
        rows += start
        ahead = rows < columns
        pairs.append(np.stack([rows[ahead], columns[ahead]], axis=1))
    candidates = np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)
    scored = ((i, j, registered_similarity(left[i], right[j])) for i, j in candidates)
    return [(i, j, score) for i, j, score in scored if score >= min_similarity]


def registered_similarity(left: np.ndarray, right: np.ndarray) -> float:
    """Correlate two images at their best shift of up to 4 pixels.

    The inner part of each image is moved over the other one. An image whose inner part is flat correlates with nothing.

    Args:
        left: (H, W) uint8.
        right: (H, W) uint8.

    Returns:
        Best normalised cross-correlation, -1 to 1; 0 for a flat image.
    """
    inner = (slice(_SHIFT, -_SHIFT), slice(_SHIFT, -_SHIFT))
    if min(left[inner].std(), right[inner].std()) < BLANK_STD:
        return 0.0
    scores = (
        cv2.matchTemplate(right, np.ascontiguousarray(left[inner]), cv2.TM_CCOEFF_NORMED).max(),
        cv2.matchTemplate(left, np.ascontiguousarray(right[inner]), cv2.TM_CCOEFF_NORMED).max(),
    )
    return float(min(max(scores), 1.0))


def _closest_kind(copies: Copies, count: int) -> np.ndarray:
    kinds = np.full(count, "", dtype="<U8")
    for kind in reversed(KINDS):
        chosen = copies.kind == kind
        kinds[copies.first[chosen]] = kind
        kinds[copies.second[chosen]] = kind
    return kinds


def _differs_in_group(values: np.ndarray, group: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Whether the counted members of each image's group hold two different values, (N,) bool."""
    groups = pd.Series(np.where(counted, values, np.nan)).groupby(group)
    differs = (groups.transform("max") != groups.transform("min")).to_numpy()
    return differs & groups.transform("count").gt(0).to_numpy()


def _drop_reasons(table: pd.DataFrame, data: FerData, group: np.ndarray) -> np.ndarray:
    """Reasons why training leaves images out, (N,) strings, "" for the others.

    The first that holds of: blank, also in another split, not a face, copy.
    """
    train = (table["split"] == "train").to_numpy()
    reasons = np.full(len(table), "", dtype=object)
    reasons[train & (np.asarray(data.images).reshape(len(data), -1).std(axis=1) < BLANK_STD)] = "blank"
    for split in ("test", "valid"):
        groups = np.unique(group[(table["split"] == split).to_numpy()])
        reasons[train & np.isin(group, groups) & (reasons == "")] = f"also in {split}"
    reasons[train & (reasons == "") & (drop_reasons(data.votes, "crossentropy") == "not a face")] = "not a face"
    candidates = np.flatnonzero(train & (reasons == ""))
    # The first copy whose votes give a target stays, so that no photo is lost to one image with spread votes.
    usable = np.asarray(targets(data.votes, "crossentropy").any(axis=1))
    order = candidates[np.argsort(~usable[candidates], kind="stable")]
    firsts = pd.Series(order, index=order).groupby(group[order]).transform("first").to_numpy()
    for index, first in zip(order, firsts, strict=True):
        if index != first:
            reasons[index] = f"copy of {data.ids[first]}"
    return reasons
