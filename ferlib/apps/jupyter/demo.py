"""The live demo as one widget: camera, photos and videos in tabs, with the same controls for all of them."""

from collections.abc import Callable
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pandas as pd
from IPython.display import display

from ferlib.annotate.boxes import annotate
from ferlib.annotate.words import summarise
from ferlib.apps.jupyter.camera import CameraWidget
from ferlib.apps.jupyter.upload import PICTURES, VIDEOS, DropZone
from ferlib.apps.reading import read_faces
from ferlib.faces.pictures import load_picture
from ferlib.live import records
from ferlib.live.frames import encode_jpeg
from ferlib.live.session import LiveSession, LiveSettings
from ferlib.live.video_source import VideoSource
from ferlib.models.preprocessing import EQUALISE_MODES
from ferlib.models.questions import READING_TITLES, READINGS
from ferlib.pipeline import EmotionClassifier, EmotionPipeline, load_pipeline

_MAX_PHOTOS = 12  # that stay on the page
_PHOTO_SIDE = 1400  # pixels; longer side of an annotated photo on the page


class LiveDemo:
    """Camera, photos and videos through one pipeline; displays itself as the last expression of a cell.

    Args:
        source: source of the camera's tab: "browser", "device" (a camera at the kernel) or its number, a video file,
            pictures, or anything that `open_source` takes; None leaves the tab out.
        pipeline: None loads the shipped one.
        settings: initial values of the controls; None takes the defaults, with the pipeline's threshold.
        **camera: traits of `CameraWidget`.

    Attributes:
        pipeline: finds and classifies the faces of all tabs.
        settings: settings of all tabs, changed by the controls.
        session: `LiveSession` of the camera's tab.
        camera: its `CameraWidget`, None without a source.
        controls: sliders of the settings.
        photos: tab of the photos.
        videos: tab of the videos.
        tabs: the tabs.
        widget: tabs and controls.
    """

    def __init__(
        self,
        source: Any = "browser",
        pipeline: EmotionPipeline | None = None,
        settings: LiveSettings | None = None,
        **camera: Any,
    ):
        self.pipeline = pipeline or load_pipeline()
        self.settings = settings or LiveSettings(threshold=self.pipeline.threshold)
        self.session = LiveSession(self.pipeline, self.settings)
        self.camera = None if source is None else CameraWidget(self.session, source, **camera)
        self.controls = _controls(self.settings, self.pipeline.classifier)
        self.photos = PhotoTab(self.pipeline, self.settings)
        self.videos = VideoTab(self.pipeline, self.settings)
        children = {} if self.camera is None else {"Camera": self.camera}
        children |= {"Photo": self.photos.widget, "Video": self.videos.widget}
        self.tabs = widgets.Tab(children=list(children.values()), titles=list(children))
        self.widget = widgets.VBox([self.tabs, self.controls])

    def _ipython_display_(self) -> None:
        display(self.widget)

    def table(self) -> pd.DataFrame:
        """Table of the camera's session so far, one row a face and frame: see `records.COLUMNS`."""
        return pd.DataFrame(self.session.table(), columns=list(records.COLUMNS))

    def close(self) -> None:
        """Switch everything off and remove it from the page."""
        for part in (self.camera, self.photos.zone, self.videos.zone, self.videos.view):
            if part is not None:
                part.close()
        self.widget.close()


