"""Tests work without a network: these make any call to another host fail."""

import socket
from collections.abc import Callable
from typing import Any

LOOPBACK = ("localhost", "127.", "::1")


class NetworkBlocked(RuntimeError):
    """A test reached for the network. No OSError, so that code which survives a lost connection fails as well."""


def is_local(host: Any) -> bool:
    """Loopback or no host at all; Jupyter kernels talk over the first."""
    host = host.decode() if isinstance(host, bytes) else host
    return host in (None, "") or str(host).startswith(LOOPBACK)


def guarded(original: Callable, host_of: Callable) -> Callable:
    def call(*arguments: Any, **options: Any) -> Any:
        host = host_of(*arguments, **options)
        if not is_local(host):
            raise NetworkBlocked(f"a test tried to reach {host!r}; tests work without a network")
        return original(*arguments, **options)

    return call


def peer(connection: socket.socket, address: Any) -> Any:
    """The host of a connect call; none for Unix sockets, whose address is a path."""
    return address[0] if isinstance(address, tuple) else None


def looked_up(host: Any, *rest: Any, **options: Any) -> Any:
    return host
