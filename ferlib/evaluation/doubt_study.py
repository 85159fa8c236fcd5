"""Comparison of the measures of doubt: on faces as they are, and under each change that a camera brings.

Measured on valid alone, where the one that decides "not sure" is chosen.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ferlib.evaluation.doubt import aurc, coverage_at_risk, doubts
from ferlib.evaluation.robustness import CHANGES, change_faces
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.preprocessing import to_grey
from ferlib.models.questions import QuestionRule, columns

NEIGHBOURS = 50
"""k of the distance to the k-th nearest training feature."""

_STRENGTH = 1  # which of a change's strengths is taken; 0 is the weakest
_ROWS_AT_ONCE = 512


def read_features(checkpoint: Checkpoint, faces: np.ndarray, batch_size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Run a network and keep what its last linear layer is given.

    Args:
        checkpoint: network and preprocessing.
        faces: (N, H, W) or (N, H, W, 3) uint8.
        batch_size: faces in one forward pass.

    Returns:
        (N, D) float32 features and (N, K) float32 logits.

    Raises:
        ValueError: the network has no linear layer, or there are no faces.
    """
    layers = [module for module in checkpoint.model.modules() if isinstance(module, nn.Linear)]
    if not layers or not len(faces):
        raise ValueError("features need a network with a linear layer, and at least one face")
    features: list[np.ndarray] = []
    logits: list[np.ndarray] = []
    handle = layers[-1].register_forward_pre_hook(lambda _, given: features.append(given[0].numpy().copy()))
    try:
        with torch.inference_mode():
            for start in range(0, len(faces), batch_size):
                images = checkpoint.preprocessing(to_grey(faces[start : start + batch_size]))
                logits.append(checkpoint.model(images.contiguous(memory_format=torch.channels_last)).numpy())
    finally:
        handle.remove()
    return np.concatenate(features), np.concatenate(logits)


def distance_doubt(features: np.ndarray, reference: np.ndarray, neighbours: int = NEIGHBOURS) -> np.ndarray:
    """Compute the distance to the k-th nearest training feature, all of length 1 (Sun et al. 2022).

    Args:
        features: (N, D).
        reference: (M, D) features of training images.
        neighbours: k; the farthest one where there are fewer.

    Returns:
        (N,) in 0..2.
    """
    features, reference = _of_length_one(features), _of_length_one(reference)
    place = min(neighbours, len(reference)) - 1
    distances = np.empty(len(features))
    for start in range(0, len(features), _ROWS_AT_ONCE):
        cosines = features[start : start + _ROWS_AT_ONCE] @ reference.T
        nearest = -np.partition(-cosines, place, axis=1)[:, place]
        distances[start : start + _ROWS_AT_ONCE] = np.sqrt(np.maximum(2 - 2 * nearest, 0))
    return distances


def compare_doubts(
    checkpoint: Checkpoint, faces: np.ndarray, labels: np.ndarray, training_faces: np.ndarray, seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict:  # fmt: skip
    """Compare all measures of doubt in the answers to "seen".

    Args:
        checkpoint: the model, with the temperatures of its sidecar.
        faces: (N, 48, 48) uint8 of valid.
        labels: (N,) class indices, all of them 0 or more.
        training_faces: (M, 48, 48) uint8, from which the distance of features is measured.
        seed: seed of the random changes.
        progress: gets the name of each change as it begins.

    Returns:
        JSON-ready: ``n``, the ``strength`` of each change, and by measure for ``clean`` faces, for each change and for
        ``all`` of them together the ``aurc`` (smaller is better) and ``coverage_at_10``, the share of the faces that
        can be answered with at most 10 % wrong answers.
    """
    reference, _ = read_features(checkpoint, training_faces)
    strengths = {name: strengths[_STRENGTH] for name, (_, strengths, _) in CHANGES.items()}
    measured: dict[str, tuple[dict[str, np.ndarray], np.ndarray]] = {}
    for name in ("clean", *strengths):
        if progress:
            progress(name)
        changed = faces if name == "clean" else change_faces(faces, name, strengths[name], seed)
        measured[name] = _doubts_of(checkpoint, changed, labels, reference)
    measured["all"] = _together(list(measured.values()))
    return {"n": len(labels), "strength": strengths, **{name: _worth(*values) for name, values in measured.items()}}


def _doubts_of(
    checkpoint: Checkpoint, faces: np.ndarray, labels: np.ndarray, reference: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Compute the doubt in each face's answer by measure, (N,) each, and whether the answer is right, (N,) bool."""
    features, logits = read_features(checkpoint, faces)
    rule = QuestionRule.of(checkpoint.about, checkpoint.temperature)
    answers = rule.read(rule.probabilities(torch.from_numpy(logits)).numpy(), "seen")
    measures = doubts(answers.seen, answers.meant, logits[:, columns("seen")] / rule.temperatures[0])
    measures["distance of features"] = distance_doubt(features, reference)
    return measures, answers.seen.argmax(axis=1) == labels


def _together(parts: list[tuple[dict[str, np.ndarray], np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    measures = {name: np.concatenate([doubts[name] for doubts, _ in parts]) for name in parts[0][0]}
    return measures, np.concatenate([right for _, right in parts])


def _worth(measures: dict[str, np.ndarray], right: np.ndarray) -> dict:
    return {
        name: {"aurc": aurc(doubt, right), "coverage_at_10": coverage_at_risk(doubt, right, 0.10)}
        for name, doubt in measures.items()
    }


def _of_length_one(vectors: np.ndarray) -> np.ndarray:
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
