"""Continues sequences of tokens: one compiled loop that draws a token, and extends the model by it."""

import functools
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxnn.errors import UserError
from jaxnn.kernels.devices import local_devices
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Layer, Params

_MAX_PROGRAMS = 16
_NO_TOKEN, _NO_STOP = np.int32(-2), np.int32(-1)


def generate(
    model: Layer,
    params: Params,
    prompt: Any,
    length: int,
    key: PRNGKeyArray,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    stop: int | None = None,
    context: int | None = None,
) -> np.ndarray:
    """Draws `length` tokens after each prompt, integers (batch, length). Equal arguments give equal tokens.

    model: from tokens (batch, time) to logits (batch, time, tokens), where no place depends on later ones
    prompt: integers (batch, n) with n ≥ 1, one row a sample; each row has a key of its own
    temperature: the logits are divided by it; 0 takes the likeliest token
    top_k: only the k likeliest tokens are drawn; 0: all
    top_p: only the likeliest tokens are drawn that together have at least this probability (Holtzman et al. 2020)
    stop: a token after which a row repeats it
    context: places that the model sees at most; None: all. When it is full, the model starts again from the last half

    The same parameters, shapes and lengths share a compiled program. Raises `UserError` for a model that cannot be
    continued and for arguments that cannot be.
    """
    prompt = np.asarray(prompt)
    _check(model, prompt, length, temperature, top_k, top_p, context)
    if context is not None:
        prompt = prompt[:, -context:]
        context = None if prompt.shape[1] + length <= context else context
    program = _program(model, prompt.shape[1], length, context, tuple(local_devices()))
    options = (temperature, top_k or np.iinfo(np.int32).max, top_p, _NO_STOP if stop is None else np.int32(stop))
    return np.asarray(program(params, jnp.asarray(prompt, jnp.int32), key, *options))


def _check(
    model: Layer, prompt: np.ndarray, length: int, temperature: float, top_k: int, top_p: float, context: int | None
) -> None:
    if model.time is None or model.time.extend is None:
        raise UserError(
            f"generate: expected a model whose outputs depend on earlier places only, found {model.name or 'another'}; "
            "use recurrent layers in one direction, or causal attention"
        )
    if prompt.ndim != 2 or prompt.size == 0 or prompt.dtype.kind not in "iu":
        raise UserError(f"generate: expected a prompt of integers (batch, n), found {prompt.dtype} {prompt.shape}")
    if length < 1 or not temperature >= 0 or top_k < 0 or not 0 < top_p <= 1 or (context is not None and context < 2):
        raise UserError(
            "generate: expected a length of at least 1, a temperature and a top_k of at least 0, top_p in (0, 1] and a "
            f"context of at least 2, found {length}, {temperature}, {top_k}, {top_p}, {context}"
        )


@functools.lru_cache(_MAX_PROGRAMS)
def _program(model: Layer, prompt: int, length: int, context: int | None, devices: tuple[Any, ...]) -> Any:
    """The compiled loop for a model and these lengths."""
    del devices
    assert model.time is not None
    start, extend = model.time.start, model.time.extend
    assert start is not None and extend is not None

    def run(params, tokens, key, temperature, top_k, top_p, stop):
        keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(jnp.arange(len(tokens)))

        def draw(logits, last, i):
            step_keys = jax.vmap(lambda k: jax.random.fold_in(k, i))(keys)
            token = jax.vmap(sample, (0, 0, None, None, None))(step_keys, logits, temperature, top_k, top_p)
            return jnp.where(last == stop, stop, token)

        def continued(tokens, last, first, count, places):
            """`count` tokens after `tokens`, of which the model sees all, with a memory for `places` places."""
            memory = start(params, len(tokens), places)
            logits, memory = extend(params, memory, tokens)

            def step(carry, i):
                logits, memory, last = carry
                token = draw(logits, last, i)
                y, memory = extend(params, memory, token[:, None])
                return (y[:, -1], memory, token), token

            steps = first + jnp.arange(count, dtype=jnp.int32)
            carry, drawn = lax.scan(step, (logits[:, -1], memory, last), steps[:-1])
            # The last token is drawn, but the model need not see it.
            final = draw(carry[0], carry[2], steps[-1])
            return jnp.concatenate([drawn, final[None]]).T

        # No row has ended yet, not even one whose prompt ends in the stop token.
        none = jnp.full((len(tokens),), _NO_TOKEN)
        if context is None:
            return continued(tokens, none, jnp.int32(0), length, prompt + length)
        kept = context // 2
        count = context - prompt + 1
        drawn = continued(tokens, none, jnp.int32(0), count, context)
        seen = jnp.concatenate([tokens, drawn], 1)[:, -kept:]
        each = context - kept + 1
        rounds = max(0, -(-(length - count) // each))

        def further(seen, r):
            drawn = continued(seen, seen[:, -1], count + r * each, each, context)
            return jnp.concatenate([seen, drawn], 1)[:, -kept:], drawn

        _, more = lax.scan(further, seen, jnp.arange(rounds, dtype=jnp.int32))
        more = more.swapaxes(0, 1).reshape(len(tokens), -1)
        return jnp.concatenate([drawn, more], 1)[:, :length]

    return jax.jit(run, compiler_options=compiler_options())


def sample(
    key: PRNGKeyArray, logits: Float[Array, "tokens"], temperature: Any, top_k: Any, top_p: Any
) -> Int[Array, ""]:
    """A token drawn from softmax(logits / temperature), among the likeliest; temperature 0: the likeliest."""
    logits = logits.astype(jnp.float32)
    divided = logits / jnp.where(temperature > 0, temperature, 1)
    ordered = jnp.sort(divided)[::-1]
    before = jnp.cumsum(jax.nn.softmax(ordered)) - jax.nn.softmax(ordered)
    # The likeliest token always stays.
    rank = jnp.arange(len(ordered), dtype=jnp.int32)
    allowed = (rank < top_k) & (before < top_p)
    least = jnp.min(jnp.where(allowed, ordered, jnp.inf))
    drawn = jax.random.categorical(key, jnp.where(divided >= least, divided, -jnp.inf))
    return jnp.where(temperature > 0, drawn, jnp.argmax(logits)).astype(jnp.int32)
