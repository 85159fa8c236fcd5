"""Which device a training runs on, and with what precision: Hugging Face Accelerate, with errors for people."""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ferlib.errors import FerlibError


def accelerator(precision: str | None, handlers: Sequence[Any]) -> Accelerator:
    """For one run: CUDA where there is some, else the CPU. Apple's GPU lacks operations that the augmentation needs.

    Args:
        precision: ``"no"``, ``"fp16"`` or ``"bf16"``; None: what ``accelerate launch`` was told, else ``"no"``.
        handlers: of Accelerate's own settings.

    Raises:
        FerlibError: the device has no such precision.
    """
    AcceleratorState._reset_state()  # else an earlier run of this process would hand on its precision
    try:
        return Accelerator(
            mixed_precision=precision, kwargs_handlers=list(handlers), cpu=torch.backends.mps.is_available()
        )
    except ValueError as error:
        raise FerlibError(f"this device cannot train with the precision {precision!r}; leave it out.") from error


def check_precision(saved: dict, precision: str) -> None:
    """FerlibError when the run of a checkpoint was begun with another precision than it would go on with."""
    begun = saved.get("precision", precision)  # checkpoints of earlier versions do not say
    if begun != precision:
        raise FerlibError(
            f"the run was begun with --precision {begun} and would go on with {precision}; say --precision {begun}, or "
            "choose another --name."
        )
