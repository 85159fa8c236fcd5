"""Milliseconds, parameters and multiply-adds of each model."""

import statistics
from collections.abc import Callable

import torch

from ferlib.bench.machine import machine, milliseconds, take_turns, torch_threads
from ferlib.evaluation.cost import model_cost
from ferlib.models.checkpoints import Checkpoint
from ferlib.text import table


def compare_models(checkpoints: list[Checkpoint], rounds: int = 200, warm_up: int = 10) -> dict:
    """Cost of each model, and its milliseconds a face: batch of one, one thread, medians; JSON-ready.

    Args:
        checkpoints: the models, which take turns.
        rounds: timed forward passes of each model.
        warm_up: forward passes before them that do not count.
    """
    forwards = {checkpoint.name: _timed_forward(checkpoint) for checkpoint in checkpoints}
    with torch_threads(1), torch.inference_mode():
        times = take_turns(forwards, range(warm_up + rounds), warm_up)
    models = {
        checkpoint.name: {
            **model_cost(checkpoint), "milliseconds": statistics.median(times[checkpoint.name])
        }
        for checkpoint in checkpoints
    }  # fmt: skip
    return {"rounds": rounds, "batch": 1, "models": models, **machine(), "threads": 1}


def _timed_forward(checkpoint: Checkpoint) -> Callable[[int], float]:
    face = torch.rand(1, checkpoint.preprocessing.channels, *(checkpoint.preprocessing.size,) * 2)
    return lambda _: milliseconds(lambda: checkpoint.model(face.contiguous(memory_format=torch.channels_last)))


def render_models(measured: dict) -> str:
    """Render the result of `compare_models` as a few lines for people.

    Args:
        measured: as `compare_models` returns it.
    """
    rows = [
        (
            name, f"{row['parameters'] / 1e6:.1f} M", f"{row['multiply_adds'] / 1e6:.0f} M",
            f"{row['milliseconds']:.1f}",
        )
        for name, row in measured["models"].items()
    ]  # fmt: skip
    headers = ("model", "parameters", "multiply-adds", "ms a face")
    first, *lines = table(headers, rows, ("<24", ">12", ">16", ">12"), gap="")
    return "\n".join([f"{first}   one thread, batch of one", *lines])
