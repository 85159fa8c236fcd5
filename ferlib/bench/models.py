"""Milliseconds, parameters and multiply-adds of each model."""

import statistics
import time

import torch

from ferlib.bench.machine import machine
from ferlib.evaluation.cost import model_cost
from ferlib.models.checkpoints import Checkpoint


def compare_models(checkpoints: list[Checkpoint], rounds: int = 200, warm_up: int = 10) -> dict:
    """Cost of each model, and milliseconds a face (batch of one, one thread), medians over `rounds` in turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = _in_turns(checkpoints, rounds + warm_up)
    finally:
        torch.set_num_threads(threads)
    found = {
        one.name: {**model_cost(one), "milliseconds": statistics.median(values[warm_up:])}
        for one, values in zip(checkpoints, times, strict=True)
    }
    return {"rounds": rounds, "batch": 1, "models": found, **machine(), "threads": 1}


def render_models(found: dict) -> str:
    """`compare_models`'s result as a few lines for people."""
    lines = [f"  {'model':<24}{'parameters':>12}{'multiply-adds':>16}{'ms a face':>12}   one thread, batch of one"]
    for name, row in found["models"].items():
        millions = f"{row['parameters'] / 1e6:.1f} M", f"{row['multiply_adds'] / 1e6:.0f} M"
        lines.append(f"  {name:<24}{millions[0]:>12}{millions[1]:>16}{row['milliseconds']:>12.1f}")
    return "\n".join(lines)


@torch.inference_mode()
def _in_turns(checkpoints: list[Checkpoint], rounds: int) -> list[list[float]]:
    """Milliseconds of a forward pass of each model, which take turns so that a disturbance meets all alike."""
    times: list[list[float]] = [[] for _ in checkpoints]
    faces = [torch.rand(1, one.preprocessing.channels, *(one.preprocessing.size,) * 2) for one in checkpoints]
    for _ in range(rounds):
        for values, one, face in zip(times, checkpoints, faces, strict=True):
            start = time.perf_counter()
            one.model(face.contiguous(memory_format=torch.channels_last))
            values.append(1000 * (time.perf_counter() - start))
    return times
