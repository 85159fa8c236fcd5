"""Parts of the web application's page, which Streamlit runs from top to bottom at every click.

They only ask and show; `ferlib.apps.reading` and `ferlib.apps.page.webcam` do the work. Uploads stay in memory until
the page is closed: nothing is written to a file and nothing leaves this machine.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from ferlib.annotate.html import bars
from ferlib.apps.page.webcam import Webcam
from ferlib.apps.reading import (
    HEAVIEST_UPLOAD,
    PREVIEW_SIDE,
    Reading,
    annotated_png,
    faces_as_csv,
    model_card_limits,
    read_picture,
    read_upload,
    with_threshold,
)
from ferlib.errors import FerlibError
from ferlib.faces.pictures import decode_picture, sample_picture
from ferlib.live.frames import encode_jpeg
from ferlib.live.session import LiveSettings
from ferlib.models import checkpoints
from ferlib.models.questions import READING_TITLES, READINGS
from ferlib.pipeline import EmotionPipeline, Face, load_pipeline

MAX_PICTURES = 20  # at once
SAMPLE = "sample picture"
MODES = ("Pictures", "Snapshot", "Live camera")


def show() -> None:
    """Show everything below the title."""
    try:
        pipeline, settings = _controls()
        mode = st.segmented_control("What to read", MODES, default=MODES[0], label_visibility="collapsed", key="mode")
        {"Snapshot": _snapshot, "Live camera": _live}.get(mode or MODES[0], _pictures)(pipeline, settings)
    except FerlibError as error:
        st.error(str(error))
    with st.expander("What this can and cannot do (from the model card)"):
        try:
            st.markdown(model_card_limits())
        except FerlibError as error:
            st.error(str(error))


@st.cache_resource(show_spinner="Loading the model …", max_entries=4)
def _pipeline(model: str, question: str | None) -> EmotionPipeline:
    return load_pipeline(model, question=question)


def _controls() -> tuple[EmotionPipeline, LiveSettings]:
    """Show the sidebar: model, question, threshold, smallest face; give the pipeline and settings that were chosen."""
    names = checkpoints.available()
    if not names:
        raise FerlibError("There are no weights in data/checkpoints; get them again (git checkout), or train a model.")
    first = names.index(checkpoints.DEFAULT_MODEL) if checkpoints.DEFAULT_MODEL in names else 0
    with st.sidebar:
        st.header("Settings")
        model = st.selectbox("Model", names, index=first, key="model")
        pipeline = _pipeline(model, None)
        asked = model
        if len(getattr(pipeline.classifier, "questions", ())) > 1:
            default = READINGS.index(getattr(pipeline.classifier, "question", "seen"))
            question = st.selectbox(
                "Say of a face", READINGS, default, READING_TITLES.__getitem__, key=f"question to {model}"
            )
            asked = f"{model}, {question}"
            if question != READINGS[default]:
                pipeline = _pipeline(model, question)
        default = round(100 * pipeline.threshold)
        percent = st.slider(
            "Say “not sure” below (%)", 0, 100, default, key=f"threshold of {asked}",
            help="The model's own threshold was chosen on the validation images, for about one wrong answer in ten.",
        )  # fmt: skip
        min_face_size = st.slider(
            "Smallest face (pixels)", 20, 200, 40, 10, key="min_face_size",
            help="Smaller finds people farther off, and is slow.",
        )  # fmt: skip
    threshold = pipeline.threshold if percent == default else percent / 100
    return pipeline, LiveSettings(min_face_size=min_face_size, threshold=threshold)


def _pictures(pipeline: EmotionPipeline, settings: LiveSettings) -> None:
    """Show the uploads, or the sample picture while there are none."""
    files = st.file_uploader(
        f"Pictures, {MAX_PICTURES} at most, up to {HEAVIEST_UPLOAD / 1e6:.0f} MB each",
        accept_multiple_files=True,
        key="files",
    )
    if not files:
        st.caption("Until you choose pictures: the sample picture, astronaut Eileen Collins (NASA, public domain).")
        image = sample_picture()
        reading = _remembered(pipeline, SAMPLE, settings, lambda: read_picture(pipeline, image, SAMPLE, settings))
        _show(reading, settings, lambda: annotated_png(image, reading.faces, settings.threshold), 0)
        return
    if len(files) > MAX_PICTURES:
        st.warning(f"{len(files)} pictures were given; the first {MAX_PICTURES} are read.")
    readings = []
    for number, file in enumerate(files[:MAX_PICTURES]):
        if upload := _upload(file.getvalue(), file.name, pipeline, settings, number):
            readings.append(upload)
    if len(readings) > 1:
        _download_table(readings, settings.threshold, "the table of all pictures", "faces.csv", "all")


def _snapshot(pipeline: EmotionPipeline, settings: LiveSettings) -> None:
    """Take and show one picture of the camera."""
    taken = st.camera_input("Take a picture", key="snapshot")
    if taken is not None:
        _upload(taken.getvalue(), "snapshot.jpg", pipeline, settings, 0)


def _live(pipeline: EmotionPipeline, settings: LiveSettings) -> None:
    """Show the camera's video with the faces drawn on it."""
    from streamlit_webrtc import WebRtcMode, webrtc_streamer

    factory: Any = lambda: Webcam(pipeline, replace(settings))  # noqa: E731  Any: Webcam is not of their base class
    picture, faces = st.columns([3, 2], gap="large")
    with picture:
        stream = webrtc_streamer(
            key="live",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration={"iceServers": []},  # browser and server are one machine: no STUN server is asked
            media_stream_constraints={"video": {"width": 640, "height": 480}, "audio": False},
            video_processor_factory=factory,
            media_toggle_controls=False,
        )
        st.caption("Press START and allow the camera. Boxes follow as fast as this machine can read faces.")
    webcam = stream.video_processor
    if webcam is not None:
        webcam.pipeline = pipeline
        webcam.settings.threshold, webcam.settings.min_face_size = settings.threshold, settings.min_face_size
    with faces:
        st.fragment(_watch, run_every=1.0 if stream.state.playing else None)(webcam)


