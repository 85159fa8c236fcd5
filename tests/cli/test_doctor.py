import json
import shutil
import sys

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
    return [finding.state for finding in findings if finding.name == name]


def test_a_healthy_set_up(at_home, capsys):
    status, out = run(capsys)
    assert status == 0, out
    assert out.rstrip().endswith("All that is needed is here.")
    for name in ("versions", "packages", "torch", "weights", "face detector", "data set", "camera", "folders"):
        assert name in out
    assert "official zips" in out


def test_json(at_home, capsys):
    status, out = run(capsys, "--json")
    report = json.loads(out)
    assert (status, report["healthy"]) == (0, True)
    assert set(report["findings"][0]) == {"name", "state", "found", "advice"}
    assert {finding["state"] for finding in report["findings"]} <= set(doctor.STATES)


@pytest.fixture
def weights_folder(at_home, tmp_path):
    """An empty folder in the place of those that hold models."""
    at_home.setattr(paths, "WEIGHTS", tmp_path)
    at_home.setattr(paths, "CHECKPOINTS", tmp_path)
    return tmp_path


def test_broken_no_weights(weights_folder, capsys):
    status, out = run(capsys)
    assert status == 1
    assert "!!  weights" in out
    assert "git checkout ferlib/weights" in out
    assert "2 problems, marked !!." in out  # the detector's nets are gone, too


def test_broken_damaged_weights(weights_folder):
    (weights_folder / "convnext.safetensors").write_bytes(b"half of it")
    shutil.copy(paths.PACKAGE / "weights" / "convnext.json", weights_folder)
    (finding,) = doctor.check_weights()
    assert finding.state == "problem"
    assert "damaged or cut short" in finding.found


def test_advice_outside_a_checkout_is_about_the_package(weights_folder, at_home):
    at_home.setattr(paths, "IN_CHECKOUT", False)
    at_home.setattr(doctor, "_requirements", lambda: [Requirement('no-such-package; extra == "fetch"')])
    assert doctor.check_weights()[0].advice == "install it again: pip install --force-reinstall ferlib"
    assert "pip install 'ferlib[fetch]'" in [finding.advice for finding in doctor.check_extras()]


def test_without_torch_there_is_a_note(at_home):
    at_home.setitem(sys.modules, "torch", None)
    (finding,) = doctor.check_torch()
    assert finding.state == "note"
    assert "[train]" in finding.advice


def test_broken_data_folder(at_home, tmp_path):
    at_home.setenv("FERLIB_DATA", str(tmp_path / "nowhere"))
    assert states(doctor.check_data_set(), "data set") == ["problem"]
    (tmp_path / "nowhere").mkdir()
    assert states(doctor.check_data_set(), "data set") == ["problem"]
    assert doctor.check_data_set()[0].advice.startswith("'ferlib data fetch'")


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
    complaints = {
        "kaggle csv": "needs fer2013new.csv beside it", "junk csv": "fer2013.csv lacks the column pixels",
        "official folders": "FER2013Train has no label.csv", "official zips": "FER2013Train.zip is no zip file",
    }  # fmt: skip
    (finding,) = doctor.check_data_set()
    assert finding.state == "problem"
    assert finding.found.endswith(complaints[form])


def test_the_drawn_sample_is_no_problem(at_home):
    at_home.setenv("FERLIB_DATA", str(paths.SAMPLE))
    assert states(doctor.check_data_set(), "data set") == ["ok"]


def test_no_data_at_all_is_no_problem(at_home, tmp_path):
    at_home.delenv("FERLIB_DATA")
    at_home.setattr(paths, "RAW", tmp_path)
    assert states(doctor.check_data_set(), "data set") == ["note"]


@pytest.mark.parametrize(
    ("requirement", "complaint"),
    [("no-such-package>=1", "no-such-package is not installed"), ("numpy>=999", "not >=999")],
)
def test_broken_packages(at_home, requirement, complaint):
    at_home.setattr(doctor, "_requirements", lambda: [Requirement(requirement), Requirement("numpy>=1")])
    (finding,) = doctor.check_packages()
    assert finding.state == "problem"
    assert complaint in finding.found
    assert "make setup" in finding.advice


def test_a_missing_extra_is_a_note_with_its_command(at_home):
    at_home.setattr(doctor, "_requirements", lambda: [Requirement('no-such-package; extra == "fetch"')])
    findings = {finding.name: finding for finding in doctor.check_extras()}
    assert findings["extra fetch"].state == "note"
    assert findings["extra fetch"].advice == 'pip install -e ".[fetch]"'


def test_broken_detector(weights_folder):
    (finding,) = doctor.check_detector()
    assert finding.state == "problem"
    assert "pnet" in finding.found


def test_broken_pair_of_torch_and_torchvision(at_home):
    import torchvision

    def fails(*_):
        raise RuntimeError("operator torchvision::nms does not exist")

    at_home.setattr(torchvision.ops, "nms", fails)
    assert states(doctor.check_torch(), "torch") == ["problem"]


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
    assert states(doctor.check_camera(), "camera") == [state]
    assert capture.released


def test_a_check_that_fails_is_told_and_the_others_go_on(at_home):
    def check_weights():
        raise ImportError("libgomp is broken")

    at_home.setattr(doctor, "check_weights", check_weights)
    findings = doctor.examine()
    assert not doctor.is_healthy(findings)
    assert "libgomp is broken" in next(finding.found for finding in findings if finding.name == "weights")
    assert states(findings, "folders")


def test_a_folder_that_cannot_be_written(at_home, tmp_path):
    at_home.setattr(paths, "RUNS", tmp_path / "runs")
    at_home.setattr(doctor.os, "access", lambda path, mode: False)
    assert states(doctor.check_folders(), "folders") == ["problem"]


def test_the_default_model_is_among_the_healthy_ones(at_home):
    assert any(checkpoints.DEFAULT_MODEL in finding.found for finding in doctor.check_weights())


def test_every_extra_has_a_purpose():
    import tomllib

    extras = tomllib.loads((paths.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) <= set(doctor.PURPOSES)
