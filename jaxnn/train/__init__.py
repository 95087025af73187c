"""Training as a pure function of a key."""

from jaxnn.metrics import Metrics as Metrics
from jaxnn.metrics import evaluate as evaluate
from jaxnn.metrics import measure as measure
from jaxnn.metrics import predicted_labels as predicted_labels
from jaxnn.train.optimizers import Group as Group
from jaxnn.train.optimizers import optimizer as optimizer
from jaxnn.train.optimizers import schedule as schedule
from jaxnn.train.plan import Data as Data
from jaxnn.train.plan import Examples as Examples
from jaxnn.train.plan import Plan as Plan
from jaxnn.train.run import Training as Training
from jaxnn.train.run import make_run as make_run
from jaxnn.train.run import make_training as make_training
from jaxnn.train.state import History as History
from jaxnn.train.state import State as State
from jaxnn.train.state import Trained as Trained
