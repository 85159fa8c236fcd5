"""What all tests share: no network, no window, few threads, and the real data set only when it is named."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; small tensors gain nothing from more

import matplotlib
import pytest

from ferlib import paths

matplotlib.use("Agg")  # not MPLBACKEND: kernels that a test starts would inherit it

LOOPBACK = ("localhost", "127.", "::1")


class NetworkBlocked(RuntimeError):
    """A test reached for the network. No OSError, so that code which survives a lost connection fails as well."""


def is_local(host: Any) -> bool:
    """Loopback or no host at all; Jupyter kernels talk over the first."""
    host = host.decode() if isinstance(host, bytes) else host
    return host in (None, "") or str(host).startswith(LOOPBACK)


def _guarded(original: Callable, host_of: Callable) -> Callable:
    def call(*arguments: Any, **options: Any) -> Any:
        host = host_of(*arguments, **options)
        if not is_local(host):
            raise NetworkBlocked(f"a test tried to reach {host!r}; tests work without a network")
        return original(*arguments, **options)

    return call


def _peer(connection: socket.socket, address: Any) -> Any:
    """The host of a connect call; none for Unix sockets, whose address is a path."""
    return address[0] if isinstance(address, tuple) else None


def _looked_up(host: Any, *rest: Any, **options: Any) -> Any:
    return host


def pytest_configure(config: pytest.Config) -> None:
    """Guard the sockets before any test module is imported."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), _peer))
    patch.setattr(socket, "getaddrinfo", _guarded(socket.getaddrinfo, _looked_up))
    config.add_cleanup(patch.undo)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the real data set say by name why they did not run."""
    if not os.environ.get("FERLIB_DATA"):
        for item in items:
            if item.get_closest_marker("realdata"):
                item.add_marker(pytest.mark.skip(reason="FERLIB_DATA is unset"))


@pytest.fixture(scope="session")
def real_root() -> Path:
    """Folder of FER2013+; for tests marked `realdata`."""
    return paths.data_root()
