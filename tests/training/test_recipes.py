import json

import pytest

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.models.networks import build_model
from ferlib.training.config import TrainConfig
from ferlib.training.recipes import RECIPES, recipe


def test_recipes_have_names_and_take_changes():
    assert recipe("custom_cnn", seed=3).seed == 3
    with pytest.raises(FerlibError, match="no recipe 'x'; choose one of custom_cnn"):
        recipe("x")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_network_and_ends_at_its_own_size(name):
    config = RECIPES[name]
    build_model(**config.model_arguments())
    assert config.size_at(config.epochs - 1) == config.preprocessing.size


@pytest.mark.parametrize("path", sorted(paths.PUBLISHED.glob("*/metrics.json")), ids=lambda path: path.parent.name)
def test_a_published_run_is_that_of_its_recipe(path):
    """So that `ferlib train NAME` repeats it; further seeds may have fewer epochs."""
    config = TrainConfig.from_dict(json.loads(path.read_text())["config"])
    name, _, seed = path.parent.name.partition("-seed")
    changes = {"seed": int(seed), "epochs": config.epochs} if seed else {}
    assert recipe(name, **changes) == config
