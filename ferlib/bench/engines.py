"""Milliseconds a face of each inference engine."""

import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from ferlib.bench.machine import _percentiles
from ferlib.errors import FerlibError
from ferlib.inference import int8
from ferlib.inference.loading import ENGINES, load_classifier
from ferlib.models.checkpoints import describe


def compare_engines(model: str | None = None, rounds: int = 300, warm_up: int = 10) -> dict:
    """Milliseconds of one face on one thread with each engine that can be had, in turns: first call and steady state.

    ``load`` is the time of `load_classifier` with the graph made before, ``first`` that of its first face.
    """
    face, before = np.random.default_rng(0).integers(0, 256, (1, 48, 48), dtype=np.uint8), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        loaded, found = {}, {}
        times: dict[str, list[float]] = {}
        for engine in usable_engines(model):
            load_classifier(model, engine=engine, threads=1)  # makes the graph, if there is none
            start = time.perf_counter()
            loaded[engine] = load_classifier(model, engine=engine, threads=1)
            ready = time.perf_counter()
            loaded[engine].predict_proba(face)
            found[engine] = {"load": 1000 * (ready - start), "first": 1000 * (time.perf_counter() - ready)}
            times[engine] = []
        for _ in range(warm_up + rounds):
            for engine, classifier in loaded.items():
                start = time.perf_counter()
                classifier.predict_proba(face)
                times[engine].append(1000 * (time.perf_counter() - start))
    finally:
        torch.set_num_threads(before)
    for engine, values in times.items():
        found[engine] |= _percentiles(values[warm_up:])
    eager = found["torch"]["p50"]
    return {name: one | {"times_as_fast_as_torch": eager / one["p50"]} for name, one in found.items()}


def usable_engines(model: str | None) -> list[str]:
    """The engines that this checkpoint and this installation have."""
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
