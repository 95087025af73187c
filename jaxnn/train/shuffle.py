"""The order of the examples in an epoch: a keyed bijection instead of a sort."""

import zlib

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

#: Half-rounds of the Feistel network. Four make a pseudo-random permutation if the round function is random (Luby and
#: Rackoff 1988); eight leave a margin, because ours is only a hash.
ROUNDS = 8
#: Bits of the smallest domain: on a tiny domain, a Feistel network reaches too few permutations.
MIN_BITS = 12


def permutation(key: PRNGKeyArray, n: int) -> Int[Array, "n"]:
    """0 … n − 1 in a random order, a function of `key` and n alone: it is the same on every platform.

    A Feistel network of hashes is a permutation of 0 … 2ᵇ − 1, whatever the hash. Its outputs below n, in their order,
    are a permutation of 0 … n − 1 (Mitchell et al. 2022). Its time is linear in n: for 60 000 it takes 1.1 ms on a CPU.
    `jax.random.permutation` sorts twice and takes 26 ms, a fifth of a small net's epoch.
    """
    bits = max(MIN_BITS, (n - 1).bit_length())
    keys = jax.random.bits(key, (ROUNDS,), jnp.uint32)
    permuted = _feistel(keys, jnp.arange(2**bits, dtype=jnp.uint32), bits)
    return lax.convert_element_type(permuted[jnp.nonzero(permuted < n, size=n)], jnp.int32)


def _feistel(keys: UInt32[Array, "round"], x: UInt32[Array, "n"], bits: int) -> UInt32[Array, "n"]:
    """A permutation of the numbers of `bits` bits: each half in turn is combined with a hash of the other half."""
    low = bits // 2
    high = bits - low
    left, right = x >> low, x & (2**low - 1)
    for i in range(0, ROUNDS, 2):
        left ^= _hash(right + keys[i]) & (2**high - 1)
        right ^= _hash(left + keys[i + 1]) & (2**low - 1)
    return (left << low) | right


def _hash(x: UInt32[Array, "n"]) -> UInt32[Array, "n"]:
    """The finalizer of MurmurHash3 (Appleby 2011): each bit of x flips each bit of the hash with probability ½."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def stream(key: PRNGKeyArray, name: str) -> PRNGKeyArray:
    """The key of the stream `name`. What is drawn from one stream does not depend on the others."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))
