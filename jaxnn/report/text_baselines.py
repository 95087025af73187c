"""What a model of tokens is compared with: counts of how often each token occurs, alone or after another one."""

from typing import Any

import numpy as np

from jaxnn.data.text import TextReader
from jaxnn.experiment.definition import Experiment
from jaxnn.targets import plain_output, plain_target

#: More tokens, such as words, have too many pairs to count.
MAX_TOKENS = 1000


def text_baselines(experiment: Experiment) -> dict[str, float]:
    """Nats a token on the validation part of who counts tokens, and of who counts pairs, in the training part.

    {} for an experiment that is no text, that has no validation part, or more than `MAX_TOKENS` tokens, and for a text
    that stays on the disk. Each count is one more than found, so that no token is impossible.
    """
    reader = experiment.data.reader
    if not isinstance(reader, TextReader) or len(reader.vocabulary) > MAX_TOKENS or experiment.source.block:
        return {}
    train, validation = (_pairs(experiment.examples(part)) for part in ("train", "validation"))
    if train is None or validation is None:
        return {}
    n = len(reader.vocabulary)
    pairs = np.ones((n, n))
    np.add.at(pairs, train, 1)
    alone = pairs.sum(0) / pairs.sum()
    after = pairs / pairs.sum(1, keepdims=True)
    return {
        "counts of tokens": float(-np.log(alone[validation[1]]).mean()),
        "counts of pairs": float(-np.log(after[validation]).mean()),
    }


def _pairs(examples: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Each token and the one after it; None for what is no windows of tokens."""
    if not (isinstance(examples, tuple) and len(examples) == 2):
        return None
    x, target = (np.asarray(plain(item)) for plain, item in zip((plain_output, plain_target), examples, strict=True))
    if x.shape != target.shape or not all(np.issubdtype(a.dtype, np.integer) for a in (x, target)):
        return None
    return x.ravel(), target.ravel()
