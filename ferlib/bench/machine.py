"""The machine that measures, and the statistics of repeated measurements."""

import os
from collections.abc import Sequence

import numpy as np
import torch

from ferlib.provenance import code_commit


def machine() -> dict:
    """What a timing depends on besides the model: the code, the cores and the versions."""
    return {
        "code_commit": code_commit(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    middle, high = np.percentile(values, [50, 95])
    return {"p50": round(float(middle), 3), "p95": round(float(high), 3)}
