"""What all tests share: no network, no window, few threads, and the real data set only when it is named."""

import os
import shutil
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; small tensors gain nothing from more

import matplotlib
import pytest
from network_guard import guarded, looked_up, peer

from ferlib import paths

EMOTIONS_FILE = os.environ.get("FERLIB_EMOTIONS")

matplotlib.use("Agg")  # not MPLBACKEND: kernels that a test starts would inherit it


def pytest_configure(config: pytest.Config) -> None:
    """Guard the sockets before any test module is imported."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), peer))
    patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, looked_up))
    config.add_cleanup(patch.undo)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the real data set say by name why they did not run."""
    for item in items:
        if item.get_closest_marker("realdata"):
            if not os.environ.get("FERLIB_DATA"):
                item.add_marker(pytest.mark.skip(reason="FERLIB_DATA is unset"))
            elif not EMOTIONS_FILE and "real_emotions" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason="FERLIB_EMOTIONS is unset"))


@pytest.fixture(scope="session", autouse=True)
def _no_emotions() -> Iterator[None]:
    """Keep FER2013's labels from drawn faces, whose images have the same names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FERLIB_EMOTIONS", raising=False)
        yield


@pytest.fixture(scope="session")
def real_root() -> Path:
    """Folder of FER2013+; for tests marked `realdata`."""
    return paths.data_root()


@pytest.fixture(scope="session")
def real_emotions() -> Path:
    """FER2013's own labels as the csv file that FERLIB_EMOTIONS names; for tests marked `realdata`."""
    assert EMOTIONS_FILE is not None  # tests that ask for it are skipped without
    return Path(EMOTIONS_FILE)


@pytest.fixture(scope="session")
def small():
    """A drawn data set of 40, 16 and 16 faces."""
    from ferlib.data.drawn.dataset import make_dataset

    return make_dataset(train=40, valid=16, test=16, seed=5)


@pytest.fixture(scope="session")
def drawn():
    """A drawn data set of 160, 60 and 40 faces."""
    from ferlib.data.drawn.dataset import make_dataset

    return make_dataset(train=160, valid=60, test=40, seed=3)


@cache
def manifest_of(data):
    """The manifest of data, built once."""
    from ferlib.data import cleaning

    return cleaning.build_manifest(data)


@pytest.fixture(scope="module")
def drawn_manifest(drawn):
    """The manifest of `drawn`, which a module may replace."""
    return manifest_of(drawn)


@pytest.fixture
def tiny():
    """Settings that train in a second."""
    from ferlib.training.config import TrainConfig

    return TrainConfig(width=0.125, dropout=0.1, epochs=3, batch_size=32, sizes=((0.0, 24), (0.5, 32)), peak_lr=0.05)


@pytest.fixture
def tiny_set(drawn, drawn_manifest, tiny):
    """`drawn` as training takes it."""
    from ferlib.training.batches import prepare

    return prepare(drawn.where(drawn.split != "test"), tiny, drawn_manifest)


@pytest.fixture(scope="module")
def official_folder(tmp_path_factory, drawn):
    """Folder of `drawn` in the official form, written once; `project` copies it."""
    from ferlib.data.drawn import dataset

    folder = tmp_path_factory.mktemp("official") / "data"
    dataset.save_official(drawn, folder)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch, official_folder, drawn, drawn_manifest):
    """Every folder of the project moved to tmp_path, with drawn faces as its data, whose copies are known already."""
    from ferlib.data import cleaning

    for name in ("PROCESSED", "RUNS", "CHECKPOINTS", "PUBLISHED"):
        monkeypatch.setattr(paths, name, tmp_path / name.lower())
    shutil.copytree(official_folder, tmp_path / "data")
    paths.PROCESSED.mkdir()
    drawn_manifest.to_csv(cleaning.cached_path(drawn), index=False)
    monkeypatch.setenv("FERLIB_DATA", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def tiny_checkpoint(tmp_path, monkeypatch, tiny):
    """A checkpoint of random weights named "tiny" in a folder of its own, which is made the default one."""
    import torch

    from ferlib.models import checkpoints
    from ferlib.models.networks import build_model

    torch.manual_seed(0)
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(paths, "PROCESSED", tmp_path / "processed")
    arguments = {"name": "custom_cnn", "channels": 1, "width": 0.125, "dropout": 0.0}
    model = build_model(**arguments)
    about = {"model": arguments, "preprocessing": tiny.preprocessing.to_dict(), "config": {"seed": 0}}
    checkpoints.save("tiny", model.state_dict(), about)
    return tmp_path / "checkpoints" / "tiny.safetensors"


@pytest.fixture(scope="session")
def detector():
    """One detector for all tests: loading it takes longer than using it."""
    from ferlib.faces.detector import FaceDetector

    return FaceDetector()


@pytest.fixture(scope="session")
def photo():
    """The upper middle of the sample photo, (240, 220, 3), with the one face in it."""
    from ferlib.faces.pictures import sample_picture

    picture = sample_picture()[:240, 110:330].copy()
    picture.setflags(write=False)
    return picture


@pytest.fixture
def pipeline(detector):
    """The real detector with a classifier that needs no weights."""
    from fakes import FakeClassifier

    from ferlib.pipeline import EmotionPipeline

    return EmotionPipeline(detector, FakeClassifier())


@pytest.fixture(scope="session")
def make():
    """Builders of faces and detections that no picture is needed for."""
    import fakes

    class Make:
        face = staticmethod(fakes.make_face)
        detection = staticmethod(fakes.make_detection)
        classifier = fakes.FakeClassifier

    return Make
