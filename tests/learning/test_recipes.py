import pytest

from ferlib.errors import FerlibError
from ferlib.learning.models import build_model
from ferlib.learning.recipes import RECIPES, recipe


def test_recipes_have_names_and_take_changes():
    assert recipe("custom_cnn", seed=3).seed == 3
    with pytest.raises(FerlibError, match="no recipe 'x'; choose one of custom_cnn"):
        recipe("x")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_network_and_ends_at_its_own_size(name):
    config = RECIPES[name]
    build_model(**config.model_arguments())
    assert config.size_at(config.epochs - 1) == config.preprocessing.size
