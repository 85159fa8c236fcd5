"""Folders that a notebook reads and writes."""

from pathlib import Path

from ferlib.errors import FerlibError
from ferlib.paths import FIGURES, PUBLISHED, ROOT, relative


def notebook_folders(results: str, *, again: bool) -> tuple[Path, Path]:
    """Folders of a notebook's results and of its figures, from its `RESULTS_DIR`, which is relative to the project.

    Figures of published results belong to `FIGURES`, others into the results' own folder.

    Raises:
        FerlibError: work that is done `again` would replace the published results.
    """
    folder = (ROOT / results).resolve()
    published = folder == PUBLISHED.resolve()
    if again and (published or PUBLISHED.resolve() in folder.parents):
        raise FerlibError(
            f"RETRAIN = True would replace the published results in {relative(PUBLISHED)}; set RESULTS_DIR to a folder "
            "of your own, such as data/runs/mine."
        )
    return folder, FIGURES if published else folder / "figures"
