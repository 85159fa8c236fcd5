"""Shipped weights: a safetensors file and a readable JSON sidecar of the same name.

The sidecar says what the weights are and how to use them: architecture, class order, preprocessing, temperature,
protocol, data hash, code commit, seed, scores, and the SHA-256 of the weights file.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ferlib import paths
from ferlib.data.labels import EMOTIONS
from ferlib.errors import FerlibError
from ferlib.files import atomic_path, sha256, write_json
from ferlib.models.networks import build_model
from ferlib.models.preprocessing import Preprocessing

DEFAULT_MODEL = "convnext"
"""What `load_classifier` and the command line take when no model is named."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network ready for inference and what its sidecar says.

    Attributes:
        name: file name without suffix.
        model: the network in eval mode, float32.
        preprocessing: what its faces go through first.
        temperature: the logits are divided by it before the softmax.
        about: the whole sidecar.
    """

    name: str
    model: nn.Module
    preprocessing: Preprocessing
    temperature: float
    about: dict

    @property
    def threshold(self) -> float:
        """Confidence below which the answer should be "not sure"; 0 when the sidecar has none."""
        return float(self.about.get("threshold", 0.0))


def available(folder: Path | None = None) -> list[str]:
    """Names of the checkpoints in `folder` (default `data/checkpoints`), sorted."""
    files = (folder or paths.CHECKPOINTS).glob("[!.]*.safetensors")
    return sorted(path.stem for path in files if path.with_suffix(".json").is_file())


def save(name: str, state: dict[str, torch.Tensor], about: dict, folder: Path | None = None) -> Path:
    """Write ``NAME.safetensors`` (half precision) and ``NAME.json``; gives the path of the weights.

    Convolution and linear weights are stored as float16; biases, norms and running statistics (one dimension) keep
    float32, since a small variance would vanish in half precision.

    Args:
        name: file name without suffix.
        state: state dict of the network.
        about: the sidecar; needs ``model`` (arguments of `build_model`) and ``preprocessing``. Class order and the
            weights' hash are added here.
    """
    path = (folder or paths.CHECKPOINTS) / f"{name}.safetensors"
    half = _halve(state)
    with atomic_path(path) as temporary:
        save_file(half, temporary)
    sidecar = {"name": name, "classes": list(EMOTIONS), "temperature": 1.0, **about, "weights_sha256": sha256(path)}
    write_json(path.with_suffix(".json"), sidecar)
    return path


def as_shipped(name: str, state: dict[str, torch.Tensor], about: dict) -> Checkpoint:
    """What `load` would give after `save`, without a file: the same half-precision weights."""
    return _build(name, _halve(state), {"temperature": 1.0, **about})


def update_sidecar(name: str, **extra) -> None:
    """Add or change entries of a shipped checkpoint's sidecar."""
    path = paths.CHECKPOINTS / f"{name}.json"
    write_json(path, {**_read_sidecar(path), **extra})


def load(name: str | None = None, folder: Path | None = None) -> Checkpoint:
    """Load a checkpoint by name (None: the shipped default), never over the network.

    Raises:
        FerlibError: no such checkpoint, a missing or unreadable sidecar, a damaged weights file, another class order.
    """
    about, path = describe(name, folder)
    try:
        return _build(path.stem, load_file(path), about)
    except (SafetensorError, RuntimeError) as error:
        raise _damaged(path) from error
    except (TypeError, ValueError, FerlibError) as error:
        raise FerlibError(
            f"the sidecar of {path.stem!r} cannot be used ({error}); get it again (git checkout)."
        ) from error


def describe(name: str | None = None, folder: Path | None = None) -> tuple[dict, Path]:
    """The sidecar of a checkpoint, checked against its weights, and the weights' path; the network is not built.

    Raises:
        FerlibError: as `load`.
    """
    name, folder = name or DEFAULT_MODEL, folder or paths.CHECKPOINTS
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        found = ", ".join(available(folder)) or "none"
        raise FerlibError(f"there is no checkpoint {name!r}; choose one of these: {found}.")
    about = _read_sidecar(path.with_suffix(".json")) | {"name": name}
    if about["classes"] != list(EMOTIONS):
        raise FerlibError(
            f"the checkpoint {name!r} was made for the class order {', '.join(map(str, about['classes']))}, "
            f"but this version uses {', '.join(EMOTIONS)}; train or download it again."
        )
    if sha256(path) != about["weights_sha256"]:
        raise _damaged(path)
    return about, path


def _damaged(path: Path) -> FerlibError:
    return FerlibError(f"the weights file {path.name} is damaged or cut short; get it again (git checkout, or train).")


def _build(name: str, stored: dict[str, torch.Tensor], about: dict) -> Checkpoint:
    model = build_model(**about["model"])
    model.load_state_dict({key: value.float() if value.is_floating_point() else value for key, value in stored.items()})
    model.eval().to(memory_format=torch.channels_last)
    return Checkpoint(name, model, Preprocessing(**about["preprocessing"]), float(about["temperature"]), about)


def _halve(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Float16 for what has two or more dimensions, a copy of the rest."""
    return {
        key: (value.half() if value.ndim >= 2 and value.is_floating_point() else value).contiguous().clone()
        for key, value in state.items()
    }


def _read_sidecar(path: Path) -> dict:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FerlibError(f"the sidecar {path.name} is missing or no JSON; get it again (git checkout).") from error
    lacking = [
        key for key in ("classes", "model", "preprocessing", "temperature", "weights_sha256") if key not in about
    ]
    if lacking:
        raise FerlibError(f"the sidecar {path.name} lacks {', '.join(lacking)}; get it again (git checkout).")
    return about
