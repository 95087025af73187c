"""The course reproduced: the numbers that its decks report, beside the distribution of ours over seeds."""

from jaxnn.course.budget import FULL as FULL
from jaxnn.course.budget import QUICK as QUICK
from jaxnn.course.budget import Budget as Budget
from jaxnn.course.run_system import SystemResult as SystemResult
from jaxnn.course.run_system import reproduce as reproduce
from jaxnn.course.seed_measurement import SeedMeasurement as SeedMeasurement
from jaxnn.course.systems import SYSTEMS as SYSTEMS
from jaxnn.course.systems import Quantity as Quantity
from jaxnn.course.systems import System as System
from jaxnn.course.systems import select_systems as select_systems
