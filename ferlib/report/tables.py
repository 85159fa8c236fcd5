"""The evaluation as tables for notebook 04: text with intervals, from the stored studies."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ferlib.report.studies import Studied, leak_rows
from ferlib.report.studies import differences as compare_all


def rate(found: dict, key: str = "accuracy") -> str:
    """Such as ``85.18 (83.93 to 86.42)``, percent with the 95 % interval; a dash for what there is not."""
    if not found or found.get(key) is None:
        return "–"
    low, high = found["interval"]
    return f"{100 * found[key]:.2f} ({100 * low:.2f} to {100 * high:.2f})"


def plain(found: dict) -> str:
    """Such as ``0.787 (0.769 to 0.805)``."""
    if found["value"] is None:
        return "–"
    low, high = found["interval"]
    return f"{found['value']:.3f} ({low:.3f} to {high:.3f})"


def scores(models: Sequence[Studied], split: str = "test") -> pd.DataFrame:
    """One column a model: every score with its 95 % interval; the log-loss is that after temperature scaling."""
    columns = {}
    for one in models:
        found = one.study[split]["scores"]
        low, high = found["macro_f1_interval"]
        more = found["more"]
        columns[one.name] = {
            "images": f"{found['n']:,}",
            "accuracy (%)": rate({**found, "interval": found["accuracy_interval"]}),
            "macro-F1": f"{found['macro_f1']:.3f} ({low:.3f} to {high:.3f})",
            **{name: plain(more[key]) for name, key in _MORE.items()},
        }
    return pd.DataFrame(columns)


_MORE = {
    "balanced accuracy": "balanced_accuracy", "macro precision": "macro_precision", "top-2 accuracy": "top2",
    "Cohen's kappa": "kappa", "log-loss (nats)": "log_loss",
}  # fmt: skip


def human(one: Studied) -> pd.DataFrame:
    """The human line of valid and test, percent."""
    rows = {"against the majority": "against_majority", "against the other nine": "against_others"}
    return pd.DataFrame(
        {
            split: {
                name: rate({key: line.get(key), "interval": line.get(f"{key}_interval")}, key)
                for name, key in rows.items()
            }
            for split in ("valid", "test")
            for line in [one.study[split]["human"]]
        }
    )


def protocols(one: Studied, split: str = "test") -> pd.DataFrame:
    """The same predictions under each protocol."""
    rows = one.study[split]["protocols"]
    table = pd.DataFrame([{**row, "accuracy (%)": rate(row)} for row in rows])
    return table.set_index(["labels", "rule", "classes"])[["n", "accuracy (%)"]]


def leaks(models: Sequence[Studied]) -> pd.DataFrame:
    """Accuracy on the parts of test, and the leaked part's minus the leak-free part's, in percent and points.

    One row a model of `studies.leak_rows`.
    """
    rows = {}
    for found in leak_rows(models):
        drop = found.get("drop", {})
        rows[found["model"]] = {
            "training": ", ".join(
                filter(None, [found["training"], "cleaned split" if found["clean"] else "everything"])
            ),
            **{f"{part.replace('_', '-')} (%)": rate(found.get(part, {})) for part in ("all", "leak_free", "leaked")},
            "leaked − free": rate(drop.get("plain", {}), "difference"),
            "at equal class mix": rate(drop.get("same_classes", {}), "difference"),
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def confidence(models: Sequence[Studied]) -> pd.DataFrame:
    """Temperature, calibration error before and after, and what answering only when confident gives, on test."""
    columns = {}
    for one in models:
        chosen, test = one.study["chosen_on_valid"], one.study["test"]
        error = {name: found["majority"]["ece"] for name, found in test["calibration"].items()}
        at, top = test["abstention"]["at_threshold"], test["abstention"]["most_confident_80"]
        columns[one.name] = {
            "temperature (chosen on valid)": f"{chosen['temperature']:.3f}",
            "calibration error, temperature 1": f"{error['raw']:.4f}",
            "calibration error, scaled": f"{error['scaled']:.4f}",
            "calibration error to votes, T for votes": f"{test['calibration']['scaled to votes']['votes']['ece']:.4f}",
            "80 % most confident: right (%)": rate(top),
            "threshold (chosen on valid)": f"{chosen['threshold']:.3f}",
            "answered at the threshold (%)": f"{100 * at['coverage']:.1f}",
            "of these right (%)": rate(at),
        }
    return pd.DataFrame(columns)


def live_path(models: Sequence[Studied]) -> pd.DataFrame:
    """Crops beside the whole live path, in percent."""
    rows = {}
    for one in models:
        for found in one.study["test"]["live_path"]:
            cost, seen = found["cost"], found.get("live_if_found", {})
            turned = f"turned up to {found['roll']:.0f}°" if found["roll"] else "as they are"
            rows[one.name, turned] = {
                "images": found["n"], "found (%)": f"{100 * found['found']:.1f}", "crops (%)": rate(found["crop"]),
                "live path (%)": rate(found["live"]), "cost (points)": rate(cost, "difference"),
                "of the found faces (%)": rate(seen),
            }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis(["model", "faces"])


def worst_changes(one: Studied) -> pd.DataFrame:
    """Points of accuracy lost at each strength, ``value: points``, the most damaging change first."""
    found = one.study["test"]["robustness"]
    clean = found["clean"]["accuracy"]
    rows = {
        f"{name} ({row['unit']})": [
            f"{strength:g}: {100 * (clean - value):.1f}"
            for strength, value in zip(row["strengths"], row["accuracy"], strict=True)
        ]
        for name, row in sorted(found["changes"].items(), key=lambda item: item[1]["accuracy"][-1])
    }
    return pd.DataFrame(rows, index=[f"strength {number}" for number in range(1, 6)]).T


def differences(models: Sequence[Studied]) -> pd.DataFrame:
    """Paired differences of accuracy between the models, as `comparison.as_table` shows them."""
    return as_table(compare_all(models))


def as_table(rows: Sequence[Mapping]) -> pd.DataFrame:
    """`compare_pairs`'s rows as text: differences and intervals in points, corrected p-values; empty without a pair."""
    pairs = pd.MultiIndex.from_arrays([[row[key] for row in rows] for key in ("first", "second")])
    columns = {
        "difference, points": [f"{100 * row['difference']:+.2f}" for row in rows],
        "95 % interval": [" to ".join(f"{100 * end:+.1f}" for end in row["interval"]) for row in rows],
        "p, corrected": [f"{row['p_adjusted']:.2g}" for row in rows],
    }
    return pd.DataFrame(columns, index=pairs.set_names(["model", "minus"]))
