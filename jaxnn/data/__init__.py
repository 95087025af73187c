"""Data sets, splits and preprocessing. JAX is imported by ``jaxnn.data.preprocess`` alone."""

from jaxnn.data.check import check as check
from jaxnn.data.dataset import Dataset as Dataset
from jaxnn.data.dataset import Part as Part
from jaxnn.data.dataset import Splits as Splits
from jaxnn.data.datasets import DATASETS as DATASETS
from jaxnn.data.datasets import is_drawn as is_drawn
from jaxnn.data.datasets import load as load
from jaxnn.data.datasets import options_of as options_of
from jaxnn.data.labels import one_hot as one_hot
from jaxnn.data.splits import split as split
