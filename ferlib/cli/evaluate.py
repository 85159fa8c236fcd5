"""``ferlib evaluate``: a published model's scores on FER2013+, on another data set, and for groups of people."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ferlib.cli.options import JsonOption, ModelOption


def evaluate_command(
    split: Annotated[str | None, typer.Option(metavar="valid|test", help="Split of FER2013+; default: valid.")] = None,
    model: ModelOption = None,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Run the model on FERLIB_DATA instead of reading stored predictions.")
    ] = False,
    as_json: JsonOption = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Another data set instead: a folder for each class, any depth.")
    ] = None,
    numbering: Annotated[
        str | None, typer.Option(metavar="rafdb|affectnet|fer2013", help="With --folder: what numbered folders mean.")
    ] = None,
    detect: Annotated[
        bool, typer.Option("--detect", help="With --folder: find and crop the faces as for the camera.")
    ] = False,
    groups: Annotated[
        Path | None, typer.Option(metavar="CSV", help="A table with the columns id (image name) and that of --by.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --groups: score each value of this column separately.")
    ] = None,
) -> None:
    """Print accuracy with its 95 % interval, macro-F1, number of images and protocol of a published model.

    Examples: `ferlib evaluate --split test`, `ferlib evaluate --folder RAF-DB --numbering rafdb`,
    `ferlib evaluate --groups people.csv --by age`. `--folder` takes another data set; `--groups` adds the scores of
    each group and the gap between them.
    """
    _check_options(split, recompute, folder, numbering, detect, groups, by)
    from ferlib.evaluation import subgroups
    from ferlib.models.checkpoints import DEFAULT_MODEL
    from ferlib.publishing import rescore, store

    if folder is None:
        result = rescore.evaluate_model(model, split or "valid", recompute=recompute)
        stored = store.published_predictions(model or DEFAULT_MODEL, split or "valid")
        ids, labels, probabilities = stored["ids"], stored["labels"], stored["probabilities"]
        text = rescore.render_evaluation(result)
    else:
        from ferlib.evaluation import other_data

        result, tree, probabilities = other_data.evaluate_folder(folder, model, numbering=numbering, detect=detect)
        ids, labels, text = tree.ids, tree.labels, other_data.render_tree(result)
    if groups is not None and by is not None:
        group_of_image = subgroups.read_groups(groups, by, ids)
        result |= {"by": by, **subgroups.group_scores(probabilities, labels, group_of_image)}
        text += "\n" + subgroups.render_groups(result, by)
    typer.echo(json.dumps(result) if as_json else text)


def _check_options(
    split: str | None, recompute: bool, folder: Path | None, numbering: str | None, detect: bool, groups: Path | None,
    by: str | None,
) -> None:  # fmt: skip
    """Raise `typer.BadParameter` for options that do not go together."""
    if split not in (None, "valid", "test"):
        raise typer.BadParameter("choose valid or test", param_hint="--split")
    if folder is None and (numbering is not None or detect):
        raise typer.BadParameter("these go with --folder", param_hint="--numbering and --detect")
    if folder is not None and (split is not None or recompute):
        raise typer.BadParameter("these are about FER2013+, not about --folder", param_hint="--split and --recompute")
    if (groups is None) != (by is None):
        raise typer.BadParameter("give both of them or none", param_hint="--groups and --by")
    if recompute and groups is not None:
        raise typer.BadParameter("groups are scored from the stored predictions", param_hint="--recompute")
