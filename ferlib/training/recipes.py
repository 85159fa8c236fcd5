"""Published recipes by name; ``ferlib train NAME`` runs one.

Each was chosen on valid; `docs/EXPERIMENTS.md` tells how.
"""

from dataclasses import replace
from typing import Any

from ferlib.errors import FerlibError
from ferlib.models.preprocessing import (
    FACE_MEAN,
    FACE_STD,
    FACERES_MEAN,
    FACERES_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    LITE_MEAN,
    LITE_STD,
    Preprocessing,
)
from ferlib.models.questions import BOTH_QUESTIONS
from ferlib.training.config import Augmentation, TrainConfig

_FACE: dict[str, Any] = {"channels": 3, "mean": FACE_MEAN, "std": FACE_STD}
_FACERES: dict[str, Any] = {"channels": 3, "mean": FACERES_MEAN, "std": FACERES_STD, "standardise": True}
_IMAGENET: dict[str, Any] = {"channels": 3, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}

# The detector's crops scatter by 18 % in scale and 7 % in place, and the light of photos more than FER2013's.
_SCATTER = Augmentation(scale=0.25, shift=0.10, light=0.5, blur=0.5, grain=0.02)

# What all networks of both questions share.
_BOTH: dict[str, Any] = {
    "questions": BOTH_QUESTIONS, "seen_adjustment": 0.3, "meant_adjustment": 0.5, "manifest_version": 2,
    "optimizer": "adamw", "weight_decay": 0.05, "augmentation": _SCATTER,
}  # fmt: skip

