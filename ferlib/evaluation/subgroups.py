"""Scores of groups of images, by any column of a table that the user supplies, and the gap between them."""

from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from ferlib.errors import FerlibError
from ferlib.evaluation.metrics import RESAMPLES
from ferlib.evaluation.scores import score_predictions
from ferlib.format import percent, share_with_interval
from ferlib.text import printable

MIN_GROUP_IMAGES = 30
"""Least number of images of a group that counts for the gap; with fewer, chance alone would decide it."""


def read_groups(path: str | Path, column: str, ids: np.ndarray) -> np.ndarray:
    """Read the group of each image from a table.

    Args:
        path: a CSV file with a column ``id`` and the column `column`.
        column: name of a column, for example ``age``; its values are read as text.
        ids: (N,) image names; the table's ``id`` is an image name, with or without its folders and suffix, as FER+ and
            this package write it. A name that fits several images or rows only without its folders fits none.

    Returns:
        (N,) group of each image, "" where the table does not name it.

    Raises:
        FerlibError: the file cannot be read, lacks a column, names an image twice, or names none of the images.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise FerlibError(
            f"{path.name} cannot be read as a CSV table; give one with the columns id and {column}."
        ) from error
    missing = [name for name in ("id", column) if name not in table.columns]
    if missing:
        raise FerlibError(f"{path.name} lacks the column {missing[0]!r}; it has {', '.join(table.columns)}.")
    if table["id"].duplicated().any():
        raise FerlibError(f"{path.name} names {table['id'][table['id'].duplicated()].iloc[0]!r} twice; keep one row.")
    group_of = dict(zip(table["id"], table[column], strict=True))
    stems = Counter(map(_stem, group_of))  # FER+ calls fer0000000 by its file, fer0000000.png
    group_of_stem = {_stem(name): group for name, group in group_of.items() if stems[_stem(name)] == 1}
    ids = np.asarray(ids)
    without_folders = Counter(map(_stem, ids.tolist()))
    groups = np.array(
        [
            group_of.get(name)
            or group_of.get(_stem(name))
            or (group_of_stem.get(_stem(name)) if without_folders[_stem(name)] == 1 else "")
            or ""
            for name in ids.tolist()
        ],
        object,
    )
    if not (groups != "").any():
        raise FerlibError(f"{path.name} names none of the images; its ids should look like {str(ids[0])!r}.")
    return groups


def group_scores(probabilities: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int = 0) -> dict:
    """Score each group, and the largest gap in accuracy between two groups.

    The gap is between the best and the worst group of at least `MIN_GROUP_IMAGES` images; its interval is that of the
    difference of these two, resampled within each. Since they were picked for being farthest apart, equal groups show a
    gap by chance, too, and the more groups there are the larger.

    Args:
        probabilities: (N, 8) predictions.
        labels: (N,) labels, -1 for none.
        groups: (N,) group of each image, "" for none.
        seed: seed of the bootstrap.

    Returns:
        JSON-ready: accuracy and macro-F1 with 95 % intervals under ``groups``, the number of labelled images
        ``without_group``, and with two groups that are large enough their ``gap``.
    """
    labels, groups = np.asarray(labels), np.asarray(groups, object)
    probabilities = np.asarray(probabilities)
    rows: dict[str, dict[str, Any]] = {}
    draws: dict[str, np.ndarray] = {}
    generator = np.random.default_rng(seed)
    for name in sorted(set(groups[labels >= 0]) - {""}):
        inside = (groups == name) & (labels >= 0)
        scores = score_predictions(probabilities[inside], labels[inside], seed)
        rows[name] = {
            "n": scores.n, "accuracy": scores.accuracy, "accuracy_interval": list(scores.accuracy_interval),
            "macro_f1": scores.macro_f1, "macro_f1_interval": list(scores.macro_f1_interval),
        }  # fmt: skip
        if scores.n >= MIN_GROUP_IMAGES:
            draws[name] = generator.binomial(scores.n, scores.accuracy, RESAMPLES) / scores.n
    result: dict[str, Any] = {"groups": rows, "without_group": int(((groups == "") & (labels >= 0)).sum())}
    if len(draws) > 1:
        accuracy = {name: rows[name]["accuracy"] for name in draws}
        best, worst = max(accuracy, key=accuracy.__getitem__), min(accuracy, key=accuracy.__getitem__)
        differences = draws[best] - draws[worst]
        result["gap"] = {
            "best": best, "worst": worst, "difference": accuracy[best] - accuracy[worst],
            "interval": [float(value) for value in np.percentile(differences, [2.5, 97.5])],
        }  # fmt: skip
    return result


def render_groups(result: dict, column: str) -> str:
    """Render the result of `group_scores` as lines for people.

    Args:
        result: what `group_scores` returned.
        column: name of the column that the groups come from.
    """
    lines = [f"  by {column}:"]
    for name, row in result["groups"].items():
        accuracy = share_with_interval(row["accuracy"], row["accuracy_interval"])
        few = "  (too few for the gap)" if row["n"] < MIN_GROUP_IMAGES else ""
        lines.append(f"    {name:<16} n = {row['n']:>5,}   accuracy {accuracy}   macro-F1 {row['macro_f1']:.3f}{few}")
    if "gap" in result:
        gap = result["gap"]
        low, high = gap["interval"]
        lines.append(
            f"    gap: {percent(gap['difference'])} points between {gap['best']} and {gap['worst']} "
            f"(95 % {percent(low)} to {percent(high)})"
        )
    if result["without_group"]:
        lines.append(f"    {result['without_group']:,} labelled images have no group")
    return "\n".join(map(printable, lines))


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem
