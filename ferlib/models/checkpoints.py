"""Checkpoints: a safetensors file and a readable JSON sidecar of the same name.

The sidecar describes the weights and their use: architecture, class order, preprocessing, temperature,
protocol, data hash, code commit, seed, scores, and the SHA-256 of the weights file. The shipped model lies in the
package's `weights`; the repository carries others in ``data/checkpoints``; any other one is named by its path.

torch is imported where a network is built, so that a sidecar can be read without it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, sha256, write_json
from ferlib.models.preprocessing import Preprocessing
from ferlib.packages import need

if TYPE_CHECKING:
    import torch
    from torch import nn

DEFAULT_MODEL = "convnext"
"""Name of the model that `load_classifier` and the command line load by default."""

_ENDING = ".safetensors"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Network ready for inference, with its sidecar.

    Attributes:
        name: file name without suffix.
        model: the network in eval mode, float32.
        preprocessing: steps that its faces go through first.
        temperature: divisor of the logits before the softmax.
        about: the whole sidecar.
    """

    name: str
    model: "nn.Module"
    preprocessing: Preprocessing
    temperature: float
    about: dict


def available(folder: Path | None = None) -> list[str]:
    """List the checkpoints by name, sorted.

    Args:
        folder: folder of the checkpoints; None for the package's and the repository's.
    """
    folders = (paths.WEIGHTS, paths.CHECKPOINTS) if folder is None else (folder,)
    files = [path for parent in folders for path in parent.glob(f"[!.]*{_ENDING}")]
    return sorted({path.stem for path in files if path.with_suffix(".json").is_file()})


def locate(name: str | Path | None = None, folder: Path | None = None) -> Path:
    """Find the weights file of a checkpoint.

    Args:
        name: name of a checkpoint, or the path of its weights file; None for `DEFAULT_MODEL`.
        folder: folder of the checkpoints; None for the repository's, then the package's.

    Returns:
        Path of the weights file.

    Raises:
        FerlibError: there is no such file.
    """
    if isinstance(name, Path) or (name is not None and name.endswith(_ENDING)):
        path = Path(name)
        if not path.is_file():
            raise FerlibError(f"there is no weights file {path}; check the name.")
        return path
    name = name or DEFAULT_MODEL
    for parent in (paths.CHECKPOINTS, paths.WEIGHTS) if folder is None else (folder,):
        path = parent / f"{name}{_ENDING}"
        if path.is_file():
            return path
    names = ", ".join(available(folder)) or "none"
    raise FerlibError(
        f"there is no checkpoint {name!r}; choose one of these: {names}. Other weights are named by the path of their "
        f"{_ENDING} file."
    )


def save(name: str, state: "dict[str, torch.Tensor]", about: dict, folder: Path | None = None) -> Path:
    """Write ``NAME.safetensors`` (half precision) and ``NAME.json``.

    Convolution and linear weights are stored as float16; biases, norms and running statistics (one dimension) keep
    float32, since a small variance would vanish in half precision.

    Args:
        name: file name without suffix.
        state: state dict of the network.
        about: content of the sidecar; needs ``model`` (arguments of `build_model`) and ``preprocessing``. Class
            order and the weights' hash are added here.
        folder: where the files go; None for ``data/checkpoints``.

    Returns:
        Path of the weights.
    """
    save_file = need("safetensors.torch", "saving weights", "train").save_file
    path = (folder or paths.CHECKPOINTS) / f"{name}{_ENDING}"
    with atomic_path(path) as temporary:
        save_file(_halve(state), temporary)
    sidecar = {"name": name, "classes": list(EMOTIONS), "temperature": 1.0, **about, "weights_sha256": sha256(path)}
    write_json(path.with_suffix(".json"), sidecar)
    return path


def as_shipped(name: str, state: "dict[str, torch.Tensor]", about: dict) -> Checkpoint:
    """Build the checkpoint that `save` and `load` would give, without a file: the same half-precision weights and hash.

    Args:
        name: name of the checkpoint.
        state: state dict of the network.
        about: content of the sidecar, as `save` takes it.
    """
    halved = _halve(state)
    content = need("safetensors.torch", "hashing weights", "train").save(halved)
    about = {"temperature": 1.0, **about, "weights_sha256": hashlib.sha256(content).hexdigest()}
    return _build(name, halved, about)


def update_sidecar(name: str, **entries) -> None:
    """Add or change entries of a checkpoint's sidecar.

    Args:
        name: name of a checkpoint.
        **entries: the entries.

    Raises:
        FerlibError: it is a shipped checkpoint of an installed package, whose files stay as they are.
    """
    path = locate(name).with_suffix(".json")
    if not paths.IN_CHECKOUT and path.parent == paths.WEIGHTS:
        raise FerlibError(f"the shipped model {name!r} cannot be changed; copy its files elsewhere and name the copy.")
    write_json(path, {**_read_sidecar(path), **entries})


def load(name: str | Path | None = None, folder: Path | None = None) -> Checkpoint:
    """Load a checkpoint, never over the network.

    Args:
        name: as `locate` takes it.
        folder: as `locate` takes it.

    Raises:
        FerlibError: torch is missing, there is no such checkpoint, its sidecar is missing or unreadable, the weights
            are damaged, or it was made for another class order.
    """
    about, path = describe(name, folder)
    need("torch", "the network itself", "train")
    need("timm", "the network itself", "train")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _build(path.stem, load_file(path), about)
    except (SafetensorError, RuntimeError) as error:
        raise _damaged(path) from error
    except (TypeError, ValueError, FerlibError) as error:
        raise FerlibError(
            f"the sidecar of {path.stem!r} cannot be used ({error}); get it again (git checkout)."
        ) from error


def describe(name: str | Path | None = None, folder: Path | None = None) -> tuple[dict, Path]:
    """Read a checkpoint's sidecar and check the weights against it; the network is not built.

    Args:
        name: as `locate` takes it.
        folder: as `locate` takes it.

    Returns:
        The sidecar and the path of the weights.

    Raises:
        FerlibError: there is no such checkpoint, its sidecar is missing or unreadable, the weights are damaged, or it
            was made for another class order.
    """
    path = locate(name, folder)
    about = _read_sidecar(path.with_suffix(".json")) | {"name": path.stem}
    if about["classes"] != list(EMOTIONS):
        raise FerlibError(
            f"the checkpoint {path.stem!r} was made for the class order {', '.join(map(str, about['classes']))}, "
            f"but this version uses {', '.join(EMOTIONS)}; train or download it again."
        )
    if sha256(path) != about["weights_sha256"]:
        raise _damaged(path)
    return about, path


def _damaged(path: Path) -> FerlibError:
    return FerlibError(f"the weights file {path.name} is damaged or cut short; get it again (git checkout, or train).")


def _build(name: str, stored: "dict[str, torch.Tensor]", about: dict) -> Checkpoint:
    import torch

    from ferlib.models.networks import build_model

    model = build_model(**about["model"])
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in stored.items()})
    model.eval().to(memory_format=torch.channels_last)
    return Checkpoint(name, model, Preprocessing(**about["preprocessing"]), float(about["temperature"]), about)


def _halve(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """Convert tensors of two or more dimensions to float16, and copy the others."""
    return {
        key: (value.half() if value.ndim >= 2 and value.is_floating_point() else value).contiguous().clone()
        for key, value in state.items()
    }


def _read_sidecar(path: Path) -> dict:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FerlibError(f"the sidecar {path.name} is missing or no JSON; get it again (git checkout).") from error
    missing = [
        key for key in ("classes", "model", "preprocessing", "temperature", "weights_sha256") if key not in about
    ]
    if missing:
        raise FerlibError(f"the sidecar {path.name} lacks {', '.join(missing)}; get it again (git checkout).")
    return about
