"""Measures of a full report that need the images of a split, and run the network again on changed ones."""

from collections.abc import Callable

import numpy as np

from ferlib.data.data_set import DataSet
from ferlib.evaluation import robustness
from ferlib.inference.classifier import Classifier
from ferlib.models.checkpoints import Checkpoint
from ferlib.publishing.splits import Measures, Split

IMAGES = 1000
"""Number of labelled images, drawn at random, for robustness and live path on test and measures of doubt on valid."""

TRAINING_FACES = 5000
"""Number of training faces, drawn at random, from which the distance of features is measured."""

SEED = 0
"""Seed of the bootstrap, the random changes, and the draw of images."""


def measures_by_split(
    tuned: Checkpoint, data_set: DataSet, images: int, say: Callable[[str], None]
) -> dict[str, Measures]:
    """Name the measures of valid and test; the arguments are those of `measures_of_valid`."""
    return {
        "valid": measures_of_valid(tuned, data_set, images, say), "test": measures_of_test(tuned, images, say),
    }  # fmt: skip


def measures_of_valid(tuned: Checkpoint, data_set: DataSet, images: int, say: Callable[[str], None]) -> Measures:
    """Name the measures of valid: what each measure of doubt is worth.

    Args:
        tuned: the model, with the temperature of its study.
        data_set: the open data, whose training faces the distance of features is measured from.
        images: number of labelled images.
        say: gets the name of each step as it begins.
    """

    def doubt(split: Split) -> dict:
        from ferlib.evaluation.doubt_study import compare_doubts

        train = data_set.train_valid.images[data_set.train_valid.split == "train"]
        drawn = robustness.draw_labelled(np.zeros(len(train)), TRAINING_FACES, SEED)  # all count, whatever their label
        faces, labels = _draw_faces(split, images)
        return compare_doubts(tuned, faces, labels, train[drawn], SEED, lambda name: say(f"doubt: {name}"))

    return {"doubt": doubt}


def measures_of_test(tuned: Checkpoint, images: int, say: Callable[[str], None]) -> Measures:
    """Name the measures of test: robustness, the live path, and maps of attribution.

    Args:
        tuned: the model, with the temperature of its study.
        images: number of labelled images for robustness and live path.
        say: gets the name of each step as it begins.
    """
    predict = Classifier(tuned).predict_proba

    def changed(split: Split) -> dict:
        return robustness.measure_robustness(
            predict, *_draw_faces(split, images), seed=SEED, progress=lambda name: say(f"robustness: {name}")
        )

    def live(split: Split) -> list[dict]:
        from ferlib.evaluation.live_path import ROLL, measure_live_path
        from ferlib.faces.detector import FaceDetector

        say("live path")
        detector = FaceDetector()
        return [
            measure_live_path(predict, *_draw_faces(split, images), detector, roll=roll, seed=SEED)
            for roll in (0.0, ROLL)
        ]

    def attribution(split: Split) -> dict[str, np.ndarray]:
        from ferlib.evaluation.explain import mean_maps

        say("attribution")
        return mean_maps(tuned, split.images, split.predictions["labels"])

    return {"robustness": changed, "live_path": live, "attribution": attribution}


def _draw_faces(split: Split, images: int) -> tuple[np.ndarray, np.ndarray]:
    labels = split.predictions["labels"]
    indices = robustness.draw_labelled(labels, images, SEED)
    return split.images[indices], labels[indices]
