"""Notebooks of a few cells, and the settings of their profiles, for tests."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

DEFAULTS = 'EPOCHS = 20  # passes\nDATA = "real"\nRESULTS_DIR = "data/published"'


def add(project: Path, stem: str, *sources: str, parameters: str = DEFAULTS) -> Path:
    cells = [new_markdown_cell("# Title", id="title")]
    cells.append(new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}))
    cells += [new_code_cell(source, id=f"step-{number}") for number, source in enumerate(sources, 1)]
    path = project / "notebooks" / f"{stem}.ipynb"
    kernel = {"display_name": "Python 3", "name": "python3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def settings(project: Path, text: str, profile: str = "smoke") -> None:
    (project / "notebooks" / "params" / f"{profile}.yaml").write_text(text)
