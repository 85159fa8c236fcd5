"""Notebooks and the parameters that each gets in a profile.

Three profiles: *published* has no parameters (the defaults read ``data/published``), *smoke* and *full* take theirs
from ``notebooks/params/<profile>.yaml``. Such a file has one section ``common`` and one for each notebook's stem::

    common: {DATA: drawn, RESULTS_DIR: data/runs/smoke}
    02_baselines: {EPOCHS: 1}

A notebook gets those common parameters that it has, then its own section. Every name is checked before anything runs.
"""

from pathlib import Path
from typing import Any

import papermill
import yaml

from ferlib import paths
from ferlib.errors import FerlibError

PROFILES = ("published", "smoke", "full")
WRITTEN_TO = ("RESULTS_DIR", "FIGURES_DIR")  # parameters that name folders, relative to the project's root


def discover_notebooks() -> list[Path]:
    """Notebooks, ``notebooks/NN_name.ipynb``, in their order.

    Raises:
        FerlibError: there are none.
    """
    notebooks = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise FerlibError(f"{paths.relative(paths.NOTEBOOKS)} holds no NN_name.ipynb; check out the whole repository.")
    return notebooks


def profile_parameters(profile: str) -> dict[str, dict[str, Any]]:
    """Parameters that each notebook gets in a profile.

    Args:
        profile: one of `PROFILES`.

    Returns:
        Stem of the notebook -> name -> value.

    Raises:
        FerlibError: the YAML names a notebook or a parameter that does not exist (papermill itself would only warn, and
            a mistyped name would run the published settings), or a notebook that is run with other settings would
            write its results anywhere but under ``data/runs``.
    """
    known = {path.stem: _declared(path) for path in discover_notebooks()}
    if profile == "published":
        return {stem: {} for stem in known}
    source = paths.NOTEBOOKS / "params" / f"{profile}.yaml"
    sections = _read_sections(source, profile)
    common = sections.pop("common", {})
    for stem, section in sections.items():
        if stem not in known:
            raise FerlibError(f"{paths.relative(source)} has a section {stem!r}, but there is no such notebook.")
        _refuse_unknown(source, f"section {stem!r}", set(section) - known[stem], known[stem])
    everywhere = set().union(*known.values())
    _refuse_unknown(source, "section 'common'", set(common) - everywhere, everywhere)
    merged = {
        stem: {name: value for name, value in common.items() if name in names} | sections.get(stem, {})
        for stem, names in known.items()
    }
    for stem, names in known.items():
        _check_folders(source, stem, names, merged[stem])
    return merged


def _declared(path: Path) -> set[str]:
    try:
        return set(papermill.inspect_notebook(path))
    except ValueError as error:  # papermill cannot tell the language
        raise FerlibError(f"{path.name} names no kernel; run 'make refresh', which writes it.") from error


def _read_sections(source: Path, profile: str) -> dict[str, dict[str, Any]]:
    if profile not in PROFILES or not source.is_file():
        raise FerlibError(f"There is no profile {profile!r}; choose from {', '.join(PROFILES)}.")
    try:
        sections = yaml.safe_load(source.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise FerlibError(f"{paths.relative(source)} is not YAML ({str(error).splitlines()[-1].strip()}).") from error
    sections = {key: value or {} for key, value in sections.items()} if isinstance(sections, dict) else None
    if sections is None or not all(isinstance(section, dict) for section in sections.values()):
        raise FerlibError(f"{paths.relative(source)} must hold 'common:' and notebook sections of NAME: value lines.")
    return sections


def _refuse_unknown(source: Path, where: str, unknown: set[str], known: set[str]) -> None:
    if unknown:
        raise FerlibError(
            f"{paths.relative(source)}, {where}: {', '.join(sorted(unknown))} is no parameter of a notebook it is"
            f" meant for; known are {', '.join(sorted(known)) or 'none'}."
        )


def _check_folders(source: Path, stem: str, declared: set[str], values: dict[str, Any]) -> None:
    for name in declared.intersection(WRITTEN_TO):
        folder = (paths.ROOT / str(values.get(name, ""))).resolve()
        if paths.RUNS.resolve() not in folder.parents:
            raise FerlibError(
                f"{paths.relative(source)} must set {name} of {stem} to a folder under data/runs,"
                " because only published runs write elsewhere."
            )
