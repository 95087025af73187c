"""`jaxnn configs`."""

from jaxnn.cli.arguments import Configs
from jaxnn.cli.tables import print_table
from jaxnn.config.shipped import names


def run(command: Configs) -> None:
    rows = [{"config": name, "claim": title} for name, title in names().items()]
    print_table("Configs that come with jaxnn: `jaxnn train CONFIG`", rows, command.json)
