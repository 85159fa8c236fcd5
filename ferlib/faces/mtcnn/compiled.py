"""Loops over pixels and boxes as machine code, by Numba where it is installed and worth its import.

Numba fills 200 MB, so the base installation goes without it: each compiled function has a NumPy way of its own that
gives the same numbers. Finding the faces of a picture then takes about one and a half times as long. To import Numba
and read its machine code takes as long as some fifty pictures, so the first of them go the NumPy way, too.
"""

from collections.abc import Callable
from functools import update_wrapper
from importlib.util import find_spec
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar

from ferlib import paths

HAS_NUMBA = find_spec("numba") is not None

_PATIENCE = 1000  # calls of a function before it is compiled; a picture takes about twenty

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Compiled(Generic[Parameters, Result]):
    """Function that is compiled when it has been called often; other Python threads run on while it works.

    Args:
        function: becomes machine code. Overflow wraps around and division by zero gives infinity or NaN, as in NumPy.
        otherwise: function of the same arguments and results, which takes its place before that.
    """

    def __init__(self, function: Callable[Parameters, Result], otherwise: Callable[Parameters, Result]) -> None:
        update_wrapper(self, function)
        self._function, self._current = function, otherwise
        self._remaining_calls: float = _PATIENCE if HAS_NUMBA else float("inf")
        self._lock = Lock()

    def __call__(self, *args: Parameters.args, **options: Parameters.kwargs) -> Result:
        """Call the function, or what takes its place."""
        self._remaining_calls -= 1
        if self._remaining_calls < 0:
            self.compile()
        return self._current(*args, **options)

    def compile(self) -> None:
        """Compile the function now, where Numba is installed."""
        with self._lock:
            if HAS_NUMBA and self._remaining_calls != float("inf"):
                self._current, self._remaining_calls = _machine_code(self._function), float("inf")


def _machine_code(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function; the machine code is kept among the project's caches, never beside the source."""
    import numba

    setattr(numba.config, "CACHE_DIR", str(paths.CACHE / "numba"))  # noqa: B010 - its names are made at run time
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # the cache cannot be written: compiled again in each process, in a second
        return numba.njit(function, **options)


_functions: list[Compiled] = []


def compiled(
    otherwise: Callable[Parameters, Result],
) -> Callable[[Callable[Parameters, Result]], Compiled[Parameters, Result]]:
    """Make the decorator of a function that becomes machine code.

    Args:
        otherwise: see `Compiled`.
    """

    def decorate(function: Callable[Parameters, Result]) -> Compiled[Parameters, Result]:
        _functions.append(Compiled(function, otherwise))
        return _functions[-1]

    return decorate


def compile_loops() -> None:
    """Compile every function now, so that a stream of frames does not wait for it later."""
    for function in _functions:
        function.compile()
