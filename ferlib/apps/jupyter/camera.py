"""Live view as a widget: the browser's camera, or frames of a source at the kernel, with answers drawn over them.

The browser asks, the kernel answers: with a JPEG of its camera where the source is the browser's, otherwise for the
next frame of the source. So the browser alone decides how many frames are under way, an answer is given inside the
message's own handler (ipykernel 7 runs it beside the cells, on a thread of its own), and a closed tab asks no more.
Frames are neither stored nor sent on.
"""

import threading
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from ferlib.data.labels import COLOURS, EMOTIONS
from ferlib.errors import FerlibError
from ferlib.live import records
from ferlib.live.frames import encode_jpeg
from ferlib.live.session import LiveSession
from ferlib.live.sources import FrameSource, PictureSource, open_source
from ferlib.live.timing import BROWSER_STAGES, KERNEL_STAGES
from ferlib.live.video_source import VideoSource

SCRIPTS = ("overlay.js", "panel.js", "camera.js")
"""Joined in this order into the one module that the browser loads; only the last one exports."""

_SUMMARY_EVERY = 10  # answers
_IDLE = 8.0  # seconds without a question after which a camera at the kernel is closed: nobody watches


def asset(*names: str) -> str:
    """Read files for the browser, joined to one text.

    Args:
        *names: names of the files, in order.
    """
    folder = files("ferlib.apps.jupyter") / "browser"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


class CameraWidget(anywidget.AnyWidget):
    """A live view of one session.

    Args:
        session: answers the frames.
        source: "browser" for the browser's camera, or anything that `open_source` takes; it is opened when the user
            presses Start, each time anew unless it is a source already. A source at the kernel is closed when the user
            stops; a camera there also when the page is gone or its picture is held for long, while a video or pictures
            wait where they are.
        **traits: initial values of the traits below.

    Attributes:
        session: as given.
        state: state of the view in the browser: "off", "starting", "on", "lost" (no kernel) or "error".
        sentence: text that the view shows about its state.
    """

    _esm = asset(*SCRIPTS)
    _css = asset("camera.css")

    mode = traitlets.Enum(("browser", "kernel"), "browser", help="Where frames come from.").tag(sync=True)
    width = traitlets.Int(640, help="Width that the camera is asked for, pixels.").tag(sync=True)
    height = traitlets.Int(480, help="Height that the camera is asked for, pixels.").tag(sync=True)
    sizes = traitlets.List([[320, 240], [640, 480], [1280, 720]], help="Resolutions that can be chosen.").tag(sync=True)
    longest_side = traitlets.Int(1280, help="Longest side that is sent, pixels.").tag(sync=True)
    mirror = traitlets.Bool(True, help="Show the browser's camera like a mirror at first.").tag(sync=True)
    quality = traitlets.Float(0.8, help="Quality of the JPEGs, 0..1.").tag(sync=True)
    in_flight = traitlets.Int(2, help="Frames under way at most; 1 while the kernel is slower.").tag(sync=True)
    answer_seconds = traitlets.Float(10.0, help="Seconds after which a frame is given up.").tag(sync=True)
    lost_answers = traitlets.Int(3, help="Lost answers in a row that end the stream.").tag(sync=True)
    state = traitlets.Unicode("off").tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    emotions = traitlets.List(list(EMOTIONS)).tag(sync=True)
    colours = traitlets.List([COLOURS[name] for name in EMOTIONS]).tag(sync=True)
    stages = traitlets.List([*KERNEL_STAGES, *BROWSER_STAGES]).tag(sync=True)

    def __init__(self, session: LiveSession, source: Any = "browser", **traits: Any):
        self.session = session
        self._what = source
        browser = isinstance(source, str) and source == "browser"
        self._source: FrameSource | None = None  # that is open at the kernel
        self._guard = threading.Lock()  # of the source, which a timer may close
        self._timer: threading.Timer | None = None
        self._ended = False  # the browser may have asked for a further frame before it knew
        super().__init__(mode="browser" if browser else "kernel", **traits)
        self.on_msg(self._receive)

    def stop(self, sentence: str = "") -> None:
        """Switch the camera off from Python.

        Args:
            sentence: text for the user; empty for none.
        """
        self.send({"type": "stop", "sentence": sentence})
        self._close()

    def close(self) -> None:
        """Switch off and remove the widget."""
        self._close()
        super().close()

    def _receive(self, widget: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        """Handle a message of the browser; a frame is always answered, whatever is wrong with it."""
        actions: dict[str, Callable[[], None]] = {
            "frame": lambda: self._answer(content, buffers),
            "start": self._start,
            "stop": self._close,
            "export": lambda: self._export(str(content.get("format")), content.get("view")),
        }
        action = actions.get(str(content.get("type"))) if isinstance(content, dict) else None
        if action is not None:
            action()

    def _start(self) -> None:
        self._close()
        self._ended = False
        self.session.reset()

    def _answer(self, content: dict[str, Any], buffers: list[memoryview]) -> None:
        reply = {
            "type": "answer", "id": content.get("id"), "view": content.get("view"), "answer": None, "end": False,
            "summary": None,
        }  # fmt: skip
        pictures: list[bytes] = []
        try:
            self._note(content)
            if self.mode == "browser":
                reply["answer"] = self.session.step_jpeg(buffers[0] if buffers else b"", content.get("time"))
            else:
                reply["answer"], pictures = self._next()
                reply["end"] = reply["answer"] is None
            if self.session.latency.answered % _SUMMARY_EVERY == 0:
                reply["summary"] = self.summary()
        finally:  # also on Ctrl-C, or the browser would wait for this frame
            self.send(reply, pictures)

    def summary(self) -> dict[str, Any]:
        """Summarise the latencies so far: ``stages`` as `Latency.summary` gives them, and the counts of frames."""
        latency = self.session.latency
        counts = {name: getattr(latency, name) for name in ("answered", "dropped", "failed")}
        return {"stages": latency.summary(), **counts}

    def _note(self, content: dict[str, Any]) -> None:
        """Note the browser's measurements of earlier frames."""
        measured, dropped = content.get("ms"), content.get("dropped")
        if isinstance(measured, dict):
            self.session.latency.add(measured)
        if isinstance(dropped, int) and dropped >= 0:
            self.session.latency.dropped = dropped

    def _next(self) -> tuple[dict[str, Any] | None, list[bytes]]:
        """Read and answer the next frame of a source at the kernel: answer and JPEG, no answer at its end."""
        with self._guard:
            self._unwatch()
            if self._ended:
                return None, []
            if self._source is None:
                try:
                    self._source = open_source(self._what)
                except FerlibError as error:
                    self.send({"type": "stop", "sentence": str(error)})
                    return None, []
            frame, answer = self.session.step_source(self._source)
            if not isinstance(self._source, VideoSource | PictureSource):
                self._watch()
        if answer is None:
            self._ended = True
            self._close()
        return answer, [] if frame is None else [encode_jpeg(frame.image)]

    def _watch(self) -> None:
        """Start the timer that closes the source when the browser asks no more."""
        self._timer = threading.Timer(_IDLE, self._close)
        self._timer.daemon = True
        self._timer.start()

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        with self._guard:
            self._unwatch()
            if self._source is not None:
                self._source.close()
                self._source = None

    def _export(self, file_format: str, view: str | None) -> None:
        rows, as_json = self.session.table(), file_format == "json"
        text = records.as_json(rows) if as_json else records.as_csv(rows)
        name, mime = ("ferlib-session.json", "application/json") if as_json else ("ferlib-session.csv", "text/csv")
        self.send({"type": "file", "view": view, "name": name, "mime": mime, "text": text})
