"""Commands that make models: training and publishing."""

import json
from typing import Annotated

import typer

from ferlib.cli.options import JsonOption, QuietOption, recipe_names


def train_command(
    recipe: Annotated[
        str, typer.Argument(help="A published recipe, for example custom_cnn.", autocompletion=recipe_names)
    ],
    name: Annotated[
        str | None, typer.Option(help="Name of the run, a folder under data/runs; default: the recipe's name.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of initial weights, order of images and augmentation.")
    ] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs; default: the recipe's.")] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="no|fp16|bf16", help="Mixed precision of the forward pass; default: no.")
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a published recipe on FERLIB_DATA. Interrupted anywhere, the same command goes on from the last epoch.

    Examples: `ferlib train custom_cnn`, `ferlib train convnext --seed 1 --name convnext-seed1`. It uses the GPU when
    torch finds one. Several processes: `accelerate launch -m ferlib.cli train NAME`.
    """
    from ferlib.training import recipes, runs

    if precision not in (None, "no", "fp16", "bf16"):
        raise typer.BadParameter("choose no, fp16 or bf16", param_hint="--precision")
    changes = {"seed": seed} | ({"epochs": epochs} if epochs else {})
    try:
        best = runs.train(recipes.recipe(recipe, **changes), name or recipe, precision=precision, progress=not quiet)
    except KeyboardInterrupt:
        typer.echo("\nferlib: stopped; the same command goes on from the last whole epoch.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps({"run": name or recipe, **{key: best[key] for key in ("epoch", "valid_accuracy")}}))
    elif not quiet:
        typer.echo(
            f"best epoch {best['epoch']}: {best['valid_accuracy']:.2%} of valid (run data/runs/{name or recipe})"
        )


def publish_command(
    name: Annotated[str, typer.Argument(help="A finished run.")],
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite what was published under this name.")] = False,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Ship the weights, or the predictions alone.")
    ] = True,
) -> None:
    """Publish a finished run: weights, predictions on valid and test, scores. Test is read here, once a model.

    An ablation is published on valid alone.
    """
    from ferlib.publishing import publish, rescore

    metrics = publish.publish(name, replace=replace, weights=weights)
    for split in [split for split in ("valid", "test") if split in metrics]:
        typer.echo(rescore.render_evaluation(rescore.evaluate_model(name, split)))
