"""`jaxnn config new --from NAME`: a config to start from, with the comments of the one that it copies."""

from jaxnn.cli.library_arguments import Config
from jaxnn.cli.terminal import print_file, print_text
from jaxnn.config.shipped import find
from jaxnn.config.toml_file import read_text
from jaxnn.errors import UserError
from jaxnn.storage.files import write_new


def run(command: Config) -> None:
    source = find(command.source)
    name = "mine.toml" if command.out is None else str(command.out)
    text = f"# A copy of {source.name}, to change: `jaxnn train {name}` trains it.\n{read_text(source)}"
    if command.out is None:
        print_file(text)
        return
    if command.out.suffix != ".toml":
        raise UserError(f"--out {command.out}: expected a file whose name ends in .toml, found another")
    write_new(command.out, text.encode())
    print_text(f"{command.out}: `jaxnn train {command.out}` trains it")
