"""The commands and their arguments: types, defaults and help texts. tyro builds the command line from them."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg, subcommand

from jaxnn.cli.library_arguments import Certify, Config, Configs, Reproduce, Summary
from jaxnn.cli.run_arguments import Checkpoint, Evaluate, Generate, Plot, Predict, Sample, Slurm
from jaxnn.cli.training_arguments import Play, Rerun, Resume, Sweep, Train

Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Play, subcommand("play")]
    | Annotated[Sweep, subcommand("sweep")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Rerun, subcommand("rerun")]
    | Annotated[Checkpoint, subcommand("checkpoint")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[Generate, subcommand("generate")]
    | Annotated[Sample, subcommand("sample")]
    | Annotated[Summary, subcommand("summary")]
    | Annotated[Plot, subcommand("plot")]
    | Annotated[Reproduce, subcommand("reproduce")]
    | Annotated[Certify, subcommand("certify")]
    | Annotated[Configs, subcommand("configs")]
    | Annotated[Config, subcommand("config")]
    | Annotated[Slurm, subcommand("slurm")]
)


@dataclass(frozen=True)
class CommandLine:
    """A command line. tyro would read the source of `typing` for the help of one that it makes itself."""

    command: Annotated[Command, arg(name="")]


#: Arguments that are texts, in which `~` is no folder.
TEXTS = ("prompt", "stop", "class_name")
#: The commands of a run take overrides of its data, such as --data.path.
DATA_OVERRIDABLE = (Resume, Rerun, Evaluate, Plot)
#: The commands that take overrides of a config's fields, by dotted name.
OVERRIDABLE = (Train, Play, Sweep, Summary, *DATA_OVERRIDABLE)
#: The commands that take the words of another command, which they do not know themselves.
WRAPPERS = (Slurm,)
