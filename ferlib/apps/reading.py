"""A picture as the applications read it: its faces under the user's settings, as table and picture.

Nothing here knows of widgets, browsers or Streamlit.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ferlib import paths
from ferlib.annotate.boxes import annotate
from ferlib.errors import FerlibError
from ferlib.faces.pictures import decode_picture
from ferlib.live.session import LiveSettings
from ferlib.models.preprocessing import equalise
from ferlib.pipeline import EmotionPipeline, Face
from ferlib.scoring.tables import CSV_COLUMNS, rows_of, spreadsheet_cell

HEAVIEST_UPLOAD = 100_000_000  # bytes of one file
LARGEST_UPLOAD = 70_000_000  # pixels; the cameras of telephones give 64 megapixels at most, but for a few
_LIMITS = "\n## Bias, Risks, and Limitations"
PREVIEW_SIDE = 1400  # pixels; longer side of what the page shows


@dataclass(frozen=True, eq=False)
class Reading:
    """Faces of a picture, with a small copy of it: a page may hold many, and the originals are large.

    Attributes:
        name: name of the file.
        size: width and height of the upright picture, pixels.
        preview: (H, W, 3) uint8 RGB, no side longer than `PREVIEW_SIDE`.
        faces: from left to right; coordinates are pixels of the upright picture.
        notes: sentences about what was not read of the file.
    """

    name: str
    size: tuple[int, int]
    preview: np.ndarray
    faces: list[Face]
    notes: tuple[str, ...] = ()

    def drawn(self, threshold: float) -> np.ndarray:
        """Draw boxes and labels on the small copy, several faces numbered.

        Args:
            threshold: confidence below which a face is "not sure", 0..1.

        Returns:
            (H, W, 3) uint8 RGB.
        """
        factor = self.preview.shape[1] / self.size[0]
        faces = [_scaled(face, factor) for face in with_threshold(self.faces, threshold)]
        return annotate(self.preview, faces, bars=False, numbered=True)


def read_faces(pipeline: EmotionPipeline, image: np.ndarray, settings: LiveSettings) -> list[Face]:
    """Find and classify the faces of a picture under the applications' settings.

    Args:
        pipeline: finds and classifies the faces; its lock is held meanwhile.
        image: (H, W, 3) uint8 RGB.
        settings: of these, smallest face, threshold and equalisation count.

    Raises:
        FerlibError: a setting makes no sense.
    """
    settings.check()
    with pipeline.lock:
        detections = pipeline.detector.search(image, settings.min_face_size)
        crops = equalise(pipeline.crops(image, detections), settings.equalise)
        faces = pipeline.classify_crops(detections, crops)
    return with_threshold(faces, settings.threshold)


def read_picture(pipeline: EmotionPipeline, image: np.ndarray, name: str, settings: LiveSettings) -> Reading:
    """Find and classify the faces of a picture.

    Args:
        pipeline: finds and classifies the faces.
        image: (H, W, 3) uint8 RGB.
        name: name of the picture.
        settings: of these, smallest face, threshold and equalisation count.
    """
    height, width = image.shape[:2]
    return Reading(name, (width, height), _shrunk(image), read_faces(pipeline, image, settings))


def read_upload(pipeline: EmotionPipeline, data: bytes, name: str, settings: LiveSettings) -> Reading:
    """Find and classify the faces of an uploaded file.

    Args:
        pipeline: finds and classifies the faces.
        data: content of the file.
        name: name of the file.
        settings: of these, smallest face, threshold and equalisation count.

    Raises:
        FerlibError: one sentence for what is empty, no picture, damaged, or has more than `HEAVIEST_UPLOAD` bytes or
            `LARGEST_UPLOAD` pixels.
    """
    if len(data) > HEAVIEST_UPLOAD:
        limit = f"{HEAVIEST_UPLOAD / 1e6:.0f} MB is the most for one picture"
        raise FerlibError(f"{name} has {len(data) / 1e6:.0f} MB, and {limit}; scale it down first.")
    notes: list[str] = []
    image = decode_picture(data, name, LARGEST_UPLOAD, notes.append)
    return replace(read_picture(pipeline, image, name, settings), notes=tuple(notes))


def with_threshold(faces: Sequence[Face], threshold: float) -> list[Face]:
    """Decide `sure` of each face by another threshold.

    Args:
        faces: the faces.
        threshold: confidence below which a face is "not sure", 0..1.
    """
    return [replace(face, sure=face.confidence >= threshold) for face in faces]


def faces_as_csv(readings: Sequence[Reading], threshold: float) -> str:
    """Write the faces of all pictures as CSV with `CSV_COLUMNS`, one row a face.

    Args:
        readings: the pictures.
        threshold: confidence below which a face is "not sure", 0..1.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for reading in readings:
        faces = with_threshold(reading.faces, threshold)
        rows = rows_of(Path(reading.name), (face.to_dict() for face in faces))
        writer.writerows([spreadsheet_cell(row[0]), *row[1:]] for row in rows)
    return text.getvalue()


def annotated_png(image: np.ndarray, faces: Sequence[Face], threshold: float) -> bytes:
    """Draw boxes, labels and bars on a picture, as `ferlib predict --annotate` does.

    Args:
        image: (H, W, 3) uint8 RGB, the upright picture in full size.
        faces: its faces.
        threshold: confidence below which a face is "not sure", 0..1.

    Returns:
        Content of a PNG file.
    """
    data = io.BytesIO()
    Image.fromarray(annotate(image, with_threshold(faces, threshold))).save(data, "PNG")
    return data.getvalue()


def model_card_limits() -> str:
    """Read the section on limits of the model card, as Markdown.

    Raises:
        FerlibError: the card or the section is missing.
    """
    path = paths.WEIGHTS / "MODEL_CARD.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _, heading, rest = text.partition(_LIMITS)
    if not heading:
        raise FerlibError(f"{paths.relative(path)} has no section on limits; check out the file again.")
    return rest.partition("\n")[2].partition("\n## ")[0].strip()


def _scaled(face: Face, factor: float) -> Face:
    x1, y1, x2, y2 = (value * factor for value in face.box)
    return replace(face, box=(x1, y1, x2, y2), landmarks=face.landmarks * factor)


def _shrunk(image: np.ndarray) -> np.ndarray:
    factor = PREVIEW_SIDE / max(image.shape[:2])
    if factor >= 1:
        return image
    size = max(1, round(factor * image.shape[1])), max(1, round(factor * image.shape[0]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
