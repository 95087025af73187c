"""Data sets, splits and preprocessing. Only ``jaxnn.data.preprocess`` imports JAX; pytrees of arrays need it too."""

from jaxnn.data.check import check_dataset as check_dataset
from jaxnn.data.dataset import Dataset as Dataset
from jaxnn.data.dataset import Part as Part
from jaxnn.data.dataset import Reader as Reader
from jaxnn.data.dataset import Splits as Splits
from jaxnn.data.image_reader import DigitReader as DigitReader
from jaxnn.data.image_reader import ImageReader as ImageReader
from jaxnn.data.labels import one_hot as one_hot
from jaxnn.data.padding import pad_sequences as pad_sequences
from jaxnn.data.registry import DATASETS as DATASETS
from jaxnn.data.registry import example_input as example_input
from jaxnn.data.registry import is_random as is_random
from jaxnn.data.registry import load as load
from jaxnn.data.registry import loader_options as loader_options
from jaxnn.data.splits import split as split
