"""Scores of models on faces from elsewhere: ``python tools/outside.py ck48.npz --model convnext``.

The file is an npz archive of ``images`` (N, H, W) uint8, cut like FER2013's faces, ``labels`` (N,) in ferlib's class
order and ``subjects`` (N,). Such sets may not be passed on, so only their scores are stored, as
data/published/outside_NAME.json with the file's hash. Nothing is chosen by them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.evaluation.outside import OutsideSet, evaluate_outside
from ferlib.files import sha256, write_json
from ferlib.format import share_with_interval
from ferlib.inference.loading import load_classifier
from ferlib.provenance import code_commit


def read_outside(path: Path) -> OutsideSet:
    """Read an archive of faces.

    Args:
        path: the npz file.

    Raises:
        FerlibError: it cannot be read, or lacks an array.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return OutsideSet(arrays["images"], arrays["labels"].astype(np.int64), arrays["subjects"].astype(str))
    except (OSError, ValueError, KeyError) as error:
        raise FerlibError(f"{path} is no archive of images, labels and subjects ({error}); see --help.") from error


def render_outside(report: dict) -> str:
    """Render the scores of a model as lines for people, one a reading."""
    lines = [f"{report['model']}: {report['n']:,} faces of {report['people']:,} people"]
    for reading, scores in report["readings"].items():
        eight, sure = scores["eight"], scores["confident"]
        lines.append(
            f"  {reading:<5} accuracy {share_with_interval(eight['accuracy'], eight['interval'])}   "
            f"among the classes present {scores['present']['accuracy']:.1%}   ECE {scores['calibration_error']:.3f}   "
            f"{sure['share']:.0%} at 90 % and more" + (f", {sure['accuracy']:.1%} of them right" if sure["n"] else "")
        )
        lines.append("        recall " + ", ".join(f"{name} {value:.0%}" for name, value in eight["recall"].items()))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Score the models, print the scores, and store them with ``--store NAME``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--model", action="append", help="a model's name; may be repeated. Default: the shipped one.")
    parser.add_argument("--store", metavar="NAME", help="write data/published/outside_NAME.json")
    options = parser.parse_args(arguments)
    try:
        outside, reports = read_outside(options.file), []
        for name in options.model or [None]:
            reports.append(evaluate_outside(load_classifier(name, engine="torch"), outside))
            print(render_outside(reports[-1]), flush=True)
    except FerlibError as error:
        print(error, file=sys.stderr)
        return 1
    if options.store:
        about = {
            "sha256": sha256(options.file), "code_commit": code_commit(),
            "models": {report["model"]: report for report in reports},
        }  # fmt: skip
        write_json(paths.PUBLISHED / f"outside_{options.store}.json", about)
    return 0


if __name__ == "__main__":
    sys.exit(main())
