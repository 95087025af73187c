"""The whole course, reproduced: what it reports, and the distribution that our runs give in its place."""

from jaxnn.reproduce.course import SYSTEMS as SYSTEMS
from jaxnn.reproduce.course import Number as Number
from jaxnn.reproduce.course import System as System
from jaxnn.reproduce.course import choose as choose
from jaxnn.reproduce.measured import Measured as Measured
from jaxnn.reproduce.systems import Outcome as Outcome
from jaxnn.reproduce.systems import reproduce as reproduce
