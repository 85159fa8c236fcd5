"""Record of the pairs that one person looked at, and the recall of the search for copies."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from scipy.stats import binomtest

from ferlib.errors import FerlibError

FILE = "copies_by_eye.json"
"""Name of the record in ``data/published``."""


@dataclass(frozen=True)
class Recall:
    """Share of the leaked images of a split that the search finds.

    Attributes:
        share: the share, 0 to 1.
        interval: 95 % interval of the share (Wilson 1927), from the number of misses alone.
        found: leaked images that the search finds.
        missed: estimated number of those that it misses.
        images: images that were looked at.
    """

    share: float
    interval: tuple[float, float]
    found: int
    missed: float
    images: int


def read_record(results: Path) -> dict:
    """Read the record of the pairs that were looked at.

    Args:
        results: folder that holds `FILE`.

    Raises:
        FerlibError: there is no such file, or it cannot be read.
    """
    try:
        return json.loads((results / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FerlibError(f"{results.name} holds no readable {FILE}; check the repository out again.") from error


def pair_table(record: dict) -> pd.DataFrame:
    """Tabulate how many of the pairs that were looked at show the same photo, by kind and similarity.

    Args:
        record: as `read_record` gives it.

    Returns:
        One row for each kind and range of similarity: ``taken`` (whether the search takes such pairs), ``looked at``,
        ``same photo``, ``different``, and ``cannot tell``.
    """
    rows = {
        (row["kind"], f"{row['least']:.2f} to {row['below']:.2f}"): {
            "taken": "yes" if row["taken"] else "no",
            "looked at": row["looked_at"],
            "same photo": row["same"],
            "different": row["different"],
            "cannot tell": row["looked_at"] - row["same"] - row["different"],
        }
        for row in record["pairs"]
    }
    return pd.DataFrame(rows).T.rename_axis(["kind", "similarity"])


def estimate_recall(record: dict, leaked: dict[str, int]) -> Recall:
    """Estimate the recall of the search from images that it calls leak-free and a wider net does not.

    Args:
        record: as `read_record` gives it.
        leaked: numbers of images of the record's split, as `SearchCounts.leaked` has them: those ``images`` that the
            search calls leaked, ``of_images`` in all.
    """
    looked = record["recall"]
    free = leaked["of_images"] - leaked["images"]
    share = looked["missed"] / looked["images"]
    bounds = binomtest(looked["missed"], looked["images"]).proportion_ci(method="wilson")
    low, high = (leaked["images"] / (leaked["images"] + free * bound) for bound in (bounds.high, bounds.low))
    missed = free * share
    return Recall(
        leaked["images"] / (leaked["images"] + missed), (low, high), leaked["images"], missed, looked["images"]
    )
