"""Numbers that others report and that ours stand beside, each with its source; all are accuracies in 0..1."""

STUDY = {"custom_cnn": 0.69, "mobilenetv3_large_100": 0.74, "efficientnet_b2": 0.77, "convnext": 0.79}
"""About what the student project that this one re-creates reports on its validation images, by kind of model."""

FROM_SCRATCH = {"VGG13 from scratch (Barsoum et al. 2016)": 0.8499}
"""Majority labels of the FER+ test split, eight classes; trained on probability labels, arXiv 1608.01041."""

WITH_FACES = {"POSTER, pre-trained on faces": 0.9162}
"""The same test split, with pre-training on millions of faces, arXiv 2204.04083."""


def study(name: str) -> float | None:
    """What the student project reports for a model of the kind of `name`, None when it has none."""
    return next((value for kind, value in STUDY.items() if name.startswith(kind)), None)
