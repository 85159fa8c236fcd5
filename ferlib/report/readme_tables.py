"""The tables of the README and the cards, in Markdown, from what `data/published` holds."""

import json
import statistics
from pathlib import Path

from ferlib import paths
from ferlib.data.official import OFFICIAL_HASHES
from ferlib.report import literature
from ferlib.report.seeds import families

_SPLITS = ("valid", "test")
_PARTS = ("train", "valid", "test")
_NOT_COUNTED = "Not counted yet; `ferlib data check --publish` does it."


def read(path: Path) -> dict:
    """What a JSON file holds, nothing when there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def results_table(metrics: list[dict]) -> str:
    """Markdown: one row for each model, the last of `metrics` first: accuracies with their intervals, and macro-F1."""
    if not metrics:
        return "No model is published yet."
    lines = [
        "| model (seed) | valid | **test** | test, leak-free | test macro-F1 | earlier project, valid | training |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_row(one) for one in reversed(metrics)]
    counts = {split: metrics[-1][split]["all"]["n"] for split in _SPLITS}
    free = metrics[-1]["test"].get("leak_free", {}).get("n", 0)
    lines += [
        "",
        f"Accuracy in percent with its 95 % bootstrap interval. {metrics[-1]['protocol']}; n = {counts['valid']:,} "
        f"(valid), {counts['test']:,} (test), {free:,} (test images that have no copy in another split). Trained "
        "on the cleaned training split, epoch chosen on valid, one forward pass; test is read when a model is "
        "published and once more for its full report, and chose no epoch, setting or threshold; it gave occasion "
        "to one run, `efficientnet_b2`, which goes on from `efficientnet_b2_64` because that fell short on it. "
        "The earlier project is the student project *Face Emotion Recognition with ConvNeXt and MTCNN* that this "
        "one re-creates, on the same data: about what it says of its own validation images, by kind of model; "
        "their number and protocol are not known. The hours are those of the run alone, without what it starts "
        "from and its teachers; bf16 means that it was trained in mixed precision.",
        *_spreads(metrics),
    ]
    return "\n".join(lines)


def _spreads(metrics: list[dict]) -> list[str]:
    """A sentence for each recipe that was trained with several seeds, and for those of the same schedule among them."""
    runs = sorted(metrics, key=lambda run: run["config"]["seed"])
    lines = []
    for name, places in families([(run["model"], run["config"]["epochs"]) for run in runs]).items():
        family = [runs[place] for place in places]
        reached = [100 * run["test"]["all"]["accuracy"] for run in family]
        schedules = ", ".join(f"{run['config']['epochs']} for seed {run['config']['seed']}" for run in family)
        recipe = name.split(",")[0]
        starts = {run["config"]["seed"]: run["config"].get("start", "") for run in family}
        if len(set(starts.values())) == 1:
            notes = {f"; all go on from `{start}`" for start in starts.values() if start}
        else:
            notes = {f"; seed {seed} goes on from `{start}`" for seed, start in starts.items() if start}
        mixed = {run["config"]["seed"]: run["run"].get("precision", "no") for run in family}
        notes |= {f"; seed {seed} in {kind}" for seed, kind in mixed.items() if kind != "no"}
        lines.append(
            f"`{recipe}`, {len(family)} seeds: {statistics.mean(reached):.2f} % of test on average, standard "
            f"deviation {statistics.stdev(reached):.2f} points (epochs: {schedules}{''.join(sorted(notes))})."
        )
    return ["", *lines] if lines else []


def class_table(metrics: dict, split: str = "test") -> str:
    """Markdown: precision, recall, F1 and number of images of each class."""
    lines = ["| emotion | precision | recall | F1 | images |", "|---|---:|---:|---:|---:|"]
    for emotion, row in metrics[split]["all"]["per_class"].items():
        cells = ["–" if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        lines.append(f"| {emotion} | {' | '.join(cells)} | {row['support']:,} |")
    return "\n".join(lines)


def model_table(metrics: list[dict]) -> str:
    """Markdown: one row a shipped model, the last of `metrics` first: what it is, its speed, how it is used."""
    speeds = read(paths.PUBLISHED / "bench_models.json").get("models", {})
    lines = [
        "| model | input | parameters | multiply-adds | ms a face, torch, one thread | temperature "
        '| "not sure" below |',
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in reversed(metrics):
        about, speed = read(paths.CHECKPOINTS / f"{one['model']}.json"), speeds.get(one["model"])
        if not about:  # only its numbers are published
            continue
        shape = about["preprocessing"]
        colour = "grey" if shape["channels"] == 1 else "grey in three channels"
        cells = [one["model"], f"{shape['size']} px, {colour}"]
        if speed is None:
            cells += ["–"] * 3
        else:
            millions = (f"{speed[key] / 1e6:.1f} M" for key in ("parameters", "multiply_adds"))
            cells += [*millions, f"{speed['milliseconds']:.1f}"]
        threshold = about.get("threshold")
        cells += ["–"] * 2 if threshold is None else [f"{about['temperature']:.3f}", f"{threshold:.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def confidence_table() -> str:
    """Markdown: calibration, abstention and the live path of every studied model on test."""
    lines = [
        "| model | calibration error, scaled | 80 % most confident: right | answered | of these right "
        "| crops | through the live path |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    stored = {path.parent.name: read(path) for path in sorted(paths.PUBLISHED.glob("*/study.json"))}
    studies = {name: one for name, one in stored.items() if one["about"]["data_hash"] in OFFICIAL_HASHES}
    tests = {name: one["test"] for name, one in studies.items()}
    for name, test in tests.items():
        at, live = test["abstention"]["at_threshold"], test["live_path"][0]
        rates = (test["abstention"]["most_confident_80"], at, live["crop"], live["live"])
        top, right, crops, through = map(_rate, rates)
        error = f"{test['calibration']['scaled']['majority']['ece']:.3f}"
        lines.append(_line(name, error, top, f"{100 * at['coverage']:.1f}", right, crops, through))
    if tests:
        counts, live = (
            " or ".join(f"{n:,}" for n in sorted(numbers))
            for numbers in (
                {test["scores"]["n"] for test in tests.values()}, {test["live_path"][0]["n"] for test in tests.values()}
            )
        )  # fmt: skip
        allowed = {one["chosen_on_valid"]["risk"] for one in studies.values()}
        risks = " or ".join(f"{100 * risk:g} %" for risk in sorted(allowed))
        lines += [
            "",
            f"Percent with 95 % bootstrap intervals; n = {counts}, for the last two columns {live} of them, pasted "
            "into pictures of 640x480; a missed face counts as an error. Temperature and threshold were chosen on "
            f"valid, the threshold for at most {risks} wrong answers there.",
        ]
    return "\n".join(lines)


def hours_of_training(metrics: list[dict]) -> str:
    """Markdown: a sentence with the hours that all these runs took together."""
    metrics = [one for one in metrics if not one["config"].get("soup")]
    hours = sum(one["run"]["seconds"] for one in metrics) / 3600
    cores = " or ".join(map(str, sorted({one["run"]["cores"] for one in metrics}))) or "no"
    return (
        f"The {len(metrics)} published trainings, the ablations among them, took {hours:.0f} hours on {cores} "
        "processor cores, without a GPU. Trials that were not published are not counted."
    )


def class_tables(metrics: list[dict]) -> str:
    """`class_table` of every model on test, each under its name."""
    if not metrics:
        return "No model is published yet."
    return "\n\n".join(f"`{one['model']}`:\n\n{class_table(one)}" for one in reversed(metrics))


def count_table(check: dict) -> str:
    """Markdown: images of each split, and how many of them each label rule keeps, for both label files."""
    if not check:
        return _NOT_COUNTED
    lines = [_line("", *_PARTS), "|---|---:|---:|---:|", _line("all images", *_counts(check["images"]))]
    for labels, rules in check["kept"].items():
        lines += [_line(f"`{labels}`, {rule.replace('_', '-')}", *_counts(row)) for rule, row in rules.items()]
    return "\n".join(lines)


def emotion_table(check: dict) -> str:
    """Markdown: images of each emotion in each split, by the majority rule."""
    if not check:
        return _NOT_COUNTED
    lines = [_line("emotion (majority)", *_PARTS), "|---|---:|---:|---:|"]
    return "\n".join([*lines, *(_line(name, *_counts(row)) for name, row in check["classes"].items())])


def leak_table(check: dict) -> str:
    """Markdown: images of each split that show a photo which also sits in another split."""
    if not check:
        return _NOT_COUNTED
    rows = check["leaked"]
    lines = [_line("", *_PARTS), "|---|---:|---:|---:|"]
    for title, part, whole in (("images", "images", "of_images"), ("with a majority", "labelled", "of_labelled")):
        cells = [f"{rows[name][part]:,} ({100 * rows[name][part] / rows[name][whole]:.1f} %)" for name in _PARTS]
        lines.append(_line(f"{title} also in another split", *cells))
    training = check["training"]
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in check["dropped"].items())
    return "\n".join([
        *lines, "",
        f"Training keeps {training['images']:,} of {check['images']['train']:,} images (left out: {dropped}); "
        f"{training['with a crossentropy target']:,} of them have a target.",
    ])  # fmt: skip


def speed_table(live: dict, camera: dict, train: dict) -> str:
    """Markdown: what a frame of 640x480 takes, from ``bench_live.json``; then one face, a folder, browser and training.

    `camera` is ``bench_camera.json`` and `train` is ``bench_train.json``. Each may be empty.
    """
    sizes = {row["width"] for row in live.get("rows", ())}
    if 640 not in sizes:
        return "Frame times are not published yet; `ferlib bench live` measures your machine."
    threads = max(row["threads"] for row in live["rows"])
    rows = [row for row in live["rows"] if (row["width"], row["threads"]) == (640, threads)]
    paths_of: dict[int, dict[str, dict]] = {}
    for row in rows:
        paths_of.setdefault(row["faces"], {})[row["path"]] = row["total"]
    names = list(next(iter(paths_of.values())))
    lines = [_line("faces", *(f"{name}, ms" for name in names)), "|---:|" + "---:|" * len(names)]
    lines += [
        _line(str(faces), *(f"{total[name]['p50']:.1f} ({total[name]['p95']:.1f})" for name in names))
        for faces, total in paths_of.items()
    ]
    engines = ", ".join(f"{one['p50']:.1f} in {name}" for name, one in live["classifier"].items())
    lines += [
        "",
        f"Milliseconds a frame of 640x480, median and, in brackets, 95th percentile of {live['rounds']} frames in "
        f"turns; `{live['model']}` on {threads} threads of an idle machine with {live['cores']} cores. *Plain* is "
        "facenet-pytorch with its defaults and torch without compilation; *40 px* gives it our smallest face; "
        "*followed* looks for faces where they just were, and everywhere now and then. The classifier alone, one face "
        f"on one thread, in turns with the others: {engines}.",
    ]
    if "folder" in live:
        ours = max(live["folder"]["times_as_fast"].values())
        lines[-1] += f" Folders are read {ours:.1f} times as fast as in the plain loop."
    trips = []
    for name, run in camera.get("runs", {}).items():
        if "face" in name:
            middle, high = run["milliseconds_p50_p95"]["round trip"]
            often = f"{run['answers_a_second']:.1f} round trips a second with {name}"
            trips.append(f"{often} (median {middle:.0f}, 95th percentile {high:.0f} ms)")
    if trips:
        lines[-1] += f" In notebook 05 in Chromium, whose camera gives 30 frames a second: {', '.join(trips)}."
    if train:
        speeds = train["times_as_fast"]
        best = max((name for name in speeds if "usual" not in name), key=lambda name: speeds[name])
        how, usual = best.removeprefix("ours, "), train["pictures_per_second"]["usual"]
        exact = best.removesuffix(", bf16")
        if exact != best and exact in speeds:
            how += f"; {speeds[exact]:.1f} times in full precision"
        lines[-1] += (
            f" Training `{train['recipe']}` goes {speeds[best]:.1f} times as fast ({how}) as the usual loop of PNG "
            f"files and a DataLoader, which learns from {usual:.0f} pictures a second on the {train['cores']} cores of "
            "the machine that measured this; `ferlib bench train` has each part's share."
        )
    return "\n".join(lines)


def _line(title: str, *cells: str) -> str:
    return f"| {' | '.join((title, *cells))} |"


def _counts(row: dict[str, int]) -> list[str]:
    return [f"{row[name]:,}" for name in _PARTS]


def _row(metrics: dict) -> str:
    valid, test = (metrics[split]["all"] for split in _SPLITS)
    free = metrics["test"].get("leak_free")
    hours = metrics["run"]["seconds"] / 3600
    theirs = literature.study(metrics["model"])
    study = "–" if theirs is None else f"{theirs:.0%}".replace("%", " %")
    f_low, f_high = test["macro_f1_interval"]
    members = " and ".join(metrics["config"].get("soup", ()))
    training = f"{metrics['config']['epochs']} epochs, {hours:.1f} h on {metrics['run']['cores']} cores"
    if (precision := metrics["run"].get("precision", "no")) != "no":  # "no": single precision throughout
        training += f", {precision}"
    if members:
        training = f"the mean of {members}"
    return (
        f"| {metrics['model']} ({metrics['config']['seed']}) | {_accuracy(valid)} | **{_accuracy(test)}** | "
        f"{_accuracy(free) if free else '–'} | {test['macro_f1']:.3f} ({f_low:.3f}–{f_high:.3f}) | {study} | "
        f"{training} |"
    )


def _rate(found: dict) -> str:
    """An accuracy with its interval under the keys of the studies; `_accuracy` is for those of the metrics."""
    if found.get("accuracy") is None:  # nothing reached the threshold
        return "–"
    low, high = found["interval"]
    return f"{100 * found['accuracy']:.1f} ({100 * low:.1f}–{100 * high:.1f})"


def _accuracy(scores: dict) -> str:
    low, high = scores["accuracy_interval"]
    return f"{100 * scores['accuracy']:.2f} ({100 * low:.1f}–{100 * high:.1f})"
