"""Tables of the README and the cards in Markdown, from what `data/published` holds."""

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ferlib import paths
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.format import DASH, hours, percent, percent_with_interval, with_interval
from ferlib.publishing.ledger import AT_THE_READ, TestRead
from ferlib.report import literature
from ferlib.report.seeds import seed_families

_SPLITS = ("valid", "test")
_PARTS = ("train", "valid", "test")
_NOT_COUNTED = "Not counted yet; `ferlib data check --publish` does it."


def read_json(path: Path) -> dict:
    """Content of a JSON file; empty when there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def results_markdown(metrics: list[dict]) -> str:
    """Accuracies with their intervals and macro-F1 of each model, as a Markdown table with a note.

    Args:
        metrics: ``metrics.json`` of the models, the first row of the table last.
    """
    if not metrics:
        return "No model is published yet."
    lines = [
        "| model (seed) | valid | **test** | test, leak-free | test macro-F1 | earlier project, valid | training |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_result_row(run) for run in reversed(metrics)]
    counts = {split: metrics[-1][split]["all"]["n"] for split in _SPLITS}
    leak_free = metrics[-1]["test"].get("leak_free", {}).get("n", 0)
    lines += [
        "",
        f"Accuracy in percent with its 95 % bootstrap interval. {metrics[-1]['protocol']}; n = {counts['valid']:,} "
        f"(valid), {counts['test']:,} (test), {leak_free:,} (test images that have no copy in another split). Trained "
        "on the cleaned training split, epoch chosen on valid, one forward pass; test is read when a model is "
        "published and for its full report, and chose no epoch, setting or threshold; it gave occasion "
        "to one run, `efficientnet_b2`, which goes on from `efficientnet_b2_64` because that fell short on it. "
        "The earlier project is the student project *Face Emotion Recognition with ConvNeXt and MTCNN* that this "
        "one re-creates, on the same data: about what it says of its own validation images, by kind of model; "
        "their number and protocol are not known. The hours are those of the run alone, without what it starts "
        "from and its teachers; bf16 means that it was trained in mixed precision.",
        *_seed_sentences(metrics),
    ]
    return "\n".join(lines)


def _seed_sentences(metrics: list[dict]) -> list[str]:
    """Sentence for each recipe that was trained with several seeds, and for those of the same schedule among them."""
    runs = sorted(metrics, key=lambda run: run["config"]["seed"])
    lines = []
    for name, positions in seed_families([(run["model"], run["config"]["epochs"]) for run in runs]).items():
        family = [runs[position] for position in positions]
        accuracies = [100 * run["test"]["all"]["accuracy"] for run in family]
        schedules = ", ".join(f"{run['config']['epochs']} for seed {run['config']['seed']}" for run in family)
        recipe = name.split(",")[0]
        starts = {run["config"]["seed"]: run["config"].get("start", "") for run in family}
        if len(set(starts.values())) == 1:
            remarks = {f"; all go on from `{start}`" for start in starts.values() if start}
        else:
            remarks = {f"; seed {seed} goes on from `{start}`" for seed, start in starts.items() if start}
        precisions = {run["config"]["seed"]: run["run"].get("precision", "no") for run in family}
        remarks |= {f"; seed {seed} in {kind}" for seed, kind in precisions.items() if kind != "no"}
        lines.append(
            f"`{recipe}`, {len(family)} seeds: {statistics.mean(accuracies):.2f} % of test on average, standard "
            f"deviation {statistics.stdev(accuracies):.2f} points (epochs: {schedules}{''.join(sorted(remarks))})."
        )
    return ["", *lines] if lines else []


def reads_markdown(reads: Sequence[TestRead]) -> str:
    """Sentence with the number of reads of the test split, from the ledger.

    Args:
        reads: entries of the published ledger.
    """
    if not reads:
        return "No model has read the test split yet."
    purposes = ", ".join(f"{count} for {name}" for name, count in Counter(read.purpose for read in reads).items())
    afterwards = sum(read.recorded != AT_THE_READ for read in reads)
    return (
        f"Reads of the test split so far: {len(reads)} ({purposes}), by {len({read.model for read in reads})} models; "
        f"{sum(read.repeat for read in reads)} of them repeat an earlier read of the same weights. Each stands in "
        f"`data/published/test_reads.json`; {afterwards} were recorded afterwards, from what the repository's history "
        "proves."
    )


def class_markdown(metrics: dict, split: str = "test") -> str:
    """Precision, recall, F1 and number of images of each class, as a Markdown table.

    Args:
        metrics: ``metrics.json`` of a model.
        split: ``"valid"`` or ``"test"``.
    """
    lines = ["| emotion | precision | recall | F1 | images |", "|---|---:|---:|---:|---:|"]
    for emotion, row in metrics[split]["all"]["per_class"].items():
        cells = [DASH if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        lines.append(f"| {emotion} | {' | '.join(cells)} | {row['support']:,} |")
    return "\n".join(lines)


def models_markdown(metrics: list[dict]) -> str:
    """Input, size, speed, temperature and threshold of each shipped model, as a Markdown table.

    Args:
        metrics: ``metrics.json`` of the models, the first row of the table last.
    """
    speeds = read_json(paths.PUBLISHED / "bench_models.json").get("models", {})
    lines = [
        "| model | input | parameters | multiply-adds | ms a face, torch, one thread | temperature "
        '| "not sure" below |',
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for run in reversed(metrics):
        name = run["model"]
        about = read_json(paths.CHECKPOINTS / f"{name}.json") or read_json(paths.WEIGHTS / f"{name}.json")
        speed = speeds.get(name)
        if not about:  # only its numbers are published
            continue
        preprocessing = about["preprocessing"]
        colour = "grey" if preprocessing["channels"] == 1 else "grey in three channels"
        cells = [name, f"{preprocessing['size']} px, {colour}"]
        if speed is None:
            cells += [DASH] * 3
        else:
            millions = (f"{speed[key] / 1e6:.1f} M" for key in ("parameters", "multiply_adds"))
            cells += [*millions, f"{speed['milliseconds']:.1f}"]
        threshold = about.get("threshold")
        cells += [DASH] * 2 if threshold is None else [f"{about['temperature']:.3f}", f"{threshold:.3f}"]
        lines.append(table_row(*cells))
    return "\n".join(lines)


def confidence_markdown() -> str:
    """Calibration, abstention and the live path of every studied model on test, as a Markdown table with a note."""
    lines = [
        "| model | calibration error, scaled | 80 % most confident: right | answered | of these right "
        "| crops | through the live path |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    stored = {path.parent.name: read_json(path) for path in sorted(paths.PUBLISHED.glob("*/study.json"))}
    studies = {name: study for name, study in stored.items() if study["about"]["data_hash"] in OFFICIAL_HASHES}
    tests = {name: study["test"] for name, study in studies.items()}
    for name, test in tests.items():
        answered, live = test["abstention"]["at_threshold"], test["live_path"][0]
        top, right, crops, through = (
            percent_with_interval(row.get("accuracy"), row.get("interval"), 1, join="–")
            for row in (test["abstention"]["most_confident_80"], answered, live["crop"], live["live"])
        )
        error = f"{test['calibration']['scaled']['majority']['ece']:.3f}"
        lines.append(table_row(name, error, top, percent(answered["coverage"]), right, crops, through))
    if tests:
        counts, live = (
            " or ".join(f"{n:,}" for n in sorted(numbers))
            for numbers in (
                {test["scores"]["n"] for test in tests.values()}, {test["live_path"][0]["n"] for test in tests.values()}
            )
        )  # fmt: skip
        risks, levels = (
            " or ".join(f"{100 * share:g} %" for share in sorted({s["chosen_on_valid"][key] for s in studies.values()}))
            for key in ("risk", "level")
        )
        lines += [
            "",
            f"Percent with 95 % bootstrap intervals; n = {counts}, for the last two columns {live} of them, pasted "
            "into pictures of 640x480; a missed face counts as an error. Temperature and threshold were chosen on "
            f"valid, the threshold so that the share of wrong answers there has an upper {levels} bound (Clopper and "
            f"Pearson 1934) of at most {risks}.",
        ]
    return "\n".join(lines)


def hours_markdown(metrics: list[dict]) -> str:
    """Sentence with the hours that all runs took together.

    Args:
        metrics: ``metrics.json`` of the runs; soups, which are not trained, do not count.
    """
    runs = [run["run"] for run in metrics if not run["config"].get("soup")]
    total = sum(run["seconds"] for run in runs) / 3600
    cores = " or ".join(map(str, sorted({run["cores"] for run in runs}))) or "no"
    return (
        f"The {len(runs)} published trainings, the ablations among them, took {total:.0f} hours on {cores} "
        "processor cores, without a GPU. Trials that were not published are not counted."
    )


def classes_markdown(metrics: list[dict]) -> str:
    """`class_markdown` of every model on test, each under its name.

    Args:
        metrics: ``metrics.json`` of the models, the first to be shown last.
    """
    if not metrics:
        return "No model is published yet."
    return "\n\n".join(f"`{run['model']}`:\n\n{class_markdown(run)}" for run in reversed(metrics))


def counts_markdown(check: dict) -> str:
    """Numbers of images of each split, and of those that each label rule keeps, as a Markdown table.

    Args:
        check: ``data_check.json``, or empty.
    """
    if not check:
        return _NOT_COUNTED
    lines = [table_row("", *_PARTS), "|---|---:|---:|---:|", table_row("all images", *_counts(check["images"]))]
    for labels, rules in check["kept"].items():
        lines += [table_row(f"`{labels}`, {rule.replace('_', '-')}", *_counts(row)) for rule, row in rules.items()]
    return "\n".join(lines)


def emotions_markdown(check: dict) -> str:
    """Numbers of images of each emotion in each split by the majority rule, as a Markdown table.

    Args:
        check: ``data_check.json``, or empty.
    """
    if not check:
        return _NOT_COUNTED
    lines = [table_row("emotion (majority)", *_PARTS), "|---|---:|---:|---:|"]
    return "\n".join([*lines, *(table_row(name, *_counts(row)) for name, row in check["classes"].items())])


def leaks_markdown(check: dict) -> str:
    """Numbers of images whose photo also sits in another split, by each search for copies, with a note for each.

    Args:
        check: ``data_check.json``, or empty.
    """
    if not check:
        return _NOT_COUNTED
    lines, notes = [table_row("images also in another split", *_PARTS), "|---|---:|---:|---:|"], []
    for version, counts in check["searches"].items():
        for title, part, total in (("all", "images", "of_images"), ("with a majority", "labelled", "of_labelled")):
            rows = [counts["leaked"][name] for name in _PARTS]
            cells = [f"{row[part]:,} ({percent(row[part] / row[total])} %)" for row in rows]
            lines.append(table_row(f"search {version}, {title}", *cells))
        training = counts["training"]
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in counts["dropped"].items())
        notes.append(
            f"After search {version}, training keeps {training['images']:,} of {check['images']['train']:,} images"
            f" (left out: {dropped}); {training['with a crossentropy target']:,} of them have a target."
        )
    return "\n".join([*lines, "", *notes])


def table_row(*cells: str) -> str:
    """Row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _counts(row: dict[str, int]) -> list[str]:
    return [f"{row[name]:,}" for name in _PARTS]


def _result_row(run: dict) -> str:
    config, (valid, test) = run["config"], (run[split]["all"] for split in _SPLITS)
    leak_free = run["test"].get("leak_free")
    earlier = literature.earlier_accuracy(run["model"])
    return table_row(
        f"{run['model']} ({config['seed']})", _accuracy_markdown(valid), f"**{_accuracy_markdown(test)}**",
        _accuracy_markdown(leak_free) if leak_free else DASH,
        with_interval(test["macro_f1"], test["macro_f1_interval"], join="–"),
        DASH if earlier is None else f"{percent(earlier, 0)} %", _training_cell(run),
    )  # fmt: skip


def _training_cell(run: dict) -> str:
    if members := run["config"].get("soup"):
        return f"the mean of {' and '.join(members)}"
    training = f"{run['config']['epochs']} epochs, {hours(run['run']['seconds'])} on {run['run']['cores']} cores"
    precision = run["run"].get("precision", "no")
    return training if precision == "no" else f"{training}, {precision}"  # "no": single precision throughout


def _accuracy_markdown(scores: dict) -> str:
    return percent_with_interval(scores["accuracy"], scores["accuracy_interval"], join="–")
