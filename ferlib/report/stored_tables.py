"""Tables of the networks' parts for notebook 03: as stored in ``data/published/model_tables.json``, or computed again.

Computing takes torch, and the weights for the layer scales; reading takes neither.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ferlib import paths
from ferlib.errors import FerlibError
from ferlib.files import write_json
from ferlib.training.recipes import recipe
from ferlib.training.run_files import best_state

STEMS = ("", "conv", "half", "lite", "face")
"""Stems that the table of stems compares; "" is the network's own."""

_FILE = "model_tables.json"
_RECIPE = "convnext_alone"  # its stems and rates are stored
_SCALED = ("convnext_alone", "convnext_taught", "convnext")  # their layer scales are stored


def stem_table(name: str, *, again: bool = False) -> pd.DataFrame:
    """Compare `STEMS` in the network of a recipe: maps, blocks, parameters and multiply-adds, in millions.

    Args:
        name: name of the recipe.
        again: whether to compute the table; else the stored one is read.

    Raises:
        FerlibError: no table of this recipe is stored, or there is no such recipe.
    """
    if not again:
        return pd.DataFrame(_read("stems", name)).T.rename_axis("stem")
    from ferlib.report import model_tables

    config = recipe(name)
    return model_tables.stem_table(config.model, STEMS, config.preprocessing.size)


def rate_table(name: str, *, again: bool = False) -> pd.DataFrame:
    """List the layers of a recipe's network that share a learning rate; see `model_tables.rate_table`.

    Args:
        name: name of the recipe.
        again: whether to compute the table; else the stored one is read.

    Raises:
        FerlibError: no table of this recipe is stored, or there is no such recipe.
    """
    if not again:
        return pd.DataFrame(_read("rates", name)).set_index("first layer")
    from ferlib.report import model_tables

    return model_tables.rate_table(recipe(name))


def scale_table(names: Sequence[str], runs: Path | None = None) -> pd.DataFrame:
    """Show the mean layer scale of each stage of trained networks, one column a network.

    Args:
        names: names of published models, or of runs, which are recipes.
        runs: folder of the runs; None for the published models, whose scales are stored.

    Raises:
        FerlibError: no scales of a model are stored, or a run is missing.
    """
    if runs is None:
        return pd.DataFrame({name: _read("layer_scales", name) for name in names})
    from ferlib.models.networks import build_model
    from ferlib.report import model_tables

    scales = {}
    for name in names:
        network = build_model(**recipe(name).model_arguments())
        network.load_state_dict(best_state(runs / name))
        scales[name] = model_tables.layer_scales(network)
    return pd.DataFrame(scales)


def record_tables(weights: Path) -> Path:
    """Compute all tables and store them in ``data/published``; nothing calls it but a person who changed a recipe.

    Args:
        weights: folder with the checkpoints whose layer scales are shown.

    Returns:
        The file.

    Raises:
        FerlibError: a checkpoint is missing or damaged.
    """
    from ferlib.models import checkpoints
    from ferlib.report import model_tables

    networks = {name: checkpoints.load(name, weights).model for name in _SCALED}
    tables = {
        "stems": {_RECIPE: stem_table(_RECIPE, again=True).T.to_dict()},
        "rates": {_RECIPE: rate_table(_RECIPE, again=True).reset_index().to_dict("records")},
        "layer_scales": {name: model_tables.layer_scales(network).to_dict() for name, network in networks.items()},
    }
    return write_json(paths.PUBLISHED / _FILE, tables)


def _read(kind: str, name: str) -> dict:
    path = paths.PUBLISHED / _FILE
    tables = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if name not in tables.get(kind, {}):
        raise FerlibError(
            f"{paths.relative(path)} holds no {kind.replace('_', ' ')} of {name!r}; RETRAIN = True computes them."
        )
    return tables[kind][name]
