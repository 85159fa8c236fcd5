"""The price of speed: faces, boxes and labels that the fast way finds differently."""

from ferlib.bench.detectors import composed_pictures, detector_agreement
from ferlib.bench.following import measure_following
from ferlib.faces.detector import MIN_FACE_SIZE, FaceDetector
from ferlib.pipeline import load_pipeline
from ferlib.samples.clips import CLIPS, made_clip


def compare_accuracy(model: str | None = None, engine: str | None = None) -> dict:
    """Accuracy that the speed costs: our detector beside facenet-pytorch's, and following beside detecting each frame.

    Args:
        model: name of a checkpoint; None: the default one.
        engine: inference engine of the classifier; None: the default one.
    """
    reference = FaceDetector(MIN_FACE_SIZE, engine="torch")
    pipeline = load_pipeline(model, engine=engine, min_face_size=MIN_FACE_SIZE)
    return {
        "agreement": detector_agreement(reference, pipeline.detector, composed_pictures()),
        "following": {kind: vars(measure_following(pipeline, made_clip(kind))) for kind in CLIPS},
    }
