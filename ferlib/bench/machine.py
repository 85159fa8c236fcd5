"""Fair measurements on one machine: its description, timing in turns, percentiles, and fresh processes."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import numpy as np

from ferlib.errors import FerlibError
from ferlib.parallel import cores
from ferlib.provenance import code_commit

MEASURED_PACKAGES = ("torch", "onnxruntime", "facenet-pytorch", "numpy")
"""Packages whose versions a measurement records."""

Argument = TypeVar("Argument")
Measurement = TypeVar("Measurement")


def machine() -> dict:
    """Describe the conditions of a timing besides the model: code, cores, processor, packages; JSON-ready."""
    versions = {name: _version(name) for name in MEASURED_PACKAGES}
    return {
        "code_commit": code_commit(), "cores": os.cpu_count(), "usable_cores": cores(),
        "processor": platform.machine(), **{name: value for name, value in versions.items() if value},
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Compute the median ``p50`` and the 95th percentile ``p95``, to three decimals.

    Args:
        values: at least one number.
    """
    median, high = np.percentile(values, [50, 95])
    return {"p50": round(float(median), 3), "p95": round(float(high), 3)}


def milliseconds(function: Callable, *arguments: Any) -> float:
    """Wall time of one call of a function.

    Args:
        function: the function to time; its result is dropped.
        *arguments: its arguments.

    Returns:
        Milliseconds.
    """
    start = time.perf_counter()
    function(*arguments)
    return 1000 * (time.perf_counter() - start)


def take_turns(
    candidates: Mapping[str, Callable[[Argument], Measurement]], arguments: Iterable[Argument], warm_up: int = 0,
    rest: float = 0.0,
) -> dict[str, list[Measurement]]:  # fmt: skip
    """Measure several candidates in turns, so that a disturbance of the machine meets all of them alike.

    Args:
        candidates: name -> function that measures itself once.
        arguments: one argument for each round; every candidate is called with it.
        warm_up: number of first rounds whose measurements are dropped.
        rest: seconds to wait before each call.

    Returns:
        Name -> its measurements, one for each round after the warm-up.
    """
    measurements: dict[str, list[Measurement]] = {name: [] for name in candidates}
    for turn, argument in enumerate(arguments):
        for name, candidate in candidates.items():
            time.sleep(rest)
            measurement = candidate(argument)
            if turn >= warm_up:
                measurements[name].append(measurement)
    return measurements


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads, and as many as before afterwards.

    Args:
        count: at least 1.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_in_process(
    module: str, arguments: Sequence[str], what: str, environment: Mapping[str, str] | None = None
) -> Any:
    """Run ``python -m MODULE ARGUMENTS`` in a process of its own and read the JSON in its last line of output.

    Args:
        module: module that prints its measurement as JSON.
        arguments: command-line arguments.
        what: name of the measurement, for the error.
        environment: environment variables; None: those of this process.

    Raises:
        FerlibError: the process failed; the sentence has the last line of its standard error.
    """
    command = [sys.executable, "-m", module, *arguments]
    completed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if completed.returncode:
        last_line = (completed.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FerlibError(f"{what} could not be measured ({last_line}); run it again on an idle machine.")
    return json.loads(completed.stdout.splitlines()[-1])
