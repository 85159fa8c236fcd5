"""Manifest of the data: copies, leaks between splits, and images that are no faces.

`copies` finds the images that show the same photo; FER2013's were split at random, so that some photos sit in training
and in validation or test. Training drops copies and everything that also sits in validation or test. Validation and
test are never changed; each of their images carries a `leaked` flag instead.
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from ferlib import paths
from ferlib.data.copies import KINDS, Copies, find_copies, perceptual_hashes, pixel_hashes, rules
from ferlib.data.ferplus import FerData
from ferlib.data.labels import EMOTIONS
from ferlib.data.registration import BLANK_STD
from ferlib.data.votes import drop_reasons, hard_labels, targets
from ferlib.files import atomic_path

_TEXT = ("id", "pixel_hash", "perceptual_hash", "group")  # columns that may look like numbers


def build_manifest(data: FerData, version: int = 1) -> pd.DataFrame:
    """Build the manifest: for each image its copies, its label, and whether training keeps it.

    Args:
        data: all splits, since a training image may sit in valid or test too.
        version: version of the search for copies.

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
    copies = find_copies(data.images, version)
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


def load_manifest(data: FerData, version: int = 1) -> pd.DataFrame:
    """Read the manifest from its cache, or build it; see `build_manifest` for the columns.

    Args:
        data: all splits.
        version: version of the search for copies.
    """
    cached = cached_path(data, version)
    with suppress(OSError, ValueError, KeyError):  # there is none, or it is damaged
        table = pd.read_csv(cached, keep_default_na=False, dtype=dict.fromkeys(_TEXT, str))
        if table["kept"].dtype == bool and table["id"].tolist() == data.ids.tolist():
            return table
    table = build_manifest(data, version)
    with suppress(OSError), atomic_path(cached) as temporary:  # a read-only checkout works without a cache
        table.to_csv(temporary, index=False)
    return table


def cached_path(data: FerData, version: int = 1) -> Path:
    """Name the CSV file under `data/processed` that `load_manifest` keeps, by the data's content and the rules.

    Args:
        data: all splits.
        version: version of the search for copies.
    """
    return paths.PROCESSED / f"manifest-{data.content_hash[:16]}-{len(data)}-{rules(version)}.csv"


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


def _closest_kind(copies: Copies, count: int) -> np.ndarray:
    kinds = np.full(count, "", dtype="<U8")
    for kind in reversed(KINDS):
        chosen = copies.kind == kind
        kinds[copies.first[chosen]] = kind
        kinds[copies.second[chosen]] = kind
    return kinds


def _differs_in_group(values: np.ndarray, group: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Tell whether the counted members of each image's group hold two different values, (N,) bool."""
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
