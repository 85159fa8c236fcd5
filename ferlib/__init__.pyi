from .errors import FerlibError as FerlibError
from .faces.detector import Detection as Detection
from .faces.detector import FaceDetector as FaceDetector
from .inference.loading import load_classifier as load_classifier
from .pipeline import EmotionPipeline as EmotionPipeline
from .pipeline import Face as Face
from .pipeline import load_pipeline as load_pipeline
from .version import __version__ as __version__

__all__ = [
    "Detection",
    "EmotionPipeline",
    "Face",
    "FaceDetector",
    "FerlibError",
    "__version__",
    "load_classifier",
    "load_pipeline",
]
