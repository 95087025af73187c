"""`jaxnn configs [NAME]`."""

from jaxnn.cli.library_arguments import Configs
from jaxnn.cli.tables import print_table, write_json
from jaxnn.cli.terminal import print_file
from jaxnn.config.shipped import ShippedConfig, find, shipped_configs
from jaxnn.config.toml_file import read_text


def run(command: Configs) -> None:
    if command.name is None:
        rows = [
            {"config": name, "title": config.title, "data": ", ".join(_folders(config))}
            for name, config in shipped_configs().items()
        ]
        print_table(
            "Configs that come with jaxnn: `jaxnn train CONFIG` trains one, `jaxnn configs CONFIG` prints it; "
            "`--data-dir` names the folder that has the data of the last column",
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


def _folders(config: ShippedConfig) -> list[str]:
    """What the data folder must have for a config."""
    return sorted({file.partition("/")[0] for file in config.files})
