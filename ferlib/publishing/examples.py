"""Grad-CAM maps of faces that may be shown: drawn ones and the bundled public-domain photo."""

import numpy as np

from ferlib.data.drawn import dataset
from ferlib.data.labels import INDEX
from ferlib.inference.classifier import Classifier
from ferlib.models.checkpoints import Checkpoint
from ferlib.models.preprocessing import FACE_SIZE

_DRAWN = ("angry", "fear", "happy", "sad", "surprise")
_SEED = 3  # of the drawn faces


def explain_examples(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """Compute the Grad-CAM map of the predicted emotion for each example.

    Args:
        checkpoint: the model.

    Returns:
        ``sources`` (N,) what each face is, ``faces`` (N, 48, 48) uint8, ``predicted`` (N,) class indices, and ``maps``
        (N, h, w) float32. The photo is left out where no face is found in it.
    """
    from ferlib.evaluation.explain import grad_cam
    from ferlib.faces.cropping import crop_face
    from ferlib.faces.detector import FaceDetector
    from ferlib.faces.pictures import sample_picture

    picture = sample_picture()
    photos = [crop_face(picture, face, size=FACE_SIZE) for face in FaceDetector()(picture)[:1]]
    drawn = dataset.draw_faces([INDEX[name] for name in _DRAWN], seed=_SEED, size=FACE_SIZE)
    faces = np.stack([*drawn, *photos])
    predicted = Classifier(checkpoint).predict_proba(faces).argmax(axis=1)
    return {
        "sources": np.array([*(f"drawn {name}" for name in _DRAWN), *["photo (NASA)"] * len(photos)]),
        "faces": faces,
        "predicted": predicted,
        "maps": grad_cam(checkpoint, faces, predicted),
    }
