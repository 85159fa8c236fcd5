"""The price of speed: faces, boxes and labels that the fast way finds differently."""

from ferlib.bench.detectors import agreement, composed_pictures
from ferlib.bench.following import measure_following
from ferlib.bench.frames import LEAST
from ferlib.faces.detector import FaceDetector
from ferlib.pipeline import load_pipeline
from ferlib.samples.clips import CLIPS, made_clip


def compare_accuracy(model: str | None = None, engine: str | None = None) -> dict:
    """What the speed costs: our detector beside facenet-pytorch's, and following beside detecting each frame."""
    reference, pipeline = FaceDetector(LEAST, engine="torch"), load_pipeline(model, engine=engine, min_face_size=LEAST)
    return {
        "agreement": agreement(reference, pipeline.detector, composed_pictures()),
        "following": {kind: vars(measure_following(pipeline, made_clip(kind))) for kind in CLIPS},
    }
