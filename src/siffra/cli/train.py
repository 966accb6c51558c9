"""`siffra train`, `siffra predict` and `siffra export`: one model, made, used, handed on."""

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siffra.cli.data_options import tell_data, with_data
from siffra.cli.knobs import with_knobs
from siffra.cli.options import JsonOption, RecipeOption, with_run_options
from siffra.cli.progress import Meter
from siffra.system.terminal import echo, echo_json

if TYPE_CHECKING:
    from siffra.api import RunOptions
    from siffra.data.load import DataSource


class Pixels(StrEnum):
    """What an exported model takes."""

    float32 = "float32"
    uint8 = "uint8"


@with_knobs
@with_data
@with_run_options("engine", "threads", "store")
def train(
    *,
    recipe: RecipeOption = None,
    seed: Annotated[
        int,
        typer.Option(
            help="Random seed for the initial weights and the order of the images.", min=0
        ),
    ] = 0,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Save the model: .safetensors for `siffra predict`, .onnx for other programs.",
            metavar="FILE",
        ),
    ] = None,
    as_json: JsonOption = False,
    data: "DataSource | None",
    running: "RunOptions",
    knobs: dict[str, Any],
) -> None:
    """Train one model and print its accuracy on every set.

    The run goes to the store, where a lab that needs it will find it. A single run says little
    about a knob; to compare values, use [bold]siffra vary[/bold].

    [dim]Examples[/dim]
    siffra train --neurons 128 --learning-rate 0.5 --epochs 5
    siffra train --model conv --kernel-size 5 --save digits.safetensors
    siffra train --neurons 64 --save digits.onnx
    siffra train --recipe digits-5s
    """
    from siffra import api
    from siffra.config import Setting
    from siffra.config.recipes import over_recipe
    from siffra.report.render.terminal import percent

    setting = Setting.from_knobs(over_recipe(recipe, knobs))
    if save:
        api.expect_to_save(save, setting.model)
    epochs = math.ceil(setting.training.epochs)
    dataset, source = api.loaded(data)
    tell_data(dataset, source)
    with Meter(epochs, "epochs") as meter:
        result = api.train(
            **knobs,
            recipe=recipe,
            seed=seed,
            data=dataset,
            engine=running.engine,
            threads=running.threads,
            store=running.store,
            on_epoch=lambda number, epoch: meter.update(
                number, f"{percent(epoch.accuracy['val'])} on validation"
            ),
        )
    if note := result.note():
        echo(note, err=True)
    if save:
        result.save(save)
        echo(f"saved: {save}", err=True)
    if as_json:
        echo_json(json.dumps(result.as_json()))
    else:
        echo(str(result))


def predict(
    model: Annotated[Path, typer.Argument(help="A model saved by `siffra train --save`.")],
    images: Annotated[
        list[Path],
        typer.Argument(help="Pictures of any size: PNG, JPEG or .npy.", metavar="IMAGE..."),
    ],
    made_by: Annotated[
        str | None,
        typer.Option(
            help="For your own model: the function that builds it, as my_models:make.",
            metavar="FUNCTION",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Classify pictures with a saved model.

    A picture of the model's own size is used as it is. Any other is taken for a digit and
    preprocessed like MNIST: scaled to 20 of 28 pixels and centred on its centre of mass. A
    picture is inverted if it is dark on light and the training images are light on dark, or the
    reverse.

    [dim]Examples[/dim]
    siffra predict digits.safetensors seven.png
    siffra predict digits.safetensors scans/*.jpg --json
    """
    from siffra import api

    predictions = api.predict(model, images, made_by=made_by)
    if as_json:
        echo_json(json.dumps([prediction.as_json() for prediction in predictions]))
        return
    for prediction in predictions:
        echo(f"{prediction.path}: {prediction.label}")
        labels = [str(label) for label in prediction.ranked[:SHOWN]]
        shares = sorted(prediction.probabilities, reverse=True)
        width = max(4, *map(len, labels))
        for label, share in zip(labels, shares, strict=False):
            echo(f"  {label:>{width}}  {share:7.2%}  {'█' * round(BAR * share)}".rstrip())


def export(
    model: Annotated[Path, typer.Argument(help="A model saved by `siffra train --save`.")],
    out: Annotated[Path, typer.Argument(help="The file to write.", metavar="FILE.onnx")],
    pixels: Annotated[
        Pixels, typer.Option(help="Input type: float32 from 0 to 1, or uint8.")
    ] = Pixels.float32,
) -> None:
    """Convert a saved model to ONNX, for inference in other programs.

    The input `images` is (n, height, width, channels) for any n; the output `probabilities` is
    (n, classes). The metadata records the model and its training. To export runs instead, use
    [bold]siffra runs export[/bold].

    [dim]Examples[/dim]
    siffra export digits.safetensors digits.onnx
    siffra export digits.safetensors digits.onnx --pixels uint8
    """
    from siffra import api

    api.export_model(model, out, pixels=pixels)
    echo(str(out))


SHOWN, BAR = 3, 30
"""Classes listed for each picture, and the length of a bar for certainty, in characters."""
