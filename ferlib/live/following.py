"""Detect rarely, follow always: the faces of a stream's frames, at a fraction of the cost of finding them in each.

Between two detections MTCNN's last net looks again where each face was. It gives box, landmarks and the probability
that there is a face at all. On the made clips, detecting in each eighth frame, its boxes overlapped those of a
detection by 0.93 on average and 0.82 at least, in 1.5 ms a frame. Optical flow (Lucas-Kanade, forwards and backwards)
gave 0.93 and 0.73 in 2.3 ms, and followed a face out of the picture for three frames; looking where the last movement
leads gave the same as looking where the face was. A face whose crop has hardly changed keeps its emotion.

Camera and videos go this way; `ferlib.bench.following` measures what it costs in accuracy.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ferlib.faces.detector import Detection
from ferlib.live.timing import Stopwatch
from ferlib.models.preprocessing import equalise
from ferlib.pipeline import EmotionPipeline, Face

DETECT_EVERY = 6
"""Frames from one detection to the next: 0.4 seconds at 15 frames a second, the longest that a new face waits."""

SAME_CROP = 3.0
"""Mean difference in grey levels up to which a crop counts as unchanged."""

MAX_REUSED = 4
"""Most frames in a row for which an emotion is reused."""

LONGEST_FOLLOWING = 1.0
"""Seconds from one frame to the next over which a face is looked for where it was; farther apart, callers reset."""

_STEP = 8  # pixels between those that a scene change is looked for in
_SCENE_CHANGE = 20.0  # mean difference of those in grey levels; a camera's noise gives 2 to 5, a cut 30 to 80


class FaceFollower:
    """Finds and reads the faces of one stream, frame by frame.

    It detects in every `detect_every`-th frame, when a face was lost, when two came to lie on each other, when the
    scene or the frame's size changed, and while there is no face. A detection begins everything anew, so a stream may
    be taken up again at any frame that was detected in, with the same result.

    Threads that share the pipeline hold its lock around `step`.

    Args:
        pipeline: finds and classifies the faces.
    """

    def __init__(self, pipeline: EmotionPipeline):
        self.pipeline = pipeline
        self.reset()

    def reset(self) -> None:
        """Forget the faces, as for a new stream."""
        self._view: np.ndarray | None = None  # a few pixels of the last frame; None: detect next
        self._detections: list[Detection] = []
        self._since = 0  # frames since the last detection
        self._faces: list[Face] = []
        self._crops = np.zeros((0, 48, 48), np.uint8)  # of each face when it was last classified
        self._reused = np.zeros(0, int)  # frames since then

    def step(
        self,
        image: np.ndarray,
        detect_every: int = DETECT_EVERY,
        min_face_size: int | None = None,
        equalisation: str = "none",
        watch: Stopwatch | None = None,
    ) -> tuple[list[Face], bool]:
        """Find and read the faces of the next frame.

        Args:
            image: the frame, (H, W, 3) uint8 RGB.
            detect_every: frames from one detection to the next at most; 1 detects and classifies in each.
            min_face_size: smallest face, pixels; None: the detector's own.
            equalisation: equalisation of the crops, one of `EQUALISE_MODES`.
            watch: gets the times of "detect", "crop" and "classify".

        Returns:
            The faces, and whether they were detected (True) or followed (False).

        Raises:
            FerlibError: the frame is no RGB picture, or the classifier gave no valid probabilities.
        """
        watch = watch or Stopwatch()
        before, self._view = self._view, None  # an error below must not leave an old frame with new faces
        with watch.step("detect"):
            view = image[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP, 1].astype(np.int16)
            followed = self._follow(image, before, view, detect_every)
            detections = self.pipeline.detector(image, min_face_size) if followed is None else followed
        with watch.step("crop"):
            crops = equalise(self.pipeline.crops(image, detections), equalisation)
        with watch.step("classify"):
            faces = self._read(detections, crops, followed is not None)
        self._view, self._detections, self._faces = view, detections, faces
        self._since = 0 if followed is None else self._since + 1
        return faces, followed is None

    def _follow(
        self, image: np.ndarray, before: np.ndarray | None, view: np.ndarray, detect_every: int
    ) -> list[Detection] | None:
        """Look for the last faces in this frame; None when it is time to detect."""
        if before is None or before.shape != view.shape or self._since + 1 >= detect_every or not self._detections:
            return None
        if np.abs(view - before).mean() > _SCENE_CHANGE:
            return None
        refined = self.pipeline.detector.refine(image, self._detections)
        detections = [detection for detection in refined if detection is not None]
        return detections if len(detections) == len(refined) else None

    def _read(self, detections: Sequence[Detection], crops: np.ndarray, followed: bool) -> list[Face]:
        """Read the emotion of each face; the classifier sees those together that are new or have changed."""
        fresh = np.ones(len(crops), bool)
        if followed:
            change = np.abs(crops.astype(np.int16) - self._crops).mean(axis=(1, 2))
            fresh = (change > SAME_CROP) | (self._reused >= MAX_REUSED)
        else:
            self._crops, self._reused = np.zeros_like(crops), np.zeros(len(crops), int)
        chosen = [int(index) for index in np.flatnonzero(fresh)]
        read = self.pipeline.classify_crops([detections[index] for index in chosen], crops[fresh])
        new = dict(zip(chosen, read, strict=True))
        self._crops[fresh] = crops[fresh]
        self._reused = np.where(fresh, 0, self._reused + 1)
        return [_placed(new[i] if i in new else self._faces[i], at) for i, at in enumerate(detections)]


def _placed(face: Face, at: Detection) -> Face:
    """Move a face to where it was found in this frame."""
    return replace(face, box=at.box, landmarks=at.landmarks, detection_confidence=at.confidence)
