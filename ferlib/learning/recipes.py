"""The published recipes by name; ``ferlib train NAME`` runs one. Each was chosen on valid; `CHANGELOG.md` says how."""

from dataclasses import replace

from ferlib.errors import FerlibError
from ferlib.learning.config import TrainConfig
from ferlib.learning.pretrained import LITE_MEAN, LITE_STD
from ferlib.learning.transforms import Preprocessing

RECIPES = {
    # From scratch, grey.
    "custom_cnn": TrainConfig(),
    # ImageNet weights: the new last layer for an epoch, then all layers, the lower ones at lower rates.
    "efficientnet_lite2": TrainConfig(
        model="tf_efficientnet_lite2", pretrained=True, head_epochs=1, layer_decay=0.95, dropout=0.3, drop_path=0.1,
        epochs=16, optimizer="adamw", peak_lr=1e-3, weight_decay=0.05, ema_decay=0.998, sizes=((0.0, 80), (0.5, 112)),
        preprocessing=Preprocessing(size=112, channels=3, mean=LITE_MEAN, std=LITE_STD),
    ),
}  # fmt: skip


def recipe(name: str, **changes) -> TrainConfig:
    """A published recipe with some settings changed."""
    if name not in RECIPES:
        raise FerlibError(f"there is no recipe {name!r}; choose one of {', '.join(RECIPES)}.")
    return replace(RECIPES[name], **changes)
