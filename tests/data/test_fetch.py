"""Fetching against a server on this machine and a stand-in for kagglehub: resuming, checking, and what errors say."""

import csv
import errno
import hashlib
import io
import os
import re
import tarfile
import threading
import urllib.request
import zlib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferlib import paths
from ferlib.data import download as download_module
from ferlib.data import fetch as fetch_module
from ferlib.data.ferplus import load_all
from ferlib.data.fetch import COMPETITION, LABEL_DOWNLOADS, REPOSITORY, fetch
from ferlib.data.readers import detect_form
from ferlib.errors import FerlibError

GOAL = "fer2013.csv"


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Server:
    """Serves `files` (path: content) with ranges; `requests` are (path, Range header)."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cut = None  # bytes after which the connection is dropped
        self.status = None  # to answer everything with

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.path, asked))
        content = self.files.get(handler.path)
        status = self.status or (200 if content is not None else 404)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.ranges and status == 200 else 0
        if start:
            status = 206 if start < len(content) else 416
        if status >= 400:
            handler.send_error(status)
            return
        body = content[start:]
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        handler.wfile.write(body if self.cut is None else body[: self.cut])
        handler.close_connection = True


@pytest.fixture
def server():
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.answer(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        served.url = f"http://127.0.0.1:{httpd.server_port}/"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield served
        httpd.shutdown()
        thread.join()


@pytest.fixture
def source(small, save, tmp_path, server, monkeypatch) -> Path:
    """What the FER+ repository and Kaggle hold, small: label files on the server, fer2013.csv in the folder."""
    folder = save["kaggle csv"](small, tmp_path / "source")
    (folder / "LICENSE-FERPlus-labels.md").write_text("MIT\n")
    remote = {name: (where, sha((folder / name).read_bytes())) for name, (where, _) in LABEL_DOWNLOADS.items()}
    monkeypatch.setattr(fetch_module, "LABEL_DOWNLOADS", remote)
    server.files = {f"/{where}": (folder / name).read_bytes() for name, (where, _) in remote.items()}
    with open(folder / GOAL, newline="") as handle:
        monkeypatch.setattr(fetch_module, "ROWS", Counter(row["Usage"] for row in csv.DictReader(handle)))
    return folder


@pytest.fixture
def labels(source, server, tmp_path):
    """Fetch the label files into a new folder."""

    def run(**options):
        return fetch(tmp_path / "raw", images=False, progress=False, repository=server.url, **options)

    return run


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "raw"


def kaggle_with(**files: Path | Exception) -> SimpleNamespace:
    """A kagglehub that has `files` (dots written as __), counts its calls, and answers 404 for others."""
    named = {name.replace("__", "."): file for name, file in files.items()}
    calls = []

    def competition_download(handle, path=None, **_):
        calls.append((handle, path))
        response = named.get(path, error("KaggleApiHTTPError", 404))
        if isinstance(response, Exception):
            raise response
        return str(response)

    return SimpleNamespace(competition_download=competition_download, calls=calls)


def error(name: str, status: int | None = None, text: str = "") -> Exception:
    """As kagglehub raises them: told apart by class name and by the response that it carries."""
    exception = type(name, (Exception,), {})(text or f"{status} Client Error.\n\nmore lines")
    if status:
        exception.response = SimpleNamespace(status_code=status)
    return exception


def packed(folder: Path, *members: tuple[str, bytes]) -> Path:
    path = folder / "fer2013.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


class TestLabelFiles:
    def test_all_arrive_under_our_names(self, labels, source, target):
        written = labels()
        assert {path.name for path in written} == set(LABEL_DOWNLOADS) == {path.name for path in target.iterdir()}
        assert all(path.read_bytes() == (source / path.name).read_bytes() for path in written)

    def test_what_is_there_is_not_fetched_again(self, labels, server, target):
        labels()
        server.requests.clear()
        assert labels() == []
        assert server.requests == []

    def test_windows_line_ends_count_as_the_same(self, labels, server, target):
        labels()
        path = target / "fer2013new.csv"
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        assert labels() == []

    def test_a_changed_file_is_fetched_again(self, labels, source, target):
        labels()
        path = target / "FER2013Valid.label.csv"
        path.write_text("old")
        assert labels() == [path]
        assert path.read_bytes() == (source / path.name).read_bytes()

    def test_the_real_addresses_and_hashes(self):
        assert REPOSITORY.startswith("https://")
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for _, digest in LABEL_DOWNLOADS.values())
        assert {where for where, _ in LABEL_DOWNLOADS.values()} == {
            "fer2013new.csv", "LICENSE.md", "data/FER2013Train/label.csv", "data/FER2013Valid/label.csv",
            "data/FER2013Test/label.csv",
        }  # fmt: skip

    def test_the_bar_goes_to_standard_error(self, source, server, target, capsys):
        fetch(target, images=False, repository=server.url)
        shown = capsys.readouterr()
        assert "fer2013new.csv" in shown.err
        assert shown.out == ""

    def test_by_default_it_is_data_raw(self, source, server, tmp_path, monkeypatch):
        monkeypatch.setattr(paths, "RAW", tmp_path / "elsewhere")
        fetch(images=False, progress=False, repository=server.url)
        assert (tmp_path / "elsewhere" / "fer2013new.csv").is_file()


class TestInterruptions:
    NAME = "fer2013new.csv"

    def part(self, target: Path) -> Path:
        return target / f"{self.NAME}.part"

    def test_goes_on_where_it_stopped(self, labels, server, source, target):
        server.cut = 1000
        with pytest.raises(FerlibError, match="the connection was lost in the middle"):
            labels()
        assert self.part(target).stat().st_size == 1000
        assert not (target / self.NAME).exists()
        server.cut = None
        server.requests.clear()
        labels()
        assert server.requests[0] == (f"/{self.NAME}", "bytes=1000-")
        assert (target / self.NAME).read_bytes() == (source / self.NAME).read_bytes()
        assert not self.part(target).exists()

    def test_a_server_without_ranges_starts_again(self, labels, server, source, target):
        server.ranges = False
        target.mkdir()
        self.part(target).write_bytes(b"the start of something")
        labels()
        assert [asked for path, asked in server.requests if path == f"/{self.NAME}"] == ["bytes=22-"]
        assert (target / self.NAME).read_bytes() == (source / self.NAME).read_bytes()

    def test_a_part_of_another_file_is_thrown_away(self, labels, server, source, target):
        target.mkdir()
        self.part(target).write_bytes(b"not the start of this file")
        labels()
        assert [asked for path, asked in server.requests if path == f"/{self.NAME}"] == ["bytes=26-", None]
        assert (target / self.NAME).read_bytes() == (source / self.NAME).read_bytes()

    def test_a_part_that_is_too_long_is_thrown_away(self, labels, source, target):
        target.mkdir()
        self.part(target).write_bytes((source / self.NAME).read_bytes() + b"more")
        labels()
        assert (target / self.NAME).read_bytes() == (source / self.NAME).read_bytes()

    def test_a_whole_part_only_needs_its_name(self, labels, source, target):
        target.mkdir()
        self.part(target).write_bytes((source / self.NAME).read_bytes())
        labels()
        assert (target / self.NAME).read_bytes() == (source / self.NAME).read_bytes()

    def test_a_wrong_checksum_leaves_nothing(self, labels, server, target):
        server.files[f"/{self.NAME}"] += b"changed"
        with pytest.raises(FerlibError, match=r"fer2013new\.csv came with a wrong checksum"):
            labels()
        assert list(target.iterdir()) == []
        assert len(server.requests) == 1


class TestNoNetwork:
    def steps(self, text: str) -> list[str]:
        return re.findall(r"^  (\d)\. ", text, flags=re.MULTILINE)

    @pytest.mark.parametrize("status", [404, 403, 500])
    def test_the_server_refuses(self, labels, server, status):
        server.status = status
        with pytest.raises(FerlibError, match=f"fer2013new.csv could not be downloaded .HTTP Error {status}") as caught:
            labels()
        assert self.steps(str(caught.value)) == ["1", "2", "3"]

    def test_no_connection(self, labels, target):
        def opener(request, timeout):
            raise urllib.error.URLError("Name or service not known")

        with pytest.raises(FerlibError) as caught:
            labels(opener=opener)
        first, *rest = str(caught.value).split("\n")
        assert "could not be downloaded" in first
        assert "run 'ferlib data fetch' again" in first
        assert all(name in str(caught.value) for name in LABEL_DOWNLOADS)
        assert str(target) in str(caught.value)
        assert self.steps("\n".join(rest)) == ["1", "2", "3"]

    def test_waiting_has_an_end(self, labels):
        waits = []

        def opener(request, timeout):
            waits.append(timeout)
            raise TimeoutError("timed out")

        with pytest.raises(FerlibError, match="timed out"):
            labels(opener=opener)
        assert waits == [download_module._TIMEOUT]

    def test_the_folder_cannot_be_made(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(FerlibError, match="cannot be made"):
            fetch(tmp_path / "file" / "raw")


class TestImages:
    @pytest.fixture
    def images(self, source, target):
        def run(kaggle=None):
            return fetch(target, labels=False, progress=False, kaggle=kaggle)

        return run

    def test_the_archive_is_unpacked(self, images, source, target):
        content = (source / GOAL).read_bytes()
        archive = packed(source, ("fer2013/README", b"x"), ("fer2013/fer2013.csv", content))
        kaggle = kaggle_with(fer2013__tar__gz=archive)
        assert images(kaggle) == [target / GOAL]
        assert (target / GOAL).read_bytes() == content
        assert kaggle.calls == [(COMPETITION, "fer2013.tar.gz")]

    def test_without_the_archive_the_second_edition_is_turned_into_the_first(self, images, source, target):
        content = (source / GOAL).read_bytes()
        with open(source / GOAL, newline="") as handle:
            rows = [f"{emotion}, {usage}, {pixels}" for emotion, pixels, usage in csv.reader(handle)]
        edition = source / "icml_face_data.csv"
        edition.write_text("\n".join(rows) + "\n")
        kaggle = kaggle_with(icml_face_data__csv=edition)
        images(kaggle)
        assert (target / GOAL).read_bytes() == content
        assert [path for _, path in kaggle.calls] == ["fer2013.tar.gz", "icml_face_data.csv"]

    def test_names_in_the_archive_lead_nowhere(self, images, source, target, tmp_path):
        content = (source / GOAL).read_bytes()
        archive = packed(source, ("../../escaped", b"x"), ("/../../../fer2013.csv", content))
        images(kaggle_with(fer2013__tar__gz=archive))
        assert [path.name for path in target.iterdir()] == [GOAL]
        assert not list(tmp_path.rglob("escaped"))

    def test_a_link_of_the_right_name_is_not_followed(self, images, source, target):
        path = source / "fer2013.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo(GOAL)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(info)
        with pytest.raises(FerlibError, match=r"fer2013\.tar\.gz holds no fer2013\.csv"):
            images(kaggle_with(fer2013__tar__gz=path))
        assert list(target.iterdir()) == []

    @pytest.mark.parametrize("name", ["fer2013.tar.gz", "icml_face_data.csv"])
    def test_a_file_that_was_put_there_by_hand_is_used(self, images, source, target, name):
        target.mkdir()
        content = (source / GOAL).read_bytes()
        if name.endswith("csv"):
            (target / name).write_bytes(content)
        else:
            packed(target, ("fer2013.csv", content))
        kaggle = kaggle_with()
        images(kaggle)
        assert (target / GOAL).read_bytes() == content
        assert kaggle.calls == []

    def test_whole_images_are_not_fetched_again(self, images, source, target):
        target.mkdir()
        (target / GOAL).write_bytes((source / GOAL).read_bytes())
        kaggle = kaggle_with()
        assert images(kaggle) == []
        assert kaggle.calls == []

    @pytest.mark.parametrize("form", ["official zips", "official folders"])
    def test_official_images_need_no_kaggle(self, images, small, save, target, form):
        save[form](small, target)
        kaggle = kaggle_with()
        assert images(kaggle) == []
        assert kaggle.calls == []

    def test_half_folders_and_half_zips_are_no_form(self, images, small, save, source, target, tmp_path):
        save["official zips"](small, target)
        (target / "FER2013Train.zip").unlink()
        (target / "FER2013Train").mkdir()
        content = (source / GOAL).read_bytes()
        assert images(kaggle_with(fer2013__tar__gz=packed(source, (GOAL, content)))) == [target / GOAL]

    def test_a_broken_csv_is_replaced(self, images, source, target):
        target.mkdir()
        content = (source / GOAL).read_bytes()
        (target / GOAL).write_bytes(content[: len(content) // 2])
        images(kaggle_with(fer2013__tar__gz=packed(source, (GOAL, content))))
        assert (target / GOAL).read_bytes() == content

    @pytest.mark.parametrize("damage", ["short", "cut", "not packed", "no csv"])
    def test_a_damaged_download_leaves_nothing(self, images, source, target, damage):
        content = (source / GOAL).read_bytes()
        short = content[: content.rindex(b"\n", 0, -1) + 1]
        path = packed(source, (GOAL, short if damage == "short" else content))
        if damage in ("cut", "not packed"):
            path.write_bytes({"cut": path.read_bytes()[:5000], "not packed": b"\xff\xfe\x00"}[damage])
        elif damage == "no csv":
            packed(source, ("train.csv", content))
        with pytest.raises(FerlibError, match=r"fer2013\.tar\.gz"):
            images(kaggle_with(fer2013__tar__gz=path))
        assert list(target.iterdir()) == []


class TestKaggleErrors:
    @pytest.mark.parametrize(
        ("raised", "sentence"),
        [
            (error("UnauthenticatedError", text="User is not authenticated"), "Kaggle does not know who you are"),
            (error("KaggleApiHTTPError", 401), "Kaggle does not know who you are"),
            (error("KaggleApiHTTPError", 403), "the competition's rules are not accepted"),
            (error("ConnectionError", text="no route\nto host"), r"could not be downloaded from Kaggle \(no route\)"),
            (error("KaggleApiHTTPError", 404), r"could not be downloaded from Kaggle \(404 Client Error.\)"),
        ],
    )
    def test_what_to_do_follows_in_steps(self, source, target, raised, sentence):
        kaggle = kaggle_with(fer2013__tar__gz=raised)
        with pytest.raises(FerlibError, match=sentence) as caught:
            fetch(target, labels=False, progress=False, kaggle=kaggle)
        text = str(caught.value)
        assert re.findall(r"^  (\d)\. ", text, flags=re.MULTILINE) == ["1", "2", "3", "4"]
        assert f"https://www.kaggle.com/competitions/{COMPETITION}/rules" in text
        assert "fer2013.tar.gz" in text
        assert str(target) in text
        assert caught.value.__cause__ is raised or raised.response.status_code == 404

    def test_the_labels_are_there_when_the_images_fail(self, source, server, target):
        with pytest.raises(FerlibError, match="Kaggle"):
            fetch(target, progress=False, kaggle=kaggle_with(), repository=server.url)
        assert {path.name for path in target.iterdir()} == set(LABEL_DOWNLOADS)

    def test_kagglehub_is_missing(self, source, target, monkeypatch):
        def missing(name):
            raise ModuleNotFoundError(f"No module named {name!r}")

        monkeypatch.setattr(fetch_module.importlib, "import_module", missing)
        with pytest.raises(FerlibError, match="pip install kagglehub") as caught:
            fetch(target, labels=False, progress=False)
        assert "\n" not in str(caught.value)

    def test_kagglehub_is_imported_only_when_it_is_needed(self, labels, monkeypatch):
        monkeypatch.setattr(fetch_module.importlib, "import_module", lambda name: pytest.fail(f"imported {name}"))
        labels()


def test_what_was_fetched_can_be_read(small, source, server, target):
    archive = packed(source, (GOAL, (source / GOAL).read_bytes()))
    kaggle = kaggle_with(fer2013__tar__gz=archive)
    assert len(fetch(target, progress=False, kaggle=kaggle, repository=server.url)) == 6
    assert detect_form(target) == "kaggle csv"
    assert load_all(target).content_hash == small.content_hash
    assert fetch(target, progress=False, kaggle=kaggle, repository=server.url) == []


class TestDisk:
    @pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
    def test_a_disk_that_refuses_is_not_the_network(self, labels, monkeypatch, number):
        def refuse(*arguments, **options):
            raise OSError(number, os.strerror(number), "x.part")

        monkeypatch.setattr(fetch_module, "download", refuse)
        with pytest.raises(FerlibError, match=r"cannot be written .*check your rights and the free space") as caught:
            labels()
        assert "connection" not in str(caught.value)

    def test_a_full_disk_does_not_ask_to_delete_the_archive(self, source, target, monkeypatch):
        target.mkdir()
        packed(target, (GOAL, (source / GOAL).read_bytes()))

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(fetch_module.shutil, "copyfileobj", full)
        with pytest.raises(FerlibError, match=r"fer2013.csv cannot be written .No space left on device"):
            fetch(target, labels=False, progress=False)

    def test_an_archive_that_is_damaged_inside_is_named(self, source, target, monkeypatch):
        target.mkdir()
        packed(target, (GOAL, (source / GOAL).read_bytes()))

        def damaged(*_):
            raise zlib.error("invalid distance")

        monkeypatch.setattr(fetch_module.shutil, "copyfileobj", damaged)
        with pytest.raises(FerlibError, match=r"fer2013.tar.gz could not be unpacked .invalid distance.; delete it"):
            fetch(target, labels=False, progress=False)
        assert not (target / GOAL).exists()
