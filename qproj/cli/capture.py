"""``qproj capture``: layers from a training run of a small ±1 network, for ``qproj compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qproj.cli.command import Command
from qproj.cli.options import Json, Wide


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("capture", cls=Command, short_help="Save layers of a small network as it trains, for compare.")(capture)


def capture(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="digits, breast-cancer, a1a or mnist, or some of its classes, such as digits-0-2."
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The npz file to write.")],
    every: Annotated[int, typer.Option(metavar="N", help="Capture every N-th step, step 0 included.")] = 50,
    steps: Annotated[int, typer.Option(metavar="N", help="Training steps.")] = 200,
    hidden: Annotated[str, typer.Option(metavar="WIDTHS", help="Widths of the hidden layers, such as 32,16.")] = "16",
    batch: Annotated[int, typer.Option(metavar="N", help="Rows per batch.")] = 32,
    lr: Annotated[float, typer.Option(metavar="RATE", help="Step size of the latent weights, in (0, 1].")] = 0.05,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed of the first weights and the batches.")] = 0,
    max_neurons: Annotated[
        int | None, typer.Option(metavar="N", help="Keep at most N neurons, spread evenly; by default all.")
    ] = None,
    wide: Wide = False,
    as_json: Json = False,
) -> None:
    """Train a ±1 network and save the inputs X and targets T = −∂L/∂Y of its hidden layers as it learns.

    \b
    Examples:
      qproj capture digits --out layers.npz
      qproj capture mnist-1-7 --hidden 24,16 --every 50 --out layers.npz
    """
    from qproj.cli.output import print_json, print_table
    from qproj.lab.datasets import Capture, capture_layers, load_tabular, save_instances
    from qproj.lab.datasets.sources import share_neurons

    if every < 1 or steps < 0:
        raise ValueError(f"every is {every} and steps is {steps}; every from 1 on and steps from 0 on are needed")
    if max_neurons is not None and max_neurons < 1:
        raise ValueError(f"max-neurons is {max_neurons}; at least 1 is needed")
    what = Capture(_widths(hidden), batch, tuple(range(0, steps + 1, every)), lr, seed)
    if out.suffix != ".npz":  # before the training, not after it
        raise ValueError(f"out is {str(out)!r}; a name ending in .npz is needed")
    data = load_tabular(name).signs()
    layers = capture_layers(data.X_train, data.y_train, what, source=data.name)
    if max_neurons is not None:
        layers = share_neurons(layers, max_neurons)
    save_instances(out, layers)
    if as_json:
        print_json({
            "out": str(out), "neurons": sum(layer.num_neurons for layer in layers),
            "layers": [
                {"name": layer.name, "n": layer.X.shape[0], "d": layer.X.shape[1], "dout": layer.num_neurons,
                 **layer.meta}
                for layer in layers
            ],
        })  # fmt: skip
        return
    rows = [
        (layer.name, *layer.X.shape, layer.num_neurons, f"{layer.meta['loss']:.3g}", f"{layer.meta['accuracy']:.3f}")
        for layer in layers
    ]
    print_table(("layer", "n", "d", "neurons", "loss", "accuracy"), rows, spare=("loss", "accuracy"), wide=wide)
    typer.echo(f"{sum(layer.num_neurons for layer in layers)} neurons in {len(layers)} layers were written to {out}")


def _widths(text: str) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.strip().isdigit() for word in words):
        raise ValueError(f"hidden is {text!r}; whole numbers with commas between them are needed, such as 32,16")
    return tuple(int(word) for word in words)
