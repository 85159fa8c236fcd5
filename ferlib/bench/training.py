"""Speed of our training loop beside the usual one, measured in turns on one idle machine.

The usual loop is that of a tutorial: one PNG a face in a folder a class, torchvision transforms picture by picture, a
DataLoader with two workers, the network in torch's default memory layout and full precision. The network, its input
size, the batch and the optimiser are the same on both sides. Each measurement is a process of its own.
"""

import ctypes.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader

from ferlib.bench.machine import machine, run_in_process, take_turns
from ferlib.data.drawn.dataset import draw_faces
from ferlib.models.networks import build_model
from ferlib.training import recipes
from ferlib.training.batches import TrainingSet
from ferlib.training.config import TrainConfig
from ferlib.training.loop import fit


def tcmalloc_path() -> str | None:
    """Library of tcmalloc for ``LD_PRELOAD``, or None; on Debian and Ubuntu ``apt install libtcmalloc-minimal4``."""
    return ctypes.util.find_library("tcmalloc_minimal") if sys.platform == "linux" else None


def bench_config(recipe: str) -> TrainConfig:
    """Settings of a recipe as both loops run it: random weights, no teachers, averages, dropout and clipping."""
    return replace(
        recipes.recipe(recipe), pretrained=False, start="", teachers=(), views=0, dropout=0.0, drop_path=0.0,
        ema_decay=0.0, clip_norm=0.0,
    )  # fmt: skip


