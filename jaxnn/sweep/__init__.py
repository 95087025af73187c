"""Many configs as few programs: what may vary, how it is searched, and what came of it."""

from jaxnn.sweep.checks import SEARCHES as SEARCHES
from jaxnn.sweep.checks import Search as Search
from jaxnn.sweep.checks import check_sweep as check_sweep
from jaxnn.sweep.members import Member as Member
from jaxnn.sweep.members import make_members as make_members
from jaxnn.sweep.search import SweepResult as SweepResult
from jaxnn.sweep.search import conclude as conclude
from jaxnn.sweep.search import search_space as search_space
from jaxnn.sweep.search import sweep as sweep
from jaxnn.sweep.space import Axis as Axis
from jaxnn.sweep.space import parse_axes as parse_axes
from jaxnn.sweep.training import Trial as Trial
from jaxnn.sweep.training import train as train
