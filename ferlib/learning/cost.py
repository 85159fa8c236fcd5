"""What a model costs: parameters, multiply-adds, and the time of a face on one thread."""

import time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ferlib.learning.checkpoints import Checkpoint
from ferlib.learning.classifier import Classifier

REPEATS = 200


def model_cost(checkpoint: Checkpoint, repeats: int = REPEATS) -> dict:
    """Parameters, multiply-adds of one face, and milliseconds for one face, preprocessing included, JSON-ready.

    The time is the least of `repeats`, on one thread: what else the machine does can only make it longer. On a busy
    machine even the least may be twice too long; measure again when it is idle.
    """
    face = np.full((1, 48, 48), 127, np.uint8)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        checkpoint.model(checkpoint.preprocessing(face))
    threads, classifier, seconds = torch.get_num_threads(), Classifier(checkpoint), []
    torch.set_num_threads(1)
    try:
        for _ in range(repeats):
            start = time.perf_counter()
            classifier.predict_proba(face)
            seconds.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return {
        "parameters": sum(weights.numel() for weights in checkpoint.model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
        "input": checkpoint.preprocessing.size,
        "ms_per_face": round(1000 * min(seconds), 3),
        "threads": 1,
    }
