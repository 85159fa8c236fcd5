"""Numbers that others report and that ours stand beside, each with its source; all are accuracies in 0..1."""

EARLIER_PROJECT = {"custom_cnn": 0.69, "mobilenetv3_large_100": 0.74, "efficientnet_b2": 0.77, "convnext": 0.79}
"""Approximate accuracies on validation images, by kind of model, reported by the student project re-created here."""

FROM_SCRATCH = {"VGG13 from scratch (Barsoum et al. 2016)": 0.8499}
"""Majority labels of the FER+ test split, eight classes; trained on probability labels, arXiv 1608.01041."""

WITH_FACES = {"POSTER, pre-trained on faces": 0.9162}
"""The same test split, with pre-training on millions of faces, arXiv 2204.04083."""


def earlier_accuracy(name: str) -> float | None:
    """Accuracy of the earlier project's model of the same kind; None when it has none.

    Args:
        name: name of a model, which begins with its kind.
    """
    return next((value for kind, value in EARLIER_PROJECT.items() if name.startswith(kind)), None)
