"""Milliseconds a face of each inference engine."""

import time
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from itertools import repeat

import numpy as np

from ferlib.bench.machine import milliseconds, percentiles, take_turns, torch_threads
from ferlib.errors import FerlibError
from ferlib.inference import int8
from ferlib.inference.loading import ENGINES, load_classifier
from ferlib.models.checkpoints import describe


def compare_engines(model: str | None = None, rounds: int = 300, warm_up: int = 10) -> dict:
    """Milliseconds of one face on one thread with each usable engine, in turns; JSON-ready.

    Args:
        model: name of a checkpoint; None: the default one.
        rounds: timed calls of each engine.
        warm_up: calls before them that do not count.

    Returns:
        Engine -> ``load``, the time of `load_classifier` with the graph made before; ``first``, that of its first
        face; ``p50`` and ``p95`` of the steady state; and ``times_as_fast_as_torch``.
    """
    face = np.random.default_rng(0).integers(0, 256, (1, 48, 48), dtype=np.uint8)
    timers, measured = {}, {}
    with torch_threads(1):
        for engine in usable_engines(model):
            load_classifier(model, engine=engine, threads=1)  # makes the graph, if there is none
            start = time.perf_counter()
            classifier = load_classifier(model, engine=engine, threads=1)
            load = 1000 * (time.perf_counter() - start)
            measured[engine] = {"load": load, "first": milliseconds(classifier.predict_proba, face)}
            timers[engine] = partial(milliseconds, classifier.predict_proba)
        times = take_turns(timers, repeat(face, warm_up + rounds), warm_up)
    for engine, values in times.items():
        measured[engine] |= percentiles(values)
    eager = measured["torch"]["p50"]
    return {engine: row | {"times_as_fast_as_torch": eager / row["p50"]} for engine, row in measured.items()}


def usable_engines(model: str | None) -> list[str]:
    """Engines that a checkpoint and this installation have.

    Args:
        model: name of a checkpoint; None: the default one.
    """
    about, _ = describe(model)
    usable = []
    for engine in ENGINES:
        try:
            if engine == "int8":
                int8.read_ranges(about)
            if engine == "openvino":
                version("openvino")
        except (FerlibError, PackageNotFoundError):
            continue
        usable.append(engine)
    return usable
