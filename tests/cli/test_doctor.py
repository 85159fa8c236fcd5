import json
import shutil

import cv2
import pytest
from packaging.requirements import Requirement

from ferlib import paths
from ferlib.cli import doctor, main
from ferlib.models import checkpoints


@pytest.fixture
def at_home(monkeypatch):
    """A set-up in which everything is found, whatever this machine has."""
    monkeypatch.setenv("FERLIB_DATA", str(paths.SAMPLE))
    monkeypatch.setattr(cv2, "VideoCapture", lambda number: Capture(gives=True))  # a real one would light up
    return monkeypatch


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main.app(["doctor", *arguments])
    return stop.value.code or 0, capsys.readouterr().out


def states(findings, name):
    return [one.state for one in findings if one.name == name]


def test_a_healthy_set_up(at_home, capsys):
    status, out = run(capsys)
    assert status == 0, out
    assert out.rstrip().endswith("All that is needed is here.")
    for name in ("versions", "packages", "torch", "weights", "face detector", "data set", "camera", "folders"):
        assert name in out
    assert "official zips" in out


def test_json(at_home, capsys):
    status, out = run(capsys, "--json")
    told = json.loads(out)
    assert (status, told["healthy"]) == (0, True)
    assert set(told["findings"][0]) == {"name", "state", "found", "advice"}
    assert {one["state"] for one in told["findings"]} <= set(doctor.STATES)


def test_broken_no_weights(at_home, tmp_path, capsys):
    at_home.setattr(paths, "CHECKPOINTS", tmp_path)
    status, out = run(capsys)
    assert status == 1
    assert "!!  weights" in out
    assert "git checkout data/checkpoints" in out
    assert "1 problem, marked !!." in out


def test_broken_damaged_weights(at_home, tmp_path):
    for suffix in (".json", ".safetensors"):
        shutil.copy(paths.CHECKPOINTS / f"{checkpoints.DEFAULT_MODEL}{suffix}", tmp_path)
    with open(tmp_path / f"{checkpoints.DEFAULT_MODEL}.safetensors", "r+b") as handle:
        handle.truncate(1000)
    at_home.setattr(paths, "CHECKPOINTS", tmp_path)
    (found,) = doctor.weights()
    assert found.state == "problem"
    assert "damaged or cut short" in found.found


def test_broken_data_folder(at_home, tmp_path):
    at_home.setenv("FERLIB_DATA", str(tmp_path / "nowhere"))
    assert states(doctor.data_set(), "data set") == ["problem"]
    (tmp_path / "nowhere").mkdir()
    assert states(doctor.data_set(), "data set") == ["problem"]
    assert doctor.data_set()[0].advice.startswith("'ferlib data fetch'")


@pytest.mark.parametrize("form", ["kaggle csv", "junk csv", "official folders", "official zips"])
def test_data_that_evidently_cannot_be_read_is_a_problem(at_home, tmp_path, form):
    at_home.setenv("FERLIB_DATA", str(tmp_path))
    names = ("FER2013Train", "FER2013Valid", "FER2013Test")
    if form.endswith("csv"):
        (tmp_path / "fer2013.csv").write_text("junk\n" if form == "junk csv" else "emotion,pixels,Usage\n")
    for name in names if form == "official folders" else ():
        (tmp_path / name).mkdir()
        (tmp_path / "fer2013new.csv").touch()  # by default the folders' own labels are read
    for name in names if form == "official zips" else ():
        (tmp_path / f"{name}.zip").write_bytes(b"no zip")
    wrong = {
        "kaggle csv": "needs fer2013new.csv beside it", "junk csv": "fer2013.csv lacks the column pixels",
        "official folders": "FER2013Train has no label.csv", "official zips": "FER2013Train.zip is no zip file",
    }  # fmt: skip
    (found,) = doctor.data_set()
    assert found.state == "problem"
    assert found.found.endswith(wrong[form])


def test_the_drawn_sample_is_no_problem(at_home):
    at_home.setenv("FERLIB_DATA", str(paths.SAMPLE))
    assert states(doctor.data_set(), "data set") == ["ok"]


def test_no_data_at_all_is_no_problem(at_home, tmp_path):
    at_home.delenv("FERLIB_DATA")
    at_home.setattr(paths, "RAW", tmp_path)
    assert states(doctor.data_set(), "data set") == ["note"]


@pytest.mark.parametrize(
    ("wanted", "told"), [("no-such-package>=1", "no-such-package is not installed"), ("numpy>=999", "not >=999")]
)
def test_broken_packages(at_home, wanted, told):
    at_home.setattr(doctor, "_requirements", lambda: [Requirement(wanted), Requirement("numpy>=1")])
    (found,) = doctor.packages()
    assert found.state == "problem"
    assert told in found.found
    assert "make setup" in found.advice


def test_a_missing_extra_is_a_note_with_its_command(at_home):
    at_home.setattr(doctor, "_requirements", lambda: [Requirement('no-such-package; extra == "fetch"')])
    found = {one.name: one for one in doctor.extras()}
    assert found["extra fetch"].state == "note"
    assert found["extra fetch"].advice == 'pip install -e ".[fetch]"'


def test_broken_detector(at_home, tmp_path):
    import facenet_pytorch

    at_home.setattr(facenet_pytorch, "__file__", str(tmp_path / "__init__.py"))
    (found,) = doctor.detector()
    assert found.state == "problem"
    assert "pnet.pt" in found.found


def test_broken_pair_of_torch_and_torchvision(at_home):
    import torchvision

    def fails(*_):
        raise RuntimeError("operator torchvision::nms does not exist")

    at_home.setattr(torchvision.ops, "nms", fails)
    assert states(doctor.torch_build(), "torch") == ["problem"]


class Capture:
    """A camera that is there, and gives pictures or not."""

    def __init__(self, gives):
        self.gives, self.released = gives, False

    def isOpened(self):  # the name is OpenCV's
        return True

    def read(self):
        return self.gives, None

    def release(self):
        self.released = True


@pytest.mark.parametrize(("gives", "state"), [(True, "ok"), (False, "note")])
def test_a_camera_is_tried_and_let_go(at_home, gives, state):

    capture = Capture(gives)
    at_home.setattr(doctor.sys, "platform", "darwin")
    at_home.setattr(cv2, "VideoCapture", lambda number: capture)
    assert states(doctor.camera(), "camera") == [state]
    assert capture.released


def test_a_check_that_fails_is_told_and_the_others_go_on(at_home):
    def weights():
        raise ImportError("libgomp is broken")

    at_home.setattr(doctor, "weights", weights)
    found = doctor.examine()
    assert not doctor.healthy(found)
    assert "libgomp is broken" in next(one.found for one in found if one.name == "weights")
    assert states(found, "folders")


def test_a_folder_that_cannot_be_written(at_home, tmp_path):
    at_home.setattr(paths, "RUNS", tmp_path / "runs")
    at_home.setattr(doctor.os, "access", lambda path, mode: False)
    assert states(doctor.writable(), "folders") == ["problem"]


def test_the_default_model_is_among_the_healthy_ones(at_home):
    assert any(checkpoints.DEFAULT_MODEL in one.found for one in doctor.weights())


def test_every_extra_has_a_purpose():
    import tomllib

    extras = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(doctor.PURPOSES) == set(extras)
