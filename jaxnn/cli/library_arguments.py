"""The arguments of the commands that need no run: configs, the course, certificates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from jaxnn.cli.options import (
    Cache,
    ConfigName,
    DataDir,
    Device,
    Json,
)


@dataclass(frozen=True)
class Summary:
    """Show a config's layers: output shapes, parameters, bytes kept for the backward pass, FLOPs."""

    config: ConfigName = "digits_mlp"
    data_dir: DataDir = None
    json: Json = None


@dataclass(frozen=True)
class Reproduce:
    """Run the course's systems, and compare its numbers with ours over seeds, in a table and a report with figures.

    Without an id all systems run, which takes about twenty minutes on two cores.
    """

    ids: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="[ID…]", help="Systems, S01 to S23 (default: all of these), T01 to T16."),
    ] = ()
    seeds: int | None = None
    """Number of seeds of each system (default: the system's own, 3 to 20)."""
    quick: bool = False
    """Use few steps, examples and seeds: a check of half a minute that everything runs. Its numbers prove nothing."""
    records: bool = False
    """Instead of the course, run the best results on MNIST, with augmentation and ensembles. Takes hours."""
    out: Annotated[
        Path | None, arg(metavar="DIR", help="The report's folder (default: runs/reproduce, then -2, -3, …).")
    ] = None
    data_dir: DataDir = None
    device: Device = None
    cache: Cache = True
    json: Json = None


@dataclass(frozen=True)
class Certify:
    """Check hand-written gradients against autodiff and finite differences, and measure their bytes, FLOPs and time.

    Without a target the whole library is checked. The exit status is 1 if a law is broken.
    """

    targets: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="[TARGET…]", help="Layers, losses, combinators, configs, or your own as FILE.py:NAME."),
    ] = ()
    shape: UseAppendAction[
        Annotated[
            tuple[tuple[str, ...], ...],
            arg(metavar="N,M…", help="Shapes for your own function: of a layer's batch, or of each argument."),
        ]
    ] = ()
    argument: UseAppendAction[
        Annotated[
            tuple[tuple[str, ...], ...],
            arg(
                name="arg",
                metavar="NAME=VALUE",
                help="An argument of your own function: a number, a word, or random numbers of a shape, such as "
                '"x=positive 7,13" or "i=integers(10) 7". Can be repeated.',
            ),
        ]
    ] = ()
    reference: Annotated[
        str | None,
        arg(
            metavar="FILE.py:NAME",
            help="A function of the same arguments, with whose derivative that of your own function is compared.",
        ),
    ] = None
    quick: bool = False
    """Check the main laws on one case each, without timing."""
    mutants: bool = False
    """Plant mistakes in the library's own backward passes, or in your own layer or function, and show which law detects
    each."""
    devices: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Also check that the net of a config learns the same on 1, 2, 4, … N devices that share each batch, "
            'and with reduction = "ordered" the same bits. A CPU is divided into as many.',
        ),
    ] = None
    device: Device = None
    cache: Cache = True
    json: Json = None
    junit: Annotated[
        Path | None, arg(metavar="FILE", help="Also write the laws as JUnit XML, for continuous integration.")
    ] = None


@dataclass(frozen=True)
class Configs:
    """List the configs that come with the package, or print one as it is, with its comments."""

    name: Annotated[
        Positional[str | None], arg(metavar="[NAME]", help="The config to print (default: a table of all configs).")
    ] = None
    json: Annotated[Path | None, arg(metavar="FILE", help="Also write the table, or the config, as JSON.")] = None


@dataclass(frozen=True)
class Config:
    """Begin a config of your own: `jaxnn config new --from mnist_cnn > mine.toml`."""

    action: Annotated[Positional[Literal["new"]], arg(metavar="new")]
    source: Annotated[
        str, arg(name="from", metavar="CONFIG", help="The config to copy: a shipped config's name, or a TOML file.")
    ] = "digits_mlp"
    out: Annotated[
        Path | None, arg(metavar="FILE", help="A new file to write to (default: print to standard output).")
    ] = None
