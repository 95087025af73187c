"""An experiment as Python values: what is trained, on what, and what comes of it."""

from jaxnn.experiment.definition import DataInfo as DataInfo
from jaxnn.experiment.definition import Experiment as Experiment
from jaxnn.experiment.definition import Record as Record
from jaxnn.experiment.definition import seed_params as seed_params
from jaxnn.experiment.run import Result as Result
from jaxnn.experiment.run import run as run
from jaxnn.experiment.scores import predict as predict
from jaxnn.experiment.scores import scores as scores
