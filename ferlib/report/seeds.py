"""Runs of one recipe that differ in their seed."""

from collections.abc import Sequence


def seed_families(runs: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    """Group the runs of one recipe; only groups of at least two.

    Runs of one recipe share the part of their name before ``-seed``. Where they were trained for different numbers of
    epochs, those that agree in it are a family of their own as well, called ``"NAME, N epochs"``.

    Args:
        runs: (name, number of epochs).

    Returns:
        ``{name of the family: positions in runs}``.
    """
    recipes: dict[str, list[int]] = {}
    for position, (name, _) in enumerate(runs):
        recipes.setdefault(name.split("-seed")[0], []).append(position)
    families = {}
    for recipe, positions in recipes.items():
        families[recipe] = positions
        lengths = sorted({runs[position][1] for position in positions})
        for epochs in lengths if len(lengths) > 1 else ():
            families[f"{recipe}, {epochs} epochs"] = [k for k in positions if runs[k][1] == epochs]
    return {name: positions for name, positions in families.items() if len(positions) > 1}
