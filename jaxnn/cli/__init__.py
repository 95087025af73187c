"""The command line. Importing it is cheap: `jaxnn --help` imports neither JAX nor matplotlib."""

from jaxnn.cli.main import main as main
