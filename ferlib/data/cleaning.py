"""Copies, leaks between splits, and images that are no faces: found, grouped and written down in a manifest.

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
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferlib import paths
from ferlib.data.ferplus import FerData, load_all
from ferlib.data.labels import EMOTIONS
from ferlib.data.votes import drop_reasons, hard_labels, targets
from ferlib.files import atomic_path

HASH_BITS = 12  # candidates: at most this many of 64 bits differ
SIMILARITY = {"near": 0.90, "mirrored": 0.92}  # least registered correlation of a copy
BLANK_STD = 4.0  # grey levels; the flattest real face of FER2013 has 9.1
_SHIFT = 4  # pixels
_VERSION = 2  # part of the cache's name: raise it when the rules change

_TEXT = ("id", "pixel_hash", "perceptual_hash", "group")  # columns that may look like numbers

KINDS = ("exact", "near", "mirrored")


@dataclass(frozen=True, eq=False)
class Copies:
    """Pairs of images that show the same photo.

    Attributes:
        first, second: (P,) indices, first < second.
        kind: (P,) one of `KINDS`; every pair stands once, under the first kind that holds.
        similarity: (P,) registered correlation, 1 for exact copies.
    """

    first: np.ndarray
    second: np.ndarray
    kind: np.ndarray
    similarity: np.ndarray

    def groups(self, count: int) -> np.ndarray:
        """(count,) number of each image's group of copies, itself alone if it has none."""
        links = coo_array((np.ones(len(self.first)), (self.first, self.second)), shape=(count, count))
        return connected_components(links, directed=False)[1]


def pixel_hashes(images: np.ndarray) -> np.ndarray:
    """(N,) hex SHA-256 of each (H, W) uint8 image."""
    return np.array(
        [hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images], dtype="<U64"
    )


def perceptual_hashes(images: np.ndarray) -> np.ndarray:
    """(N,) uint64: the signs of the 8x8 lowest DCT coefficients against their median, at 32x32 pixels.

    The construction is that of `imagehash.phash` (Zauner 2010), for all images at once.
    """
    small = np.stack([cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA) for image in images])
    low = dctn(small.astype(np.float32), axes=(1, 2))[:, :8, :8].reshape(len(images), 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def find_copies(images: np.ndarray) -> Copies:
    """All pairs of (N, 48, 48) uint8 images that show the same photo. About 12 s for FER2013's 35,710 images."""
    images = np.asarray(images)
    exact = _exact_pairs(images)
    hashes = perceptual_hashes(images)
    near = _similar_pairs(images, images, hashes, hashes, SIMILARITY["near"])
    flipped = np.ascontiguousarray(images[:, :, ::-1])
    mirrored = _similar_pairs(flipped, images, perceptual_hashes(flipped), hashes, SIMILARITY["mirrored"])
    found: dict[tuple[int, int], tuple[str, float]] = {}
    for kind, pairs in zip(KINDS, (exact, near, mirrored), strict=True):
        for first, second, similarity in pairs:
            found.setdefault((int(first), int(second)), (kind, similarity))
    ordered = sorted(found)
    index = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    kinds = np.array([found[pair][0] for pair in ordered], dtype="<U8")
    return Copies(index[:, 0], index[:, 1], kinds, np.array([found[pair][1] for pair in ordered], dtype=np.float64))


def build_manifest(data: FerData) -> pd.DataFrame:
    """One row per image, in the order of `data`: what it is, what it is a copy of, and whether training keeps it.

    Columns:
        id, split: as in the data.
        pixel_hash: hex SHA-256 of the pixels; perceptual_hash: 16 hex digits.
        group: id of the first image of its group of copies, "" when it has none; group_size: images in it (1 alone).
        copy: the kind of the closest copy (`KINDS`), "" when it has none.
        label: majority emotion (label rule of validation and test), "" when the votes give none.
        disagrees: its group holds two different majority labels.
        leaked: its group reaches into another split.
        kept: for train, whether training may use it; always True in valid and test, which are never changed.
        reason: why it was dropped, "" when it was not.
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
    """`build_manifest`, cached as CSV under `data/processed` by the data's content hash and the rules."""
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


def manifest_of(root: str | Path | None = None) -> pd.DataFrame:
    """The manifest of the data set in `root` (None: `paths.data_root()`); see `build_manifest` for the columns.

    It needs all splits, since a training image may sit in test too, and says nothing of a test image but what it is
    a copy of and its label; training takes only the train rows' `kept` from it.
    """
    return load_manifest(load_all(root))


def leak_table(table: pd.DataFrame) -> pd.DataFrame:
    """Images of each split (rows) whose photo also sits in another split (columns); the diagonal: copies inside."""
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


def _similar_pairs(left, right, left_hashes, right_hashes, least: float) -> list[tuple[int, int, float]]:
    """Pairs (i < j) of `left[i]` and `right[j]` with close hashes whose registered correlation is at least `least`."""
    pairs = []
    for start in range(0, len(left), 512):
        distance = np.bitwise_count(left_hashes[start : start + 512, None] ^ right_hashes[None, :])
        rows, columns = np.nonzero(distance <= HASH_BITS)
        rows += start
        ahead = rows < columns
        pairs.append(np.stack([rows[ahead], columns[ahead]], axis=1))
    candidates = np.concatenate(pairs) if pairs else np.empty((0, 2), dtype=np.int64)
    scored = ((i, j, registered_similarity(left[i], right[j])) for i, j in candidates)
    return [(i, j, score) for i, j, score in scored if score >= least]


def registered_similarity(left: np.ndarray, right: np.ndarray) -> float:
    """Best normalised cross-correlation (-1 to 1) of two equal-sized uint8 images over shifts of up to 4 pixels.

    The inner part of one is moved over the other and the reverse. What is flat there correlates with nothing: 0.
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
    """(N,) whether the counted members of an image's group hold two different values."""
    seen = pd.Series(np.where(counted, values, np.nan)).groupby(group)
    return (seen.transform("max") != seen.transform("min")).to_numpy() & seen.transform("count").gt(0).to_numpy()


def _drop_reasons(table: pd.DataFrame, data: FerData, group: np.ndarray) -> np.ndarray:
    """(N,) why training leaves an image out, "" when it does not; the first that holds of: blank, leak, face, copy."""
    train = (table["split"] == "train").to_numpy()
    reasons = np.full(len(table), "", dtype=object)
    reasons[train & (np.asarray(data.images).reshape(len(data), -1).std(axis=1) < BLANK_STD)] = "blank"
    for split in ("test", "valid"):
        held = set(group[(table["split"] == split).to_numpy()])
        inside = train & np.isin(group, list(held)) & (reasons == "")
        reasons[inside] = f"also in {split}"
    reasons[train & (reasons == "") & (drop_reasons(data.votes, "crossentropy") == "not a face")] = "not a face"
    candidates = np.flatnonzero(train & (reasons == ""))
    # Of several copies the first one stays whose votes give a target, so that no photo is lost to one spread vote.
    usable = np.asarray(targets(data.votes, "crossentropy").any(axis=1))
    order = candidates[np.argsort(~usable[candidates], kind="stable")]
    kept = pd.Series(order, index=order).groupby(group[order]).transform("first").to_numpy()
    for index, first in zip(order, kept, strict=True):
        if index != first:
            reasons[index] = f"copy of {data.ids[first]}"
    return reasons
