"""Failures while many files are read: a sentence for each, and the exit status at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from ferlib.errors import FerlibError
from ferlib.text import printable


class Failures:
    """Failures so far: a sentence for each on a stream, and the exit status.

    Args:
        stream: gets the sentences.
        remarks: print remarks, too.

    Attributes:
        count: failures so far.
    """

    def __init__(self, stream: TextIO, remarks: bool) -> None:
        self._stream, self._remarks = stream, remarks
        self.count = 0

    @property
    def status(self) -> int:
        """Exit status."""
        return 1 if self.count else 0

    def tell(self, sentence: str) -> None:
        """Count a failure and print its sentence.

        Args:
            sentence: the sentence.
        """
        self.count += 1
        tell(self._stream, sentence)

    def remark(self, sentence: str) -> None:
        """Print a sentence that is no failure.

        Args:
            sentence: the sentence.
        """
        if self._remarks:
            tell(self._stream, sentence)

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """Turn an error about a file into a failure, and go on.

        Args:
            path: the file.
        """
        try:
            yield
        except BrokenPipeError:  # nobody reads the results any more: not an error of this picture
            raise
        except FerlibError as error:
            self.tell(str(error))
        except OSError as error:
            name = error.filename2 or error.filename or path
            reason = error.strerror or error
            self.tell(f"{name} cannot be written ({reason}); check the folder and the free space.")


def tell(stream: TextIO, sentence: str) -> None:
    """Write a sentence of ferlib's, in which names of files are safe for a terminal.

    Args:
        stream: gets the sentence.
        sentence: the sentence.
    """
    print_line(stream, printable(f"ferlib: {sentence}"))


def print_line(stream: TextIO, text: str) -> None:
    """Write a line; characters that the stream's encoding lacks become escapes, and a progress bar steps aside.

    Args:
        stream: gets the line.
        text: the line; it may hold lines itself.
    """
    with tqdm.external_write_mode(file=stream):
        try:
            stream.write(text + "\n")
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
