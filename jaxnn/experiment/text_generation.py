"""Texts that a language model of an experiment writes: from a prompt to tokens, and back to text."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import PRNGKeyArray

from jaxnn.data.lines import LineReader
from jaxnn.data.text import TextReader
from jaxnn.data.tokens import text_tokens
from jaxnn.engine.compiled_run import MAX_PROGRAMS
from jaxnn.errors import UserError
from jaxnn.experiment.definition import Experiment
from jaxnn.generation import generate
from jaxnn.layer import Layer, Params
from jaxnn.targets import plain_output
from jaxnn.train.step import Bind


def generates_text(experiment: Experiment) -> bool:
    """Whether the model of an experiment continues a text: it goes from the tokens of a text to logits of each."""
    try:
        _language_model(experiment)
    except UserError:
        return False
    return True


def generate_texts(
    experiment: Experiment,
    params: Params,
    prompts: Sequence[str | None],
    length: int,
    key: PRNGKeyArray,
    *,
    samples: int = 1,
    stop: str | None = None,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> list[str]:
    """`samples` texts for each prompt, which begin with it and go on for `length` tokens. Equal arguments, equal texts.

    params: of one seed
    prompts: texts; None begins with a line end where the vocabulary has one, else with its first token. A model of
        single lines, such as names, begins a line with each prompt, and ends with it
    stop: a text before which a sample ends; default for a model of lines: the line end
    temperature, top_k, top_p: see `jaxnn.generate`

    Prompts of equal lengths share a compiled program. Raises `UserError` for an experiment whose model continues no
    text, for a character that the training text does not have, and for arguments that cannot be.
    """
    reader, model = _language_model(experiment)
    lines = isinstance(experiment.data.reader, LineReader)
    if not prompts or samples < 1:
        raise UserError(f"generate: expected at least 1 prompt and 1 sample, found {len(prompts)} and {samples}")
    begin = (reader.vocabulary.index("\n") if "\n" in reader.vocabulary else 0,)
    end = (begin if lines else ()) if stop is None else tuple(_ids(reader, stop, "stop"))
    lead = begin if lines else ()
    ids = [begin if prompt is None else (*lead, *_ids(reader, prompt, "prompt")) for prompt in prompts]
    # A model whose memory grows has learned from windows of so many places; it sees no more.
    assert model.time is not None
    context = plain_output(experiment.source.example[0]).shape[1] if model.time.grows else None
    texts = []
    for i, (prompt, given) in enumerate(zip(ids, prompts, strict=True)):
        drawn = generate(
            model,
            params,
            np.tile(np.asarray(prompt, np.int32), (samples, 1)),
            length,
            jax.random.fold_in(key, i),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=end[0] if len(end) == 1 else None,
            context=context,
        )
        for row in drawn.tolist():
            row = row[: _place_of(end, row)]
            texts.append(reader.decode(np.asarray(row if given is None else [*prompt[len(lead) :], *row], np.int32)))
    return texts


def _language_model(experiment: Experiment) -> tuple[TextReader, Layer]:
    """The reader of the text, and the model. Raises `UserError` for an experiment that continues no text."""
    reader, where = experiment.data.reader, experiment.title
    reader = reader.text if isinstance(reader, LineReader) else reader
    if not isinstance(reader, TextReader):
        raise UserError(
            f"{where}: expected the run of a text, found data without a vocabulary; for tokens of your own call "
            "jaxnn.generate(model, params, prompt, length, key)"
        )
    model = _model(experiment.bind, tuple(experiment.hyperparameters.items()))
    if model is None or model.time is None or model.time.extend is None:
        raise UserError(
            f"{where}: expected a model whose outputs depend on earlier places only, found another; use recurrent "
            "layers in one direction, or causal attention"
        )
    example = experiment.source.example
    x = plain_output(example[0] if isinstance(example, tuple) else example)
    prediction = plain_output(experiment.prediction_shape())
    tokens = hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.integer) and len(x.shape) == 2
    outputs = tuple(getattr(prediction, "shape", ()))
    if not tokens or outputs != (*x.shape, len(reader.vocabulary)):
        raise UserError(
            f"{where}: expected a model from tokens (batch, time) to logits of {len(reader.vocabulary)} tokens for "
            f"each place, found outputs of shape {outputs}"
        )
    return reader, model


@functools.lru_cache(MAX_PROGRAMS)
def _model(bind: Bind, hyperparameters: tuple[tuple[str, float], ...]) -> Layer | None:
    """The same object for the same experiment, so that a compiled program is found again."""
    return bind(dict(hyperparameters)).model


def _ids(reader: TextReader, text: str, where: str) -> Any:
    """The tokens of a prompt. Raises `UserError` for a text without tokens, and names a token that is unknown."""
    ids = reader.ids_of(text_tokens(text, reader.tokens), where)
    if not len(ids):
        raise UserError(f"{where}: expected a text of at least one of its {reader.tokens}, found {text!r}")
    return ids.tolist()


def _place_of(end: Sequence[int], row: list[int]) -> int | None:
    """Where the tokens `end` stand in a row first; None where they do not."""
    n = len(end)
    return next((i for i in range(len(row) - n + 1) if tuple(row[i : i + n]) == tuple(end)), None) if n else None
