"""`jaxnn configs [NAME]`."""

from jaxnn.cli.library_arguments import Configs
from jaxnn.cli.tables import print_table, write_json
from jaxnn.cli.terminal import print_file
from jaxnn.config.shipped import find, names
from jaxnn.config.toml_file import read_text


def run(command: Configs) -> None:
    if command.name is None:
        rows = [{"config": name, "claim": title} for name, title in names().items()]
        print_table(
            "Configs that come with jaxnn: `jaxnn train CONFIG` trains one, `jaxnn configs CONFIG` prints it",
            rows,
            command.json,
        )
        return
    text = read_text(find(command.name))
    if command.json is not None:
        from jaxnn.config import load
        from jaxnn.config.dump import to_builtins

        write_json(command.json, to_builtins(load(command.name)))
    print_file(text)
