"""Commands that need data open and hash it once, however many of its parts they use."""

import json
from dataclasses import replace

import pytest

from ferlib import paths
from ferlib.data import data_set, ferplus
from ferlib.files import sha256
from ferlib.inference import int8
from ferlib.publishing import export_check, publish, rescore, study
from ferlib.training import runs


class Openings:
    """Counts how often a folder is opened and which of its files are hashed."""

    def __init__(self, monkeypatch):
        self.folders, self.files = [], []
        self.open_folder = data_set.open_folder
        monkeypatch.setattr(data_set, "open_folder", self._open)
        monkeypatch.setattr(ferplus, "open_folder", self._open)
        monkeypatch.setattr(ferplus, "sha256", self._hash)

    def _open(self, root=None, emotions=None):
        self.folders.append(root)
        return self.open_folder(root, emotions)

    def _hash(self, path):
        self.files.append(path)
        return sha256(path)

    def were_one(self):
        """Whether there was one opening since the last question, and no file was hashed twice."""
        once = len(self.folders) == 1 and len(self.files) == len(set(self.files)) > 0
        self.folders, self.files = [], []
        return once


@pytest.fixture
def openings(project, monkeypatch):
    """Counter of openings, in a project where finding faces is left out."""
    monkeypatch.setattr("ferlib.faces.detector.FaceDetector", lambda: lambda picture: [])
    return Openings(monkeypatch)


@pytest.mark.slow
def test_train_publish_evaluate_study_and_export_open_the_data_once_each(openings, tiny, tmp_path):
    runs.train(replace(tiny, epochs=1), "small", progress=False)
    assert openings.were_one()
    publish.publish("small")
    assert openings.were_one()
    for split in ("valid", "test"):
        rescore.evaluate_model("small", split, recompute=True)
        assert openings.were_one()
    study.run_study("small", risk=0.9, images=4)
    assert openings.were_one()
    study.run_study("small", results=tmp_path / "elsewhere", risk=0.9, images=4)
    assert openings.were_one()
    export_check.check_export("small", int8=True)
    assert openings.were_one()
    assert json.loads((paths.PUBLISHED / "small" / "export.json").read_text())["int8_kept"] in (True, False)
    assert int8.ranges_path("small").parent == paths.CHECKPOINTS


@pytest.mark.slow
def test_without_a_data_set_stored_scores_are_read(openings, tiny):
    runs.train(replace(tiny, epochs=1), "small", progress=False)
    publish.publish("small")
    assert not openings.were_one()  # two by now
    rescore.evaluate_model("small", "valid")
    assert openings.folders == openings.files == []
