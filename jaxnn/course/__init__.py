"""The whole course, reproduced: what it reports, and the distribution that our runs give in its place."""

from jaxnn.course.run_system import Outcome as Outcome
from jaxnn.course.run_system import reproduce as reproduce
from jaxnn.course.seed_statistics import Measured as Measured
from jaxnn.course.systems import SYSTEMS as SYSTEMS
from jaxnn.course.systems import Number as Number
from jaxnn.course.systems import System as System
from jaxnn.course.systems import choose as choose
