"""What exporting costs, measured on valid: the graph beside torch, and 8 bits beside both. Test is never read."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ferlib import paths
from ferlib.data import cleaning, ferplus
from ferlib.data.votes import hard_labels
from ferlib.evaluation.metrics import labelled
from ferlib.files import atomic_path, write_json
from ferlib.inference import int8 as quantisation
from ferlib.inference import onnx_export
from ferlib.inference.classifier import Classifier
from ferlib.inference.loading import load_classifier
from ferlib.models import checkpoints
from ferlib.models.preprocessing import equalise
from ferlib.provenance import code_commit
from ferlib.publishing.splits import same_data, score_valid


def run(
    name: str | None = None, *, int8: bool = False, out: Path | None = None, say: Callable[[str], None] = lambda _: None
) -> dict:
    """Export a checkpoint, and with `int8` decide on valid whether its 8-bit version is kept; JSON-ready.

    Without `int8` no data set is needed. With it, `data/published/NAME/export.json` gets the accuracies, and
    `data/checkpoints/NAME.int8.json` the ranges when 8 bits cost at most `quantisation.MOST` points; otherwise that
    file is removed. `out` names a file for a copy of the graph in single precision.

    Raises:
        FerlibError: there is no such checkpoint, its graph differs from torch, or, with `int8`, FER2013+ was not found
            or is other data than the checkpoint was trained on.
    """
    about, _ = checkpoints.describe(name)
    checkpoint = checkpoints.load(name)
    if int8:
        same_data(about.get("data_hash", ""), f"{about['name']} was trained on")
    say("writing the graph")
    graph = onnx_export.load_graph(about, lambda: checkpoint)
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_bytes(graph)
    found = {
        "model": about["name"], "layout": onnx_export.LAYOUT, "weights_sha256": about["weights_sha256"],
        "bytes": len(graph), "max_difference": onnx_export.largest_difference(checkpoint, graph),
        "code_commit": code_commit(), "torch": torch.__version__,
    }  # fmt: skip
    if int8:
        found["data_hash"] = about["data_hash"]
        say("measuring ranges on training faces")
        faces = equalise(calibration_faces(), about["preprocessing"]["equalise"])
        ranges = quantisation.ranges_path(about["name"])
        before = ranges.read_bytes() if ranges.is_file() else None
        quantisation.write_ranges(about, quantisation.measure_ranges(graph, faces), len(faces))
        try:
            found |= _on_valid(Classifier(checkpoint), say)
        except BaseException:  # Ctrl-C too: what was there is put back
            _put_back(ranges, before)
            raise
        cost = found["accuracy"]["torch"] - found["accuracy"]["int8"]
        found["int8_kept"] = cost <= quantisation.MOST / 100
        if not found["int8_kept"]:
            _put_back(ranges, None)
        write_json(paths.PUBLISHED / about["name"] / "export.json", found)
    return found


def _put_back(path: Path, content: bytes | None) -> None:
    """The file as it was before; None: there was none."""
    if content is None:
        path.unlink(missing_ok=True)
    else:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def calibration_faces(count: int = quantisation.FACES, seed: int = 0) -> np.ndarray:
    """(N, 48, 48) uint8 training faces with a majority label, copies and leaks left out, drawn at random."""
    data, manifest = ferplus.load_train_valid(), cleaning.manifest_of(None)
    kept = np.isin(data.ids, manifest.loc[manifest["kept"], "id"].to_numpy(dtype=str))
    usable = np.flatnonzero((data.split == "train") & kept & (hard_labels(data.votes) >= 0))
    chosen = np.random.default_rng(seed).permutation(usable)[:count]
    return np.ascontiguousarray(np.asarray(data.images)[np.sort(chosen)])


def _on_valid(reference: Classifier, say: Callable[[str], None]) -> dict:
    """Accuracy of torch, the graph and 8 bits on valid, and how often the last two name torch's emotion."""
    load = partial(load_classifier, reference.name)
    accuracy, agreement, wanted = {}, {}, None
    for engine in ("torch", "onnx", "int8"):
        say(f"valid, {engine}")
        classifier = reference if engine == "torch" else load(engine=engine)
        predictions, _ = score_valid(classifier)
        named = predictions["probabilities"].argmax(axis=1)
        kept, labels = labelled(predictions["probabilities"], predictions["labels"])
        accuracy[engine] = float((kept.argmax(axis=1) == labels).mean())
        wanted = named if wanted is None else wanted
        agreement[engine] = float((named == wanted).mean())
    return {"n": len(labels), "split": "valid", "accuracy": accuracy, "agreement": agreement}


def render(found: dict) -> str:
    """`run`'s result as a few lines for people."""
    lines = [f"{found['model']}: graph of {found['bytes'] / 1e6:.1f} MB, {found['max_difference']:.1e} from torch"]
    for engine, share in found.get("accuracy", {}).items():
        same = found["agreement"][engine]
        lines.append(f"  {engine:<6} {share:.2%} of {found['n']:,} valid faces, names torch's emotion for {same:.2%}")
    if "int8_kept" in found:
        lines.append("  8 bits are kept." if found["int8_kept"] else "  8 bits cost too much accuracy; not kept.")
    return "\n".join(lines)
