"""Layers made of layers: in a row, side by side, around a shortcut, computed twice.

Only these split keys and loop over layers.
"""

from jaxnn.combine.in_parallel import parallel as parallel
from jaxnn.combine.in_series import serial as serial
from jaxnn.combine.in_series import share as share
from jaxnn.combine.recomputed import recompute as recompute
from jaxnn.combine.shortcut import residual as residual
from jaxnn.combine.shortcut import with_input as with_input