RECIPES = {
    # From scratch, grey.
    "custom_cnn": TrainConfig(),
    # The same on all images, copies and leaks included: the baseline for the cleaning.
    "custom_cnn_uncleaned": TrainConfig(clean=False, epochs=12),
    # From scratch, RGB as ImageNet's networks have it.
    "mobilenetv3_large_100": TrainConfig(
        model="mobilenetv3_large_100", dropout=0.2, epochs=40, optimizer="adamw", peak_lr=3e-3, weight_decay=0.05,
        sizes=((0.0, 64), (0.6, 80)), preprocessing=Preprocessing(size=80, **_IMAGENET),
    ),
    "efficientnet_b2_64": TrainConfig(
        model="efficientnet_b2", dropout=0.3, drop_path=0.1, epochs=30, optimizer="adamw", peak_lr=2e-3,
        weight_decay=0.05, sizes=((0.0, 48), (0.6, 64)), preprocessing=Preprocessing(size=64, **_IMAGENET),
    ),
    # It goes on from there at a higher resolution, still without a teacher.
    "efficientnet_b2": TrainConfig(
        model="efficientnet_b2", start="efficientnet_b2_64", dropout=0.3, drop_path=0.1, epochs=10, optimizer="adamw",
        peak_lr=1.5e-3, warmup=0.1, weight_decay=0.05, sizes=((0.0, 80),),
        preprocessing=Preprocessing(size=80, **_IMAGENET),
    ),
    # ImageNet weights: one epoch of the new last layer, then all layers, the lower ones at lower rates.
    "efficientnet_lite2": TrainConfig(
        model="tf_efficientnet_lite2", pretrained=True, head_epochs=1, layer_decay=0.95, dropout=0.3, drop_path=0.1,
        epochs=16, optimizer="adamw", peak_lr=1e-3, weight_decay=0.05, ema_decay=0.998, sizes=((0.0, 80), (0.5, 112)),
        preprocessing=Preprocessing(size=112, channels=3, mean=LITE_MEAN, std=LITE_STD),
    ),
    # It goes on from there at a higher resolution, taught by itself and by the two others that are published.
    "efficientnet_lite2_taught": TrainConfig(
        model="tf_efficientnet_lite2", start="efficientnet_lite2", layer_decay=0.95, dropout=0.3, drop_path=0.1,
        epochs=12, optimizer="adamw", peak_lr=7e-4, warmup=0.1, weight_decay=0.05, ema_decay=0.998, mixup=0.3,
        sizes=((0.0, 96), (0.5, 128)), preprocessing=Preprocessing(size=128, channels=3, mean=LITE_MEAN, std=LITE_STD),
        views=5, mirror_views=True, teachers=("efficientnet_lite2", "convnext", "custom_cnn"),
    ),
    # The mean of these two.
    "efficientnet_lite2_soup": TrainConfig(
        model="tf_efficientnet_lite2", soup=("efficientnet_lite2", "efficientnet_lite2_taught"), epochs=1,
        preprocessing=Preprocessing(size=112, channels=3, mean=LITE_MEAN, std=LITE_STD), sizes=((0.0, 112),),
    ),
    # The same from the weights of dlib's face recognition.
    "face_resnet": TrainConfig(
        model="face_resnet", pretrained=True, head_epochs=1, layer_decay=0.93, dropout=0.3, epochs=12,
        optimizer="adamw", peak_lr=5e-4, weight_decay=0.05, ema_decay=0.998, sizes=((0.0, 64), (0.5, 80)),
        preprocessing=Preprocessing(size=80, **_FACE),
    ),
    # Both questions on weights of VGGFace2: first the new last layer, then all layers, on growing pictures.
    "faceres_first": TrainConfig(
        model="faceres", pretrained=True, head_epochs=1, layer_decay=0.9, dropout=0.3, epochs=6, peak_lr=6e-4,
        warmup=0.1, ema_decay=0.998, sizes=((0.0, 112), (0.67, 160)),
        preprocessing=Preprocessing(size=160, **_FACERES), **_BOTH,
    ),
    # It goes on from there for longer, with the norms as they are, taught by the best of those that know no faces.
    "faceres": TrainConfig(
        model="faceres", start="faceres_first", frozen_norms=True, layer_decay=0.9, dropout=0.3, epochs=10,
        batch_size=64, peak_lr=2.8e-4, warmup=0.08, ema_decay=0.999, sizes=((0.0, 128), (0.5, 160)),
        preprocessing=Preprocessing(size=160, **_FACERES), views=6, mirror_views=True,
        mode="shares", teachers=("efficientnet_lite2_soup",), distill_weight=0.5, calibrate_teachers=True, **_BOTH,
    ),
    # ConvNeXt stages on the first levels of dlib's network: first the stages alone, then all layers.
    "convnext_alone": TrainConfig(
        model="convnext_atto", stem="face", pretrained=True, head_epochs=1, layer_decay=0.9, dropout=0.2,
        drop_path=0.1, epochs=14, optimizer="adamw", peak_lr=1e-3, weight_decay=0.05, ema_decay=0.998,
        sizes=((0.0, 64), (0.5, 80)), preprocessing=Preprocessing(size=80, **_FACE),
    ),
    # The same network with a layer scale of 1, taught by two others: one pre-trained on ImageNet, and one trained on
    # FER2013+ alone.
    "convnext_taught": TrainConfig(
        model="convnext_atto", stem="face", layer_scale=1.0, pretrained=True, head_epochs=1, layer_decay=0.88,
        dropout=0.1, drop_path=0.05, epochs=24, optimizer="adamw", peak_lr=2e-3, warmup=0.15, weight_decay=0.05,
        ema_decay=0.998, mixup=0.2, sizes=((0.0, 64), (0.5, 80)), preprocessing=Preprocessing(size=80, **_FACE),
        views=5, teachers=("efficientnet_lite2", "custom_cnn"),
    ),
    # It goes on from there at a higher resolution, for more epochs, on more views and with stronger regularisation.
    "convnext": TrainConfig(
        model="convnext_atto", stem="face", layer_scale=1.0, start="convnext_taught", layer_decay=0.88,
        dropout=0.2, drop_path=0.1, epochs=30, optimizer="adamw", peak_lr=1.5e-3, warmup=0.1, weight_decay=0.05,
        ema_decay=0.998, mixup=0.3, sizes=((0.0, 80), (0.6, 96)), preprocessing=Preprocessing(size=96, **_FACE),
        views=6, mirror_views=True, teachers=("efficientnet_lite2", "custom_cnn"),
    ),
    # ConvNeXt stages on dlib's first levels again, for both questions: one long run on growing pictures, taught by a
    # network that knows faces and by the best of those that do not.
    "convnext_both": TrainConfig(
        model="convnext_atto", stem="face", layer_scale=1.0, pretrained=True, head_epochs=1, layer_decay=0.88,
        dropout=0.2, drop_path=0.05, epochs=48, peak_lr=2e-3, warmup=0.1, ema_decay=0.998, mixup=0.2,
        sizes=((0.0, 64), (0.4, 80), (0.75, 96)),
        preprocessing=Preprocessing(size=96, standardise=True, **_FACE), views=6, mirror_views=True,
        mode="shares", teachers=("faceres", "efficientnet_lite2_soup"), calibrate_teachers=True, **_BOTH,
    ),
    # Born again: the same network goes on from itself, taught by itself and by the best of the others.
    "convnext_born_again": TrainConfig(
        model="convnext_atto", stem="face", layer_scale=1.0, start="convnext", layer_decay=0.88, dropout=0.2,
        drop_path=0.1, epochs=12, optimizer="adamw", peak_lr=1e-3, warmup=0.1, weight_decay=0.05, ema_decay=0.998,
        mixup=0.3, sizes=((0.0, 96),), preprocessing=Preprocessing(size=96, **_FACE),
        views=4, mirror_views=True, teachers=("convnext", "efficientnet_lite2_soup"),
    ),
}  # fmt: skip

