"""What all tests share: no network, no window, few threads, and the real data set only when it is named."""

import os
import socket
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; small tensors gain nothing from more

import matplotlib
import pytest
from network_guard import guarded, looked_up, peer

from ferlib import paths

matplotlib.use("Agg")  # not MPLBACKEND: kernels that a test starts would inherit it


def pytest_configure(config: pytest.Config) -> None:
    """Guard the sockets before any test module is imported."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), peer))
    patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, looked_up))
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
