"""Tables of the evaluation for notebook 04: text with intervals, from the stored studies."""

from collections.abc import Mapping, Sequence

import pandas as pd

from ferlib.format import percent, percent_with_interval, points, with_interval
from ferlib.report.studies import StudiedModel, leak_rows, paired_differences, reads_of_test

_MORE_SCORES = {
    "balanced accuracy": "balanced_accuracy", "macro precision": "macro_precision", "top-2 accuracy": "top2",
    "Cohen's kappa": "kappa", "log-loss (nats)": "log_loss",
}  # fmt: skip


def accuracy_with_interval(row: Mapping, key: str = "accuracy") -> str:
    """Accuracy in percent with its 95 % interval, such as ``85.18 (83.93 to 86.42)``; a dash where there is none.

    Args:
        row: ``{key: share, "interval": (low, high)}``.
        key: key of the accuracy, or of a difference of accuracies.
    """
    return percent_with_interval(row.get(key), row.get("interval"), bound_digits=2)


def scores_by_model(models: Sequence[StudiedModel], split: str = "test") -> pd.DataFrame:
    """Every score with its 95 % interval, one column a model; the log-loss is that after temperature scaling.

    For test also how often the model has read it, by the ledger.

    Args:
        models: the studied models.
        split: ``"valid"`` or ``"test"``.
    """
    columns = {}
    for model in models:
        scores = model.study[split]["scores"]
        reads = {"reads of test": str(len(reads_of_test(model)))} if split == "test" else {}
        columns[model.name] = {
            "images": f"{scores['n']:,}",
            "accuracy (%)": percent_with_interval(scores["accuracy"], scores["accuracy_interval"], bound_digits=2),
            "macro-F1": with_interval(scores["macro_f1"], scores["macro_f1_interval"]),
            **{
                name: with_interval(scores["more"][key]["value"], scores["more"][key]["interval"])
                for name, key in _MORE_SCORES.items()
            },
            **reads,
        }
    return pd.DataFrame(columns)


def human_table(model: StudiedModel) -> pd.DataFrame:
    """Accuracy of one tagger on valid and test in percent, as a model's study holds it."""
    rows = {"against the majority": "against_majority", "against the other nine": "against_others"}
    return pd.DataFrame(
        {
            split: {
                name: percent_with_interval(human.get(key), human.get(f"{key}_interval"), bound_digits=2)
                for name, key in rows.items()
            }
            for split in ("valid", "test")
            for human in [model.study[split]["human"]]
        }
    )


def accuracy_by_protocol(model: StudiedModel, split: str = "test") -> pd.DataFrame:
    """Accuracy of a model's predictions under each protocol.

    Args:
        model: the studied model.
        split: ``"valid"`` or ``"test"``.
    """
    rows = [{**row, "accuracy (%)": accuracy_with_interval(row)} for row in model.study[split]["protocols"]]
    return pd.DataFrame(rows).set_index(["labels", "rule", "classes"])[["n", "accuracy (%)"]]


def accuracy_by_leak(models: Sequence[StudiedModel]) -> pd.DataFrame:
    """Accuracy on the parts of test in percent, and the leaked part's minus the leak-free part's in points.

    Args:
        models: the studied models; the table has one row for each of `studies.leak_rows`.
    """
    rows = {}
    for row in leak_rows(models):
        drop = row.get("drop", {})
        split = "cleaned split" if row["clean"] else "everything"
        rows[row["model"]] = {
            "training": f"{row['training']}, {split}" if row["training"] else split,
            **{
                f"{part.replace('_', '-')} (%)": accuracy_with_interval(row.get(part, {}))
                for part in ("all", "leak_free", "leaked")
            },
            "leaked − free": accuracy_with_interval(drop.get("plain", {}), "difference"),
            "at equal class mix": accuracy_with_interval(drop.get("same_classes", {}), "difference"),
        }
    return pd.DataFrame(rows).T.rename_axis("model")


def confidence_by_model(models: Sequence[StudiedModel]) -> pd.DataFrame:
    """Temperature, calibration error before and after, and accuracy of confident answers alone, on test."""
    columns = {}
    for model in models:
        chosen, test = model.study["chosen_on_valid"], model.study["test"]
        error = {name: calibration["majority"]["ece"] for name, calibration in test["calibration"].items()}
        answered, top = test["abstention"]["at_threshold"], test["abstention"]["most_confident_80"]
        columns[model.name] = {
            "temperature (chosen on valid)": f"{chosen['temperature']:.3f}",
            "calibration error, temperature 1": f"{error['raw']:.4f}",
            "calibration error, scaled": f"{error['scaled']:.4f}",
            "calibration error to votes, T for votes": f"{test['calibration']['scaled to votes']['votes']['ece']:.4f}",
            "80 % most confident: right (%)": accuracy_with_interval(top),
            "threshold (chosen on valid)": f"{chosen['threshold']:.3f}",
            "answered at the threshold (%)": percent(answered["coverage"]),
            "of these right (%)": accuracy_with_interval(answered),
        }
    return pd.DataFrame(columns)


def live_path_costs(models: Sequence[StudiedModel]) -> pd.DataFrame:
    """Accuracy on crops beside that through the live path, in percent."""
    rows = {}
    for model in models:
        for row in model.study["test"]["live_path"]:
            turned = f"turned up to {row['roll']:.0f}°" if row["roll"] else "as they are"
            rows[model.name, turned] = {
                "images": row["n"], "found (%)": percent(row["found"]),
                "crops (%)": accuracy_with_interval(row["crop"]),
                "live path (%)": accuracy_with_interval(row["live"]),
                "cost (points)": accuracy_with_interval(row["cost"], "difference"),
                "of the found faces (%)": accuracy_with_interval(row.get("live_if_found", {})),
            }  # fmt: skip
    return pd.DataFrame(rows).T.rename_axis(["model", "faces"])


def worst_changes(model: StudiedModel) -> pd.DataFrame:
    """Points of accuracy lost at each strength, ``value: points``, the most damaging change first."""
    robustness = model.study["test"]["robustness"]
    clean = robustness["clean"]["accuracy"]
    rows = {
        f"{name} ({row['unit']})": [
            f"{strength:g}: {percent(clean - accuracy)}"
            for strength, accuracy in zip(row["strengths"], row["accuracy"], strict=True)
        ]
        for name, row in sorted(robustness["changes"].items(), key=lambda item: item[1]["accuracy"][-1])
    }
    return pd.DataFrame(rows, index=[f"strength {number}" for number in range(1, 6)]).T


def differences_by_pair(models: Sequence[StudiedModel]) -> pd.DataFrame:
    """Paired differences of accuracy between the models, see `difference_table`."""
    return difference_table(paired_differences(models))


def difference_table(rows: Sequence[Mapping]) -> pd.DataFrame:
    """Differences of accuracy in points with their intervals and corrected p-values; empty without a pair.

    Args:
        rows: rows of `comparison.compare_pairs`.
    """
    pairs = pd.MultiIndex.from_arrays([[row[key] for row in rows] for key in ("first", "second")])
    columns = {
        "difference, points": [points(row["difference"]) for row in rows],
        "95 % interval": [" to ".join(points(bound, 1) for bound in row["interval"]) for row in rows],
        "p, corrected": [f"{row['p_adjusted']:.2g}" for row in rows],
    }
    return pd.DataFrame(columns, index=pairs.set_names(["model", "minus"]))
