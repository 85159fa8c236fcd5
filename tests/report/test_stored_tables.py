from dataclasses import replace

import pandas as pd
import pytest
import torch

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.models import checkpoints
from ferlib.models.networks import build_model
from ferlib.report import stored_tables
from ferlib.report.model_tables import layer_scales
from ferlib.training import recipes
from ferlib.training.run_files import CHECKPOINT

CONVNEXTS = ["convnext_alone", "convnext_taught", "convnext"]


@pytest.mark.slow
@pytest.mark.parametrize("table", [stored_tables.stem_table, stored_tables.rate_table])
def test_a_stored_table_is_what_comes_out_again(table):
    pd.testing.assert_frame_equal(table("convnext_alone"), table("convnext_alone", again=True))


def test_the_stored_scales_are_those_of_the_shipped_weights():
    stored = stored_tables.scale_table(CONVNEXTS)
    assert list(stored.columns) == CONVNEXTS
    pd.testing.assert_series_equal(stored["convnext"], layer_scales(checkpoints.load().model), check_names=False)


def test_a_table_that_is_not_stored_is_an_error_that_says_how_to_get_it():
    with pytest.raises(FerlibError, match="holds no layer scales of 'custom_cnn'; RETRAIN = True computes them"):
        stored_tables.scale_table(["custom_cnn"])


def test_scales_of_runs_come_from_their_folders(tmp_path):
    config = replace(recipes.recipe("convnext_alone"), layer_scale=0.25)
    network = build_model(**config.model_arguments())
    (tmp_path / "convnext_alone").mkdir()
    torch.save({"best": {"state": network.state_dict()}}, tmp_path / "convnext_alone" / CHECKPOINT)
    assert stored_tables.scale_table(["convnext_alone"], tmp_path)["convnext_alone"].tolist() == [0.25] * 3
    with pytest.raises(FerlibError, match=r"there is no run in .*convnext; train it first"):
        stored_tables.scale_table(["convnext"], tmp_path)


@pytest.mark.slow
def test_recording_writes_what_is_stored(tmp_path, monkeypatch):
    stored = (paths.PUBLISHED / "model_tables.json").read_bytes()
    monkeypatch.setattr(paths, "PUBLISHED", tmp_path / "published")
    monkeypatch.setattr(stored_tables, "_SCALED", ("custom_cnn",))
    path = stored_tables.record_tables(paths.CHECKPOINTS)
    assert stored_tables.scale_table(["custom_cnn"]).empty
    assert path.read_bytes()[:1000] == stored[:1000]
