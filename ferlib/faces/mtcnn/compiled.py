"""Loops over pixels and boxes as machine code, by Numba, beside which other Python threads go on running."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """The function, compiled when it is first called; later processes find the result beside the source, or in a cache.

    Overflow wraps around and division by zero gives infinity or NaN, as in NumPy.
    """
    try:
        return cast(Function, numba.njit(function, cache=True, nogil=True, error_model="numpy"))
    except RuntimeError:  # neither the package nor the home can be written: compiled again in each process, in a second
        return cast(Function, numba.njit(function, nogil=True, error_model="numpy"))
