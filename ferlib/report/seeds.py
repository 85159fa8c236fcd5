"""Runs of one recipe that differ in their seed."""

from collections.abc import Sequence


def families(runs: Sequence[tuple[str, int]]) -> dict[str, list[int]]:
    """Which runs belong together: ``{name: positions in runs}``, only where there are at least two.

    `runs` are names and numbers of epochs; those of one recipe share the part of their name before ``-seed``. Where
    they were trained for different numbers of epochs, those that agree in it are a family of their own as well, called
    ``"NAME, N epochs"``.
    """
    kinds: dict[str, list[int]] = {}
    for place, (name, _) in enumerate(runs):
        kinds.setdefault(name.split("-seed")[0], []).append(place)
    found = {}
    for kind, places in kinds.items():
        found[kind] = places
        lengths = sorted({runs[place][1] for place in places})
        for epochs in lengths if len(lengths) > 1 else ():
            found[f"{kind}, {epochs} epochs"] = [place for place in places if runs[place][1] == epochs]
    return {name: places for name, places in found.items() if len(places) > 1}
