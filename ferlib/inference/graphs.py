"""Exported graphs on disk: file names, identity and integrity.

The shipped model's graphs are package data. Graphs of other checkpoints are made on first use and stored under
``processed/graphs``. Beside each graph lies a JSON file, its card, with its SHA-256 and its identity; a graph that
is damaged, or was made from something else, is never run.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.files import atomic_path, sha256, write_json

LAYOUT = "2"
"""Version of a graph's layout: inputs, outputs and rewriting of the network. Graphs of another layout are made anew."""


def graph_identity(about: dict) -> dict[str, str]:
    """Collect the values that decide a graph's content, as they stand in its metadata.

    Args:
        about: sidecar of the checkpoint.
    """
    questions = about["model"].get("questions")
    return {
        "name": str(about["name"]), "weights_sha256": str(about["weights_sha256"]), "layout": LAYOUT,
        "classes": json.dumps(list(EMOTIONS)), "temperature": json.dumps(about["temperature"]),
        "preprocessing": json.dumps(about["preprocessing"]), "precision": "float32",
        **({"questions": json.dumps(questions), "meant_temperature": json.dumps(about.get("meant_temperature", 1.0))}
           if questions else {}),
    }  # fmt: skip


def graph_path(about: dict, precision: str = "float32") -> Path:
    """Path of a checkpoint's stored graph, there or not; the weights' hash is in the name.

    Args:
        about: sidecar of the checkpoint.
        precision: "float32" or "int8".
    """
    ending = "" if precision == "float32" else f"-{precision}"
    return paths.PROCESSED / "graphs" / f"{about['name']}-{about['weights_sha256'][:12]}{ending}.onnx"


def shipped_path(name: str, precision: str = "float32") -> Path:
    """Path of a shipped model's graph among the package's files, there or not.

    Args:
        name: name of the checkpoint.
        precision: "float32" or "int8".
    """
    return paths.WEIGHTS / f"{name}{'' if precision == 'float32' else f'.{precision}'}.onnx"


def find_graph(expected: dict[str, str], about: dict) -> Path | None:
    """Find an undamaged graph that was made from exactly this checkpoint.

    Args:
        expected: identity of the graph: "precision" and, in 8 bits, the hash of the "ranges" included.
        about: sidecar of the checkpoint.

    Returns:
        The shipped graph, else the stored one; None when there is neither.
    """
    candidates = shipped_path(about["name"], expected["precision"]), graph_path(about, expected["precision"])
    return next((path for path in candidates if is_intact(path, expected)), None)


def is_intact(path: Path, expected: dict[str, str]) -> bool:
    """Tell whether a graph file has this identity and the content that was written.

    Args:
        path: path of the graph.
        expected: identity of the graph.
    """
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
        return card == {**expected, "sha256": sha256(path)}
    except (OSError, ValueError):
        return False


def card_path(graph: Path) -> Path:
    """Path of the JSON file that belongs to a graph file.

    Args:
        graph: path of the graph file.
    """
    return graph.with_name(graph.name + ".json")


def store_graph(path: Path, content: bytes, identity: dict[str, str]) -> None:
    """Write a graph and its card; the card comes last, so that an interrupted write leaves no valid graph.

    Args:
        path: path of the graph.
        content: bytes of the graph.
        identity: identity of the graph, see `graph_identity`.
    """
    card_path(path).unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    write_json(card_path(path), {**identity, "sha256": sha256(path)})


def read_or_make_graph(path: Path, expected: dict[str, str], make: Callable[[], bytes]) -> bytes:
    """Read a graph from its file, or make it now and store it there.

    Args:
        path: path of the graph. Where it cannot be written (a read-only disk) the graph is made each time.
        expected: identity of the graph.
        make: makes the graph when the file is missing, damaged, or was made from something else.

    Returns:
        The bytes of the graph.
    """
    if is_intact(path, expected):
        with suppress(OSError):
            return path.read_bytes()
    content = make()
    with suppress(OSError):
        store_graph(path, content, expected)
    return content
