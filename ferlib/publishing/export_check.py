"""Cost of exporting a model, measured on valid: the graph beside torch, and 8 bits beside both. Test is never read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ferlib import paths
from ferlib.data.data_set import DataSet
from ferlib.data.votes import hard_labels
from ferlib.evaluation.metrics import labelled
from ferlib.files import atomic_path, write_json
from ferlib.inference import graphs, onnx_export
from ferlib.inference import int8 as quantisation
from ferlib.inference.classifier import Classifier
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.models.preprocessing import equalise
from ferlib.provenance import code_commit
from ferlib.publishing.splits import open_same_data, score_valid


def check_export(
    name: str | None = None, *, int8: bool = False, out: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> dict:
    """Export a checkpoint, and with `int8` decide on valid whether its 8-bit version is kept.

    Without `int8` no data set is needed. With it, `data/published/NAME/export.json` gets the accuracies, and
    `NAME.int8.json` beside the checkpoint the ranges when 8 bits cost at most `quantisation.MAX_LOSS` points; otherwise
    that file is removed.

    Args:
        name: name of a checkpoint; None for the shipped one.
        int8: whether to measure an 8-bit version.
        out: file for a copy of the graph in single precision; None for no copy.
        say: gets the name of each step as it begins.

    Returns:
        JSON-ready report: size of the graph, its largest difference from torch, and with `int8` the accuracies.

    Raises:
        FerlibError: there is no such checkpoint, its graph differs from torch, or, with `int8`, FER2013+ was not found
            or is other data than the checkpoint was trained on.
    """
    about, _ = checkpoints.describe(name)
    checkpoint = checkpoints.load(name)
    data_set = None
    if int8:
        trained_on = f"{about['name']} was trained on"
        data_set = open_same_data(about.get("data_hash", ""), about.get("config", {}), trained_on)
    say("writing the graph")
    graph = onnx_export.load_graph(about, lambda: checkpoint)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_bytes(graph)
    report = {
        "model": about["name"], "layout": graphs.LAYOUT, "weights_sha256": about["weights_sha256"],
        "bytes": len(graph), "max_difference": onnx_export.largest_difference(checkpoint, graph),
        "code_commit": code_commit(), "torch": torch.__version__,
    }  # fmt: skip
    if data_set is not None:
        report["data_hash"] = about["data_hash"]
        say("measuring ranges on training faces")
        faces = equalise(calibration_faces(data_set), about["preprocessing"]["equalise"])
        ranges = quantisation.ranges_path(about["name"])
        before = ranges.read_bytes() if ranges.is_file() else None
        quantisation.write_ranges(about, quantisation.measure_ranges(graph, faces), len(faces))
        try:
            report |= _compare_on_valid(Classifier(checkpoint), data_set, say)
        except BaseException:  # Ctrl-C too
            _restore_file(ranges, before)
            raise
        cost = report["accuracy"]["torch"] - report["accuracy"]["int8"]
        report["int8_kept"] = cost <= quantisation.MAX_LOSS / 100
        if not report["int8_kept"]:
            _restore_file(ranges, None)
        write_json(paths.PUBLISHED / about["name"] / "export.json", report)
    return report


def _restore_file(path: Path, content: bytes | None) -> None:
    """Write a file's former content back; None removes the file."""
    if content is None:
        path.unlink(missing_ok=True)
    else:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def calibration_faces(data_set: DataSet, count: int = quantisation.CALIBRATION_FACES, seed: int = 0) -> np.ndarray:
    """Draw training faces with a majority label; copies and leaks are left out.

    Args:
        data_set: the open data.
        count: largest number of faces.
        seed: seed of the draw.

    Returns:
        (N, 48, 48) uint8 faces.
    """
    data, manifest = data_set.train_valid, data_set.manifest
    clean = np.isin(data.ids, manifest.loc[manifest["kept"], "id"].to_numpy(dtype=str))
    usable = np.flatnonzero((data.split == "train") & clean & (hard_labels(data.votes) >= 0))
    indices = np.random.default_rng(seed).permutation(usable)[:count]
    return np.ascontiguousarray(np.asarray(data.images)[np.sort(indices)])


def _compare_on_valid(reference: Classifier, data_set: DataSet, say: Callable[[str], None]) -> dict:
    """Accuracy of torch, the graph and 8 bits on valid, and how often the last two name torch's emotion."""
    load = partial(load_classifier, reference.name)
    accuracy, agreement = {}, {}
    named_by_torch = None
    for engine in ("torch", "onnx", "int8"):
        say(f"valid, {engine}")
        classifier = reference if engine == "torch" else load(engine=engine)
        predictions = score_valid(classifier, data_set).predictions
        named = predictions["probabilities"].argmax(axis=1)
        probabilities, labels = labelled(predictions["probabilities"], predictions["labels"])
        accuracy[engine] = float((probabilities.argmax(axis=1) == labels).mean())
        named_by_torch = named if named_by_torch is None else named_by_torch
        agreement[engine] = float((named == named_by_torch).mean())
    return {"n": len(labels), "split": "valid", "accuracy": accuracy, "agreement": agreement}


def render_export(report: dict) -> str:
    """Render the report of `check_export` as a few lines for people."""
    lines = [f"{report['model']}: graph of {report['bytes'] / 1e6:.1f} MB, {report['max_difference']:.1e} from torch"]
    for engine, share in report.get("accuracy", {}).items():
        same = report["agreement"][engine]
        lines.append(f"  {engine:<6} {share:.2%} of {report['n']:,} valid faces, names torch's emotion for {same:.2%}")
    if "int8_kept" in report:
        lines.append("  8 bits are kept." if report["int8_kept"] else "  8 bits cost too much accuracy; not kept.")
    return "\n".join(lines)
