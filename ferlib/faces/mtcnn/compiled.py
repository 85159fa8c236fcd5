"""Loops over pixels and boxes as machine code, by Numba where it is installed.

Numba fills 200 MB, so the base installation goes without it: each compiled function has a NumPy way of its own that
gives the same numbers. Finding the faces of a picture then takes about one and a half times as long.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from ferlib import paths

Function = TypeVar("Function", bound=Callable[..., Any])

HAS_NUMBA = find_spec("numba") is not None


def compiled(otherwise: Function) -> Callable[[Function], Function]:
    """Compile a function on its first call; other Python threads run on while it works.

    Overflow wraps around and division by zero gives infinity or NaN, as in NumPy. The machine code is kept among the
    project's caches, never beside the source.

    Args:
        otherwise: function of the same arguments and results, which takes its place where Numba is not installed.

    Returns:
        A decorator.
    """

    def decorate(function: Function) -> Function:
        if not HAS_NUMBA:
            return otherwise
        import numba

        setattr(numba.config, "CACHE_DIR", str(paths.CACHE / "numba"))  # noqa: B010 - its names are made at run time
        try:
            return cast(Function, numba.njit(function, cache=True, nogil=True, error_model="numpy"))
        except RuntimeError:  # the cache cannot be written: compiled again in each process, in a second
            return cast(Function, numba.njit(function, nogil=True, error_model="numpy"))

    return decorate
