"""Speed of detector and frame, ours beside the plain path, in one run: ``python -m ferlib.live.bench_detector``.

The plain path is what a first script has: facenet-pytorch with its defaults (smallest face 20 pixels), a crop, and the
classifier, in each frame. Prints JSON; milliseconds are medians, or as named. Leave the machine idle.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import numpy as np
import torch

from ferlib.live.detection import FaceDetector
from ferlib.live.detector_agreement import agreement, composed_pictures
from ferlib.live.following import DETECT_EVERY, FaceFollower
from ferlib.live.following_accuracy import measure_following
from ferlib.live.made_clips import CLIPS, crowd, made_clip
from ferlib.live.pipeline import Classifier, EmotionPipeline

LEAST = 40  # pixels, smallest face of our paths


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each work, `rounds` times in turns after one that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            started = perf_counter()
            work()
            if turn:
                taken[name].append(1000 * (perf_counter() - started))
    return taken


def bench_detector(frames: Sequence[np.ndarray], threads: int, rounds: int, least: int = LEAST) -> dict:
    """Our detector and facenet-pytorch's at the same smallest face, milliseconds a frame, and the ratio."""
    ours, theirs = FaceDetector(least, engine="onnx", threads=threads), FaceDetector(least, engine="torch")
    streams = itertools.cycle(frames), itertools.cycle(frames)
    works = {"onnx": lambda: ours(next(streams[0])), "torch": lambda: theirs(next(streams[1]))}
    taken = in_turns(works, rounds)
    middle = {name: float(np.median(values)) for name, values in taken.items()}
    return {"threads": threads, "least": least, "faces": len(ours(frames[0]))} | middle | {
        "ratio": middle["torch"] / middle["onnx"]
    }  # fmt: skip


def bench_frames(
    frames: Sequence[np.ndarray], classifier: Classifier, threads: int, rounds: int, plain: Classifier | None = None
) -> dict:
    """Whole frames: followed, detected in each, and the plain path; p50 and p95 in milliseconds, ratios of medians.

    `plain`: the plain path's classifier, None for the same one.
    """
    pipeline = EmotionPipeline(FaceDetector(LEAST, threads=threads), classifier)
    first = EmotionPipeline(FaceDetector(20, engine="torch"), plain or classifier)
    follower = FaceFollower(pipeline)
    stream, again, third = (itertools.cycle(frames) for _ in range(3))
    works = {
        "followed": lambda: follower.step(next(stream)),
        "each": lambda: pipeline(next(again)),
        "plain": lambda: first(next(third)),
    }
    taken = in_turns({name: works[name] for name in ("each", "plain")}, rounds)
    taken |= in_turns({"followed": works["followed"]}, max(rounds, 5 * DETECT_EVERY))
    found = {
        name: {"p50": float(np.median(values)), "p95": float(np.percentile(values, 95)), "n": len(values)}
        for name, values in taken.items()
    }
    about = {"threads": threads, "size": list(frames[0].shape[1::-1]), "faces": len(pipeline(frames[0]))}
    return about | found | {
        "ratio_each": found["plain"]["p50"] / found["each"]["p50"],
        "ratio_followed": found["plain"]["p50"] / found["followed"]["p50"],
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ferlib.live.bench_detector", description=__doc__)
    parser.add_argument("--model", help="checkpoint of the classifier; default: the shipped one")
    parser.add_argument("--rounds", type=int, default=40, help="measurements of each")
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--size", type=int, nargs=2, default=[640, 480])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--accuracy", action="store_true", help="also agreement and the followed path's accuracy")
    chosen = parser.parse_args(arguments)
    from ferlib.learning.classifier import load_classifier  # brings timm, which is slow to import

    classifier = load_classifier(chosen.model)
    width, height = chosen.size
    result: dict = {"detector": [], "frames": []}
    for threads, count in itertools.product(chosen.threads, chosen.faces):
        torch.set_num_threads(threads)
        frames = list(crowd(width, height, count=count, frames=30))
        result["detector"].append(bench_detector(frames, threads, chosen.rounds))
        result["frames"].append(bench_frames(frames, classifier, threads, chosen.rounds))
    if chosen.accuracy:
        detector = FaceDetector(LEAST)
        result["agreement"] = agreement(FaceDetector(LEAST, engine="torch"), detector, composed_pictures())
        pipeline = EmotionPipeline(detector, classifier)
        result["following"] = {kind: vars(measure_following(pipeline, made_clip(kind))) for kind in CLIPS}
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