def _watch(webcam: Webcam | None) -> None:
    """Show the faces of the newest frame; Streamlit runs it again every second."""
    if webcam is None:
        st.caption("Nothing is sent before you start.")
        return
    st.caption(webcam.status())
    _show_bars(webcam.faces())


def _upload(data: bytes, name: str, pipeline: EmotionPipeline, settings: LiveSettings, number: int) -> Reading | None:
    """Read and show a file; where it cannot be read, show a sentence and return None."""
    try:
        key = f"{name} {hashlib.sha256(data).hexdigest()}"
        reading = _remembered(pipeline, key, settings, lambda: read_upload(pipeline, data, name, settings))
    except FerlibError as error:
        st.error(_plain(str(error)))
        return None
    faces, picture = reading.faces, partial(decode_picture, data, name, note=lambda _: None)
    _show(reading, settings, lambda: annotated_png(picture(), faces, settings.threshold), number)
    return reading


def _remembered(pipeline: EmotionPipeline, key: str, settings: LiveSettings, read: Callable[[], Reading]) -> Reading:
    """Call `read`, or take its result of this visit; the threshold changes only words and is no part of the key."""
    readings: dict[tuple, Reading] = st.session_state.setdefault("readings", {})
    question = getattr(pipeline.classifier, "question", "seen")
    cache_key = (key, st.session_state["model"], question, settings.min_face_size)
    if cache_key not in readings:
        with st.spinner("Looking for faces …"):
            readings[cache_key] = read()
        while len(readings) > 2 * MAX_PICTURES:
            readings.pop(next(iter(readings)))
    return readings[cache_key]


def _show(reading: Reading, settings: LiveSettings, full_size_png: Callable[[], bytes], number: int) -> None:
    """Show a picture with its boxes, beside it its faces' bars, and the downloads."""
    picture, faces = st.columns([3, 2], gap="large")
    with picture:
        drawn = reading.drawn(settings.threshold)
        st.image(encode_jpeg(drawn, PREVIEW_SIDE, 90), width="stretch" if drawn.shape[1] > 480 else "content")
        st.caption(f"{_plain(reading.name)}, {reading.size[0]} x {reading.size[1]} pixels")
        for note in reading.notes:
            st.caption(_plain(note))
    with faces:
        if not reading.faces:
            st.info("No face was found. Try a smaller “smallest face”, or a picture in which faces look ahead.")
            return
        _show_bars(with_threshold(reading.faces, settings.threshold))
        stem = reading.name.rpartition(".")[0] or reading.name
        _download_table([reading], settings.threshold, "table (CSV)", f"{stem}.csv", str(number))
        st.download_button(
            "picture with boxes (PNG)", full_size_png, f"{stem}.annotated.png", "image/png", key=f"picture {number}",
            on_click="ignore", icon=":material/download:",
        )  # fmt: skip


def _show_bars(faces: list[Face]) -> None:
    several = len(faces) > 1
    st.html("".join(bars(face, number if several else None) for number, face in enumerate(faces, 1)))


def _download_table(readings: list[Reading], threshold: float, label: str, name: str, key: str) -> None:
    st.download_button(
        label, faces_as_csv(readings, threshold), name, "text/csv", key=f"table {key}", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip


def _plain(text: str) -> str:
    """Escape text so that nothing in it is Markdown: a file may be called ``_a_*b*.jpg``."""
    return re.sub(r"([\\`*_~$\[\]<>:#|])", r"\\\1", text)
