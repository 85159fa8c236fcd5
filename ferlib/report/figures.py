"""Figures of the evaluation, ``figures/04_*.png``, from the stored studies; no data set is needed.

``05_latency.png`` is drawn from the measurements that `ferlib bench live` stored. Figures of one model show the shipped
default; those that compare show every studied model.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ferlib.errors import FerlibError
from ferlib.plots import style
from ferlib.report import comparison_figures as comparing
from ferlib.report import model_figures as single
from ferlib.report.comparison_figures import frame_time_figure
from ferlib.report.studies import StudiedModel, load_studies, shown_model

EVALUATION_FIGURES: dict[str, Callable[[StudiedModel, Sequence[StudiedModel]], Figure | None]] = {
    "model_comparison": comparing.accuracy_figure, "differences": comparing.difference_figure,
    "confusion": single.confusion_figure, "class_scores": single.class_score_figure,
    "confused_pairs": single.confused_pair_figure, "recall_against_examples": single.recall_figure,
    "roc_and_pr": single.roc_figure, "training_curves": comparing.training_figure,
    "accuracy_against_cost": comparing.cost_figure, "protocols": single.protocol_figure,
    "leaks": comparing.leak_figure, "agreement": single.agreement_figure, "reliability": single.reliability_figure,
    "risk_coverage": comparing.risk_figure, "label_noise": single.label_noise_figure,
    "robustness": comparing.robustness_figure, "live_path": comparing.live_path_figure,
    "attribution": single.attribution_figure, "attribution_examples": single.attribution_example_figure,
}  # fmt: skip
"""Name (``figures/04_NAME.png``) -> function of the shown model and all models; None leaves the figure out."""

LIVE_FIGURES: dict[str, Callable[[StudiedModel, Sequence[StudiedModel]], Figure | None]] = {
    "latency": lambda model, _: frame_time_figure(model.folder.parent),
}
"""The same for ``figures/05_NAME.png``, the live demo's."""


def write_figures(
    folder: Path, results: Path | None = None, name: str | None = None, only: Sequence[str] | None = None,
    suffix: str = "png",
) -> list[Path]:  # fmt: skip
    """Write figures into a folder, equal numbers giving equal bytes.

    Args:
        folder: folder of the files.
        results: folder of the studies; None: ``data/published``.
        name: the model that figures of one model show; None: the shipped default.
        only: names of figures; None: all.
        suffix: ``"png"`` or ``"pdf"``.

    Returns:
        The files.

    Raises:
        FerlibError: a name is not known, or there is no study.
    """
    files = []
    for stem, figure in build_figures(load_studies(results), name, only):
        files.append(style.save_figure(figure, folder / f"{stem}.{suffix}"))
        plt.close(figure)
    return files


def build_figures(
    models: Sequence[StudiedModel], name: str | None = None, only: Sequence[str] | None = None
) -> Iterator[tuple[str, Figure]]:
    """Draw figures one after another; one for which a model lacks what it needs is left out.

    Args:
        models: the studied models.
        name: the model that figures of one model show; None: the shipped default.
        only: names of figures; None: all.

    Yields:
        (file name without suffix, figure).

    Raises:
        FerlibError: a name is not known.
    """
    names = (*EVALUATION_FIGURES, *LIVE_FIGURES) if only is None else only
    for key in names:
        _maker(key)
    for key in names:
        figure = draw_figure(models, key, name)
        if figure is not None:
            yield f"{'05' if key in LIVE_FIGURES else '04'}_{key}", figure


def draw_figure(models: Sequence[StudiedModel], key: str, name: str | None = None) -> Figure | None:
    """Draw a figure in the style of the project; None when a model lacks what it needs.

    Args:
        models: the studied models.
        key: name of the figure, of `EVALUATION_FIGURES` or `LIVE_FIGURES`.
        name: the model that figures of one model show; None: the shipped default.

    Raises:
        FerlibError: the name is not known.
    """
    make = _maker(key)
    style.use_style()
    return make(shown_model(models, name), models)


def _maker(key: str) -> Callable[[StudiedModel, Sequence[StudiedModel]], Figure | None]:
    makers = EVALUATION_FIGURES | LIVE_FIGURES
    if key not in makers:
        raise FerlibError(f"there is no figure {key!r}; choose from {', '.join(makers)}.")
    return makers[key]
