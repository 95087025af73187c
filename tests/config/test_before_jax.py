"""Configs and their data are read before JAX starts, so that the processes of a run can compare them."""

import subprocess
import sys

from jaxnn.config import load, shipped_configs

READ = """
import sys
from jax._src import xla_bridge
from jaxnn.config import load
from jaxnn.config.loaded_data import load_data
from jaxnn.errors import UserError
for name in sys.argv[1:]:
    config = load(name)
    try:
        load_data(config)
    except UserError:  # data that are not on this machine
        pass
    assert not xla_bridge.backends_are_initialized(), name
"""


def test_no_config_and_no_data_set_starts_jax():
    of_data = {load(name).data.name: name for name in shipped_configs()}  # one config of each data set
    subprocess.run([sys.executable, "-c", READ, *of_data.values()], check=True)
