from pathlib import Path

import numpy as np
import pytest
from fakes import jpeg

from ferlib.apps.jupyter.upload import MAX_FILE_BYTES, DropZone
from ferlib.errors import FerlibError

PICTURE = jpeg(np.zeros((40, 40, 3), np.uint8))


class Zone(DropZone):
    """Keeps what it would send, and what it got."""

    def __init__(self, error=None, **traits):
        self.got, self.sent, self.error = [], [], error
        super().__init__(self.keep, **traits)

    def keep(self, path, name):
        if self.error:
            raise self.error(path)
        self.got.append((path.suffix, name, path.read_bytes()))
        return f"{name} was read."

    def send(self, content, buffers=None):
        if isinstance(content, dict) and content.get("type") in ("more", "done"):
            self.sent.append(content)

    def piece(self, data, offset=0, size=None, name="a.JPG", number=1):
        content = {"type": "piece", "id": number, "name": name, "size": len(data) if size is None else size}
        self._handle_custom_msg(content | {"offset": offset}, [memoryview(data)])
        return self.sent[-1]


@pytest.fixture
def zone():
    drop_zone = Zone()
    yield drop_zone
    drop_zone.close()


def test_a_file_in_one_piece(zone):
    assert zone.piece(PICTURE) == {"type": "done", "id": 1, "sentence": "a.JPG was read."}
    assert zone.got == [(".jpg", "a.JPG", PICTURE)]


def test_a_file_in_three_pieces(zone):
    size = len(PICTURE)
    assert zone.piece(PICTURE[:100], 0, size)["offset"] == 100
    assert zone.piece(PICTURE[100:200], 100, size)["offset"] == 200
    assert zone.piece(PICTURE[200:], 200, size)["type"] == "done"
    assert zone.got[0][2] == PICTURE


def test_several_files_one_after_another(zone):
    for number in (1, 2, 3):
        zone.piece(PICTURE, name=f"{number}.png", number=number)
    assert [name for _, name, _ in zone.got] == ["1.png", "2.png", "3.png"]


def test_an_upload_of_0_bytes_is_refused(zone):
    assert zone.take("empty.jpg", b"") == "empty.jpg is empty (0 bytes); copy or download it again."
    assert "0 bytes" in zone.piece(b"", size=0)["sentence"]
    assert zone.got == []


def test_an_upload_of_200_megabytes_is_refused_at_its_first_piece(zone):
    answer = zone.piece(PICTURE, size=200_000_000, name="long.mp4")
    assert answer["sentence"].startswith("long.mp4 has 200 MB, and 100 MB is the most")
    assert MAX_FILE_BYTES == 100_000_000
    assert zone.got == []


@pytest.mark.parametrize(("offset", "size"), [(5, 50), (0, 3), (-1, 50)])
def test_pieces_in_disorder_are_refused(zone, offset, size):
    assert "disorder" in zone.piece(b"12345", offset, size)["sentence"]
    assert zone.piece(PICTURE)["sentence"] == "a.JPG was read."


@pytest.mark.parametrize("content", [{"type": "piece"}, {"type": "piece", "size": "big", "offset": 0}])
def test_a_message_that_lacks_something_is_answered(zone, content):
    zone._handle_custom_msg(content | {"id": 4}, [memoryview(b"x")])
    assert zone.sent[-1]["id"] == 4
    assert "could not be taken" in zone.sent[-1]["sentence"]


def test_messages_of_another_kind_are_ignored(zone):
    zone._handle_custom_msg({"type": "hello"}, [])
    zone._handle_custom_msg("hello", [])
    assert zone.sent == []


def test_errors_name_the_users_file_and_no_folder_of_the_kernel():
    zone = Zone(error=lambda path: FerlibError(f"{path} is not a picture that can be read."))
    assert zone.piece(b"text", name="cat.txt")["sentence"] == "cat.txt is not a picture that can be read."
    assert zone.take("cat.txt", b"text") == "cat.txt is not a picture that can be read."
    zone.close()


def test_a_handler_that_breaks_is_answered():
    zone = Zone(error=lambda path: ZeroDivisionError("by zero"))
    assert "ZeroDivisionError" in zone.piece(PICTURE)["sentence"]
    zone.close()


def test_a_name_with_folders_stays_in_the_temporary_folder(zone):
    zone.piece(PICTURE, name="../../evil/../x.png")
    assert zone.got[0][:2] == (".png", "x.png")


def test_closing_removes_the_files():
    zone = Zone()
    zone.piece(PICTURE)
    (path,) = Path(zone._folder.name).iterdir()
    zone.close()
    assert not path.parent.exists()


def test_a_file_stays_until_a_later_one_could_be_used(zone):
    folder = Path(zone._folder.name)
    zone.piece(PICTURE)
    (first,) = folder.iterdir()
    zone.error = lambda path: FerlibError("not that one")
    zone.take("b.jpg", b"text")
    zone.piece(b"text", name="c.jpg")
    assert first.is_file()
    zone.error = None
    zone.take("d.jpg", PICTURE)
    (left,) = folder.iterdir()
    assert left != first
