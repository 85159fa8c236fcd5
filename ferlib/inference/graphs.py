"""Exported graphs on disk: which one belongs to a checkpoint, where it lies, and whether it is whole.

The shipped model's graphs are package data. Graphs of other checkpoints are made on first use and stored under
``processed/graphs``. Beside each graph lies a JSON file with its SHA-256 and what it was made from; a graph that is
damaged, or was made from something else, is never run.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.files import atomic_path, sha256, write_json

LAYOUT = "2"
"""Layout of a graph: inputs, outputs and how the network is rewritten. Graphs of another layout are made anew."""


def identity(about: dict) -> dict[str, str]:
    """Collect what decides a graph's content; it is stored in the graph's metadata.

    Args:
        about: sidecar of the checkpoint.
    """
    return {
        "name": str(about["name"]), "weights_sha256": str(about["weights_sha256"]), "layout": LAYOUT,
        "classes": json.dumps(list(EMOTIONS)), "temperature": json.dumps(about["temperature"]),
        "preprocessing": json.dumps(about["preprocessing"]), "precision": "float32",
    }  # fmt: skip


def graph_path(about: dict, precision: str = "float32") -> Path:
    """Path of a checkpoint's stored graph, made or not; the weights' hash is in the name.

    Args:
        about: sidecar of the checkpoint.
        precision: "float32" or "int8".
    """
    ending = "" if precision == "float32" else f"-{precision}"
    return paths.PROCESSED / "graphs" / f"{about['name']}-{about['weights_sha256'][:12]}{ending}.onnx"


def shipped_path(name: str, precision: str = "float32") -> Path:
    """Path that a shipped model's graph has among the package's files.

    Args:
        name: of the checkpoint.
        precision: "float32" or "int8".
    """
    return paths.WEIGHTS / f"{name}{'' if precision == 'float32' else f'.{precision}'}.onnx"


def find_graph(expected: dict[str, str], about: dict) -> Path | None:
    """Find a whole graph that was made from exactly this checkpoint.

    Args:
        expected: its identity; with "precision" and, in 8 bits, the hash of the "ranges".
        about: sidecar of the checkpoint.

    Returns:
        The shipped graph, else the stored one; None when there is neither.
    """
    places = shipped_path(about["name"], expected["precision"]), graph_path(about, expected["precision"])
    return next((path for path in places if is_whole(path, expected)), None)


def is_whole(path: Path, expected: dict[str, str]) -> bool:
    """Tell whether a graph file has this identity and the content that it was written with.

    Args:
        path: of the graph.
        expected: its identity.
    """
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
        return card == {**expected, "sha256": sha256(path)}
    except (OSError, ValueError):
        return False


def card_path(graph: Path) -> Path:
    """Path of the JSON file that belongs to a graph file.

    Args:
        graph: path of the graph.
    """
    return graph.with_name(graph.name + ".json")


def store(path: Path, content: bytes, identity: dict[str, str]) -> None:
    """Write a graph and its card; the card comes last, so that an interrupted write leaves no believed graph.

    Args:
        path: of the graph.
        content: the graph.
        identity: what it was made from.
    """
    card_path(path).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    write_json(card_path(path), {**identity, "sha256": sha256(path)})


def stored_graph(path: Path, expected: dict[str, str], make: Callable[[], bytes]) -> bytes:
    """Read a graph from its file, or make it now and store it there.

    Args:
        path: of the graph. Where it cannot be written (a read-only disk) the graph is made each time.
        expected: its identity.
        make: gives the graph when the file is missing, damaged, or was made from something else.
    """
    if is_whole(path, expected):
        with suppress(OSError):
            return path.read_bytes()
    content = make()
    with suppress(OSError):
        store(path, content, expected)
    return content
