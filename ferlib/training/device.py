"""Device and precision of a training run: Hugging Face Accelerate, with errors for people."""

from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ferlib.errors import FerlibError


def accelerator(precision: str | None, handlers: Sequence[Any]) -> Accelerator:
    """Make the accelerator of one run: CUDA where there is a GPU for it, else the CPU.

    Apple's GPU lacks operations that the augmentation needs.

    Args:
        precision: ``"no"``, ``"fp16"`` or ``"bf16"``; None for the setting of ``accelerate launch``, else ``"no"``.
        handlers: Accelerate's own ``kwargs_handlers``.

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
    """Check that a resumed run keeps its precision.

    Args:
        saved: entries of the run's checkpoint.
        precision: precision with which the run would go on.

    Raises:
        FerlibError: the run was begun with another precision.
    """
    begun = saved.get("precision", precision)  # checkpoints of earlier versions do not say
    if begun != precision:
        raise FerlibError(
            f"the run was begun with --precision {begun} and would go on with {precision}; say --precision {begun}, or "
            "choose another --name."
        )
