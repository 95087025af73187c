"""Training as a pure function of a key. Nothing here knows a config, a file or a terminal."""

from jaxnn.train.batches import generated as generated
from jaxnn.train.batches import in_memory as in_memory
from jaxnn.train.batches import streamed as streamed
from jaxnn.train.evaluation import evaluate as evaluate
from jaxnn.train.optimizers import Group as Group
from jaxnn.train.optimizers import optimizer as optimizer
from jaxnn.train.optimizers import schedule as schedule
from jaxnn.train.plan import Plan as Plan
from jaxnn.train.random_access import random_access as random_access
from jaxnn.train.random_access import random_access_windows as random_access_windows
from jaxnn.train.run import Trained as Trained
from jaxnn.train.run import make_run as make_run
from jaxnn.train.second_order import SECOND_ORDER as SECOND_ORDER
from jaxnn.train.sharing import Sharing as Sharing
from jaxnn.train.source import Source as Source
from jaxnn.train.state import History as History
from jaxnn.train.state import State as State
from jaxnn.train.step import Update as Update
from jaxnn.train.supervised import supervised as supervised
