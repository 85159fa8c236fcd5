"""The mean of several networks."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.models import checkpoints
from ferlib.publishing import publish, rescore
from ferlib.report import readme_tables
from ferlib.report.result_tables import settings_table
from ferlib.report.results import published_results
from ferlib.training import runs
from ferlib.training.config import TrainConfig
from ferlib.training.soup import average_weights


@pytest.fixture
def members(project, tiny):
    """Two published networks of the same kind, from two seeds."""
    for seed, name in enumerate(("one", "two")):
        runs.train(replace(tiny, epochs=1, seed=seed), name, progress=False)
        publish.publish(name)
    return [checkpoints.load(name) for name in ("one", "two")]


@pytest.mark.slow
def test_the_average_is_that_of_weights_and_statistics(members):
    first, second = (member.model.state_dict() for member in members)
    for name, value in average_weights(members).items():
        expected = (first[name] + second[name]) / 2 if value.is_floating_point() else first[name]
        torch.testing.assert_close(value, expected)


@pytest.mark.slow
def test_a_soup_is_a_run_that_can_be_published(members, tiny):
    config = replace(tiny, soup=("one", "two"), epochs=1)
    best = runs.train(config, "soup", progress=False)
    about = json.loads((paths.RUNS / "soup" / "run.json").read_text())
    assert about["valid_accuracy"] == best["valid_accuracy"]
    assert TrainConfig.from_dict(about["config"]) == config
    metrics = publish.publish("soup")
    assert abs(metrics["valid"]["all"]["accuracy"] - best["valid_accuracy"]) < 0.02  # half precision
    again = rescore.evaluate_model("soup", "valid", recompute=True)
    assert again["max_difference"] == 0

    table = settings_table(published_results(["soup"]))
    assert table.loc["soup", "starts from"] == "the mean of one, two"
    assert table.loc["soup", "epochs"] == table.loc["soup", "optimiser"] == "none"
    assert "| the mean of one and two |" in readme_tables.results_markdown([metrics])


@pytest.mark.slow
def test_a_soup_that_is_there_stays_when_a_member_changes(members, tiny):
    config = replace(tiny, soup=("one", "two"), epochs=1)
    first = runs.train(config, "soup", progress=False)
    shutil.rmtree(paths.RUNS / "one")
    runs.train(replace(tiny, epochs=1, seed=7), "one", progress=False)
    publish.publish("one", replace=True)
    again = runs.train(config, "soup", progress=False)
    assert all(torch.equal(again["state"][name], value) for name, value in first["state"].items())
    assert again["commits"] == first["commits"]
    assert again["history"][0]["seconds"] == first["history"][0]["seconds"]  # of the first averaging


@pytest.mark.slow
def test_a_soup_never_overwrites_another_run(members, tiny):
    with pytest.raises(FerlibError, match="holds a run with other settings"):
        runs.train(replace(tiny, soup=("one", "two"), epochs=1), "one", progress=False)
    assert runs.read_run("one")


@pytest.mark.slow
def test_a_soup_needs_one_network(members, tiny):
    runs.train(replace(tiny, epochs=1, width=2 * tiny.width), "wide", progress=False)
    publish.publish("wide")
    with pytest.raises(FerlibError, match="'wide' is another network than 'one'"):
        runs.train(replace(tiny, soup=("one", "wide"), epochs=1), "soup", progress=False)
    with pytest.raises(FerlibError, match="of another network than"):
        runs.train(replace(tiny, soup=("one", "two"), epochs=1, width=2 * tiny.width), "soup", progress=False)
    with pytest.raises(FerlibError, match="'three' is no checkpoint and no finished run"):
        runs.train(replace(tiny, soup=("one", "three"), epochs=1), "soup", progress=False)


@pytest.mark.parametrize(
    "changes",
    [{"soup": ("one",)}, {"soup": ("one", "two"), "start": "one"}, {"soup": ("one", "two"), "teachers": ("one",)}],
)
def test_impossible_soups_are_refused(changes):
    with pytest.raises(FerlibError, match="soup"):
        TrainConfig(**changes)
