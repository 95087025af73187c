"""The command line. What is imported here is light: `jaxnn --help` starts neither JAX nor matplotlib."""

from jaxnn.cli.main import main as main