class PhotoTab:
    """Photos that are dropped or chosen, annotated, the newest first.

    Args:
        pipeline: finds and classifies the faces.
        settings: may be changed at any time.

    Attributes:
        pipeline: as given.
        settings: as given.
        zone: place to drop photos on.
        gallery: the photos.
        widget: both.
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings):
        self.pipeline, self.settings = pipeline, settings
        self.zone = DropZone(self.show, accept=PICTURES, prompt="Drop photos here, or press to choose them")
        self.gallery = widgets.VBox()
        self.widget = widgets.VBox([self.zone, self.gallery])

    def show(self, path: Path, name: str) -> str:
        """Add a photo to the page.

        Args:
            path: the file.
            name: its name on the user's machine.

        Returns:
            The sentence that goes with it.

        Raises:
            FerlibError: the file is no picture.
        """
        notes: list[str] = []
        image = load_picture(path, notes.append)
        faces = read_faces(self.pipeline, image, self.settings)
        sentence = " ".join([summarise(name, faces), *(note.replace(str(path), name) for note in notes)])
        data = encode_jpeg(annotate(image, faces), _PHOTO_SIDE, 90)
        picture = widgets.Image(value=data, format="jpeg", layout={"max_width": "100%", "object_fit": "contain"})
        picture.add_class("ferlib-photo")
        entry = widgets.VBox([widgets.HTML(escape(sentence)), picture], layout={"margin": "0 0 12px"})
        newest, oldest = self.gallery.children[: _MAX_PHOTOS - 1], self.gallery.children[_MAX_PHOTOS - 1 :]
        self.gallery.children = (entry, *newest)
        for old in oldest:
            _close_all(old)
        return sentence


class VideoTab:
    """A video that is dropped or chosen, played through the pipeline frame by frame.

    Args:
        pipeline: finds and classifies the faces.
        settings: may be changed at any time.

    Attributes:
        session: `LiveSession` of the videos.
        zone: place to drop a video on.
        view: `CameraWidget` of the last video, None before the first one.
        place: box that holds the view.
        widget: zone and place.
    """

    def __init__(self, pipeline: EmotionPipeline, settings: LiveSettings):
        self.session = LiveSession(pipeline, settings)
        self.zone = DropZone(
            self.take, accept=VIDEOS, multiple=False, prompt="Drop a video here, or press to choose one"
        )
        self.view: CameraWidget | None = None
        self.place = widgets.VBox()
        self.widget = widgets.VBox([self.zone, self.place])

    def take(self, path: Path, name: str) -> str:
        """Make a video ready to be played.

        Args:
            path: the file.
            name: its name on the user's machine.

        Returns:
            A sentence for the user.

        Raises:
            FerlibError: the file is no video.
        """
        VideoSource(path).close()
        if self.view is not None:
            self.view.close()
        self.session.reset()
        self.view = CameraWidget(self.session, partial(VideoSource, path))  # a video, whatever its name ends in
        self.place.children = (self.view,)
        return f"{name} is ready; press Start below."


def _controls(settings: LiveSettings, classifier: EmotionClassifier) -> widgets.Box:
    """Make the sliders, which change `settings` at once, and a switch of the question for a model that answers two."""
    wide = {"style": {"description_width": "initial"}, "layout": {"width": "330px"}}
    controls = {
        "min_face_size": widgets.IntSlider(
            settings.min_face_size, 20, 200, 10, description="smallest face (pixels)", **wide
        ),
        "detect_every": widgets.IntSlider(settings.detect_every, 1, 10, description="detect every N frames", **wide),
        "smoothing": widgets.FloatSlider(
            settings.smoothing, min=0, max=2, step=0.1, description="smoothing (s)", **wide
        ),
        "threshold": widgets.FloatSlider(
            settings.threshold, min=0, max=1, step=0.01, description="not sure below", readout_format=".0%", **wide
        ),
        "equalise": widgets.Dropdown(
            options=EQUALISE_MODES, value=settings.equalise, description="equalise faces", **wide
        ),
    }
    for name, control in controls.items():
        control.observe(_setter(settings, name), "value")
    if len(getattr(classifier, "questions", ())) > 1:
        controls["question"] = _question_switch(classifier, controls["threshold"], **wide)
    return widgets.Box(list(controls.values()), layout={"flex_flow": "row wrap", "max_width": "1120px"})


def _question_switch(classifier: Any, threshold: widgets.FloatSlider, **options: Any) -> widgets.Dropdown:
    """Make the switch of the question; the threshold's slider goes to that of the question."""
    titles = [(READING_TITLES[name], name) for name in READINGS]
    switch = widgets.Dropdown(options=titles, value=classifier.question, description="say of a face", **options)

    def ask(change: Any) -> None:
        classifier.ask(change["new"])
        threshold.value = classifier.threshold

    switch.observe(ask, "value")
    return switch


def _setter(settings: LiveSettings, name: str) -> Callable[[Any], None]:
    return lambda change: setattr(settings, name, change["new"])


def _close_all(box: widgets.Box) -> None:
    for child in box.children:
        child.close()
    box.close()
