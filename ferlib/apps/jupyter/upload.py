"""Files from the browser: dropped or chosen, sent in pieces, written to a folder that goes away with the widget."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ferlib.apps.jupyter.camera import asset
from ferlib.errors import FerlibError

MAX_FILE_BYTES = 100_000_000  # of one file
PICTURES = "image/*,.tif,.tiff,.jp2"
VIDEOS = "video/*,.mkv,.avi,.mjpeg,.vob,.asf,.mts,.m2ts,.h264,.av1"


class DropZone(anywidget.AnyWidget):
    """A place to drop files on, or to choose them; hands each file to a function.

    Args:
        handle: called as ``handle(path, name)`` in the message's own handler, with a temporary file, which exists until
            a later one was taken, and its name on the user's machine. Returns a sentence for the user; the text of its
            FerlibError becomes one as well.
        **traits: initial values of the traits below.
    """

    _esm = asset("upload.js")
    _css = asset("upload.css")

    prompt = traitlets.Unicode("Drop files here, or press to choose", help="Text on the zone.").tag(sync=True)
    accept = traitlets.Unicode("", help="Kinds of files, as HTML's accept has them.").tag(sync=True)
    multiple = traitlets.Bool(True, help="Take several files at once.").tag(sync=True)
    limit = traitlets.Int(MAX_FILE_BYTES, help="Bytes of one file at most.").tag(sync=True)

    def __init__(self, handle: Callable[[Path, str], str], **traits: Any):
        self._handle = handle
        self._folder = tempfile.TemporaryDirectory(prefix="ferlib-")
        self._path: Path | None = None  # of the file that is arriving
        self._taken: Path | None = None  # of the last one that `handle` could use
        self._count = 0
        super().__init__(**traits)
        self.on_msg(self._receive)

    def take(self, name: str, data: bytes) -> str:
        """Take a file at once, as if it had been dropped.

        Args:
            name: its name on the user's machine.
            data: its content.

        Returns:
            The sentence that the user would see.
        """
        try:
            path = self._begin(name, len(data))
            path.write_bytes(data)
            return self._hand_over(path, name)
        except FerlibError as error:
            return self._sentence(error, name)

    def close(self) -> None:
        """Remove the widget and its files."""
        self._folder.cleanup()
        super().close()

    def _receive(self, widget: Any, content: dict[str, Any], buffers: list[memoryview]) -> None:
        if not isinstance(content, dict) or content.get("type") != "piece":
            return
        name = str(content.get("name"))
        reply = {"type": "done", "id": content.get("id"), "sentence": f"{name} could not be taken."}
        try:
            reply |= self._piece(name, int(content["size"]), int(content["offset"]), bytes(buffers[0]))
        except FerlibError as error:
            reply["sentence"] = self._sentence(error, name)
        except Exception as error:
            reply["sentence"] = f"{name} could not be taken ({type(error).__name__}: {error})."
        finally:
            self.send(reply)

    def _piece(self, name: str, size: int, offset: int, data: bytes) -> dict[str, Any]:
        """Write a piece, and ask for more or, after the last one, hand the file over."""
        if offset == 0:
            self._begin(name, size)
        if self._path is None or self._path.stat().st_size != offset or not data or offset + len(data) > size:
            raise FerlibError(f"{name} came in disorder; drop it again.")
        with open(self._path, "ab") as handle:
            handle.write(data)
        if offset + len(data) < size:
            return {"type": "more", "offset": offset + len(data)}
        return {"type": "done", "sentence": self._hand_over(self._path, name)}

    def _hand_over(self, path: Path, name: str) -> str:
        """Call `handle`; the file that it took before is removed only now."""
        sentence = self._handle(path, Path(name).name)
        _remove(self._taken)
        self._taken, self._path = path, None
        return sentence

    def _begin(self, name: str, size: int) -> Path:
        """Make an empty file, in the place of one that was not completed."""
        if size == 0:
            raise FerlibError(f"{name} is empty (0 bytes); copy or download it again.")
        if size > self.limit:
            raise FerlibError(
                f"{name} has {size / 1e6:.0f} MB, and {self.limit / 1e6:.0f} MB is the most that goes through the "
                "browser; put it beside the notebook and give its path as SOURCE."
            )
        _remove(self._path)
        self._count += 1  # a name of its own: the last file may still be shown
        self._path = Path(self._folder.name) / f"upload{self._count}{Path(name).suffix[:8].lower()}"
        self._path.write_bytes(b"")
        return self._path

    def _sentence(self, error: FerlibError, name: str) -> str:
        """Write an error with the user's name of the file in place of the temporary one."""
        return str(error) if self._path is None else str(error).replace(str(self._path), name)


def _remove(path: Path | None) -> None:
    """Remove a file; one that is still in use goes with the folder."""
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)