def compare_loops(
    recipe: str = "convnext", pictures: int = 2560, rounds: int = 3, say: Callable[[str], None] = lambda _: None
) -> dict:
    """Pictures a second of each of `LOOPS`, medians over `rounds` in turns; JSON-ready.

    All run the recipe's network, at its final size throughout; ``whole recipe`` takes the sizes and the frozen epochs
    that the recipe has, from its first epoch to its last; ``bf16`` is `training.fit`'s mixed precision, which is
    faster where the processor has AVX512-BF16 or AMX and slower elsewhere. ``times_as_fast`` is relative to ``usual``.

    Args:
        recipe: name of a recipe.
        pictures: training images of a measurement.
        rounds: measurements of each loop.
        say: hears each measurement as it comes.

    Raises:
        FerlibError: a measurement failed; the sentence has its last line.
    """
    library, config = tcmalloc_path(), bench_config(recipe)

    def measure(turn: int, name: str, preload: bool) -> float:
        speed = _speed_in_process(name, recipe, pictures, library if preload else None)
        say(f"round {turn} of {rounds}, {name}: {speed:.1f} pictures a second")
        return speed

    loops = {
        name: partial(measure, name=name, preload=preload) for name, (_, preload) in LOOPS.items()
        if library or (name != "ours" and "tcmalloc" not in name)
    }  # fmt: skip
    speeds = take_turns(loops, range(1, rounds + 1))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    return {
        "recipe": recipe, "model": config.model, "stem": config.stem, "size": config.preprocessing.size,
        "sizes": [list(pair) for pair in config.sizes], "batch": config.batch_size, "pictures": pictures,
        "rounds": rounds, "pictures_per_second": medians, "all": speeds,
        "times_as_fast": {name: speed / medians["usual"] for name, speed in medians.items()}, **machine(),
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def _speed_in_process(name: str, recipe: str, pictures: int, preload: str | None) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    if preload:
        environment["LD_PRELOAD"] = preload
    arguments = [name, recipe, str(pictures)]
    return run_in_process("ferlib.bench.training", arguments, f"the loop {name!r}", environment)


def our_loop(config: TrainConfig, pictures: int, precision: str | None = None) -> float:
    """Pictures a second of `training.fit` at the final size, drawing of views and one step on valid included.

    It trains two epochs, of which the second one counts.

    Args:
        config: settings, see `bench_config`.
        pictures: training images.
        precision: see `training.fit`.
    """
    size = config.preprocessing.size
    history = _fit(replace(config, epochs=2, head_epochs=0, sizes=((0.0, size),)), pictures, precision)
    return pictures // config.batch_size * config.batch_size / history[1]["seconds"]


def our_recipe(config: TrainConfig, pictures: int, precision: str | None = None) -> float:
    """Pictures a second of `training.fit` over all epochs of a recipe, with an eighth of the pictures in each.

    Args:
        config: settings, see `bench_config`.
        pictures: training images, eight times those of an epoch.
        precision: see `training.fit`.
    """
    images = max(config.batch_size, pictures // 8)
    history = _fit(config, images, precision)
    seen = images // config.batch_size * config.batch_size * config.epochs
    return seen / sum(row["seconds"] for row in history)


def _fit(config: TrainConfig, pictures: int, precision: str | None) -> list[dict]:
    images, labels = _faces(pictures)
    data = TrainingSet(
        torch.from_numpy(images), torch.eye(8)[labels], torch.from_numpy(images[:8]), torch.tensor(labels[:8]),
        torch.full((8,), -1), np.arange(8), "drawn",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        return fit(config, data, Path(folder), precision=precision, progress=False)["history"]


def usual_loop(config: TrainConfig, pictures: int) -> float:
    """Pictures a second of a tutorial's loop at the final size; two epochs, of which the second one counts.

    Args:
        config: settings, see `bench_config`.
        pictures: training images.
    """
    preprocessing, augmentation = config.preprocessing, config.augmentation
    network = build_model(**config.model_arguments())
    optimiser = torch.optim.AdamW(network.parameters(), lr=config.peak_lr, weight_decay=config.weight_decay)
    from torchvision import datasets, transforms  # slow to import, and only this loop needs it

    transform = transforms.Compose(
        [
            transforms.Grayscale(preprocessing.channels), transforms.Resize((preprocessing.size, preprocessing.size)),
            transforms.RandomHorizontalFlip(augmentation.flip),
            transforms.RandomAffine(
                augmentation.rotation, (augmentation.shift,) * 2, (1 - augmentation.scale, 1 + augmentation.scale)
            ),
            transforms.ColorJitter(augmentation.light / 2, augmentation.light), transforms.ToTensor(),
            transforms.Normalize(preprocessing.mean, preprocessing.std),
            transforms.RandomErasing(augmentation.erasing, (0.02, 0.2)),
        ]
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        _write_pngs(Path(folder), *_faces(pictures))
        loader = DataLoader(
            datasets.ImageFolder(folder, transform), config.batch_size, shuffle=True, num_workers=2, drop_last=True,
            persistent_workers=True,
        )  # fmt: skip
        network.train()
        for _ in range(2):
            start = time.perf_counter()
            for images, labels in loader:
                loss = F.cross_entropy(network(images), labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            seconds = time.perf_counter() - start
    return len(loader) * config.batch_size / seconds


LOOPS: dict[str, tuple[Callable[[TrainConfig, int], float], bool]] = {
    "usual": (usual_loop, False),
    "usual, tcmalloc": (usual_loop, True),
    "ours, glibc malloc": (our_loop, False),
    "ours": (our_loop, True),
    "ours, bf16": (partial(our_loop, precision="bf16"), True),
    "ours, whole recipe": (our_recipe, True),
    "ours, whole recipe, bf16": (partial(our_recipe, precision="bf16"), True),
}
"""Name -> the loop, and whether tcmalloc is loaded before it (`tcmalloc_path`)."""


def _faces(count: int) -> tuple[np.ndarray, list[int]]:
    """(N, 48, 48) uint8 drawn faces and their classes; a few hundred, repeated, for speed does not depend on them."""
    labels = [index % 8 for index in range(count)]
    drawn = draw_faces([index % 8 for index in range(256)], seed=0, size=48)
    return drawn[np.arange(count) % 256], labels


def _write_pngs(folder: Path, images: np.ndarray, labels: list[int]) -> None:
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = folder / str(label)
        place.mkdir(exist_ok=True)
        Image.fromarray(image).save(place / f"{index:06d}.png")


def render_loops(measured: dict) -> str:
    """Result of `compare_loops` as a few lines for people."""
    setting = f"{measured['recipe']} ({measured['model']}), {measured['size']} pixels, batches of {measured['batch']}"
    lines = [f"{setting}, medians of {measured['rounds']}:"]
    for name, speed in measured["pictures_per_second"].items():
        ratio = measured["times_as_fast"][name]
        lines.append(f"  {name:<24} {speed:7.1f} pictures a second   {ratio:.2f} x the usual loop")
    return "\n".join(lines)


if __name__ == "__main__":
    loop, recipe, count = sys.argv[1:]
    sys.stdout.write(json.dumps(LOOPS[loop][0](bench_config(recipe), int(count))) + "\n")