# Ablations: a short run of ConvNeXt, and the same with one thing changed. They are scored on valid only.
_SHORT = TrainConfig(
    model="convnext_atto", stem="face", layer_scale=1.0, pretrained=True, head_epochs=1, layer_decay=0.88,
    dropout=0.1, drop_path=0.05, epochs=10, optimizer="adamw", peak_lr=2e-3, warmup=0.15, weight_decay=0.05,
    ema_decay=0.998, sizes=((0.0, 64),), preprocessing=Preprocessing(size=64, **_FACE),
)  # fmt: skip
_STILL = Augmentation(flip=0.0, rotation=0.0, scale=0.0, shift=0.0, light=0.0, erasing=0.0)
ABLATIONS = {
    "ablation_base": _SHORT,
    "ablation_equalised": replace(_SHORT, preprocessing=replace(_SHORT.preprocessing, equalise="global")),
    "ablation_hard_labels": replace(_SHORT, mode="majority"),
    "ablation_unaugmented": replace(_SHORT, augmentation=_STILL),
    "ablation_conv_stem": replace(_SHORT, stem="conv", pretrained=False, head_epochs=0, layer_decay=1.0),
    "ablation_sleeping": replace(_SHORT, layer_scale=1e-6),
    "ablation_no_average": replace(_SHORT, ema_decay=0.0),
    "ablation_balanced": replace(_SHORT, balance="loss"),
    "ablation_mixup": replace(_SHORT, mixup=0.3),
    "ablation_taught": replace(_SHORT, views=5, teachers=("efficientnet_lite2", "custom_cnn")),
}
RECIPES |= ABLATIONS


def is_ablation(name: str, config: TrainConfig) -> bool:
    """Return whether a run is an ablation, which is scored on valid only, whatever its seed and epochs.

    Args:
        name: name of the run; one that begins with "ablation" says it.
        config: settings of the run; those of `ABLATIONS` say it, too.
    """
    of_recipes = (replace(config, seed=known.seed, epochs=known.epochs) == known for known in ABLATIONS.values())
    return name.startswith("ablation") or any(of_recipes)


def recipe(name: str, **changes) -> TrainConfig:
    """Return a published recipe with some settings changed.

    Args:
        name: key of `RECIPES`.
        **changes: fields of `TrainConfig` and their values.

    Raises:
        FerlibError: no such recipe, or impossible settings.
    """
    if name not in RECIPES:
        raise FerlibError(f"there is no recipe {name!r}; choose one of {', '.join(RECIPES)}.")
    return replace(RECIPES[name], **changes)
