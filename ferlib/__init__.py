"""Facial emotion recognition: FER2013+ protocol, training, evaluation and a live pipeline.

The two calls most people need::

    pipeline = ferlib.load_pipeline()
    for face in pipeline("photo.jpg"):
        print(face.emotion, face.confidence, face.box)
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferlib.inference.loading import load_classifier
    from ferlib.pipeline import load_pipeline

__version__ = version("ferlib")
__all__ = ["__version__", "load_classifier", "load_pipeline"]

_HOMES = {"load_classifier": "ferlib.inference.classifier", "load_pipeline": "ferlib.pipeline"}


def __getattr__(name: str) -> Any:
    """Import torch only when a model is asked for, so that ``ferlib --help`` answers at once."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'ferlib' has no attribute {name!r}")
