"""Measured quantities, which add up over batches of any size, so that a mean is over all examples."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float


@runtime_checkable
class Quantity(Protocol):
    """A measured quantity of one batch, as a pytree of floating arrays.

    Several batches are stacked along new axes in front, such as one of the steps of an epoch. A batch of zeros counts
    nothing. Batches become one, see `merged`, by adding up their arrays, or by the class's own method `merged()`.
    """

    def value(self) -> Any:
        """The quantity of all batches together, shape (); NaN where it is not defined."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Sum:
    """A mean: the sum of its terms, and their number or the sum of their weights, both of shape (*batches)."""

    total: Any
    count: Any

    def value(self) -> Any:
        """The mean over all terms; NaN where there are none."""
        return self.total.sum() / self.count.sum()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Perplexity:
    """e to the mean: the sum of −ln p of what was predicted, and the number of terms, both of shape (*batches)."""

    total: Any
    count: Any

    def value(self) -> Any:
        """The perplexity of all terms; NaN where there are none."""
        return jnp.exp(self.total.sum() / self.count.sum())


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class OutputMean:
    """A mean for each output: the sums of the terms (*batches, output), and their number or weight (*batches)."""

    total: Any
    count: Any

    def value(self) -> Any:
        """The mean over the outputs."""
        return self.per_output().mean()

    def per_output(self) -> Float[Array, "output"]:
        """The mean of each output."""
        return self.total.reshape(-1, self.total.shape[-1]).sum(0) / self.count.sum()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RSquared:
    """The coefficient of determination R² = 1 − Σ (y − t)² / Σ (t − t̄)² of each output.

    Every batch has the mean of its targets and the squares about that mean: plain sums of t² would cancel in float32.

    residual: Σ w (y − t)² (*batches, output)
    mean, spread: the mean of the targets and Σ w (t − mean)² (*batches, output)
    count: Σ w (*batches)
    """

    residual: Any
    mean: Any
    spread: Any
    count: Any

    def value(self) -> Any:
        """The mean over the outputs; NaN where one is not defined."""
        return self.per_output().mean()

    def per_output(self) -> Float[Array, "output"]:
        """R² of each output; NaN where its targets are all equal."""
        residual, mean, spread = (a.reshape(-1, a.shape[-1]) for a in (self.residual, self.mean, self.spread))
        count = self.count.reshape(-1, 1)
        # Relative to one of the means, so that equal targets have no spread in spite of rounding.
        highest = jnp.where(count > 0, mean, jnp.finfo(mean.dtype).min).max(0, keepdims=True)
        offset = jnp.where(count > 0, mean - highest, 0)
        offset = jnp.where(count > 0, offset - (count * offset).sum(0, keepdims=True) / count.sum(), 0)
        between = (count * offset**2).sum(0)
        total = spread.sum(0) + between
        return jnp.where(total > 0, 1 - residual.sum(0) / jnp.where(total > 0, total, 1), jnp.nan)

    def merged(self) -> "RSquared":
        """The batches of the first axis as one: its mean is that of all targets, and its spread is about that mean."""
        weight = self.count.reshape(*self.count.shape, 1)
        total = weight.sum(0)
        offset = self.mean - self.mean[:1]
        # A product, as in `train.sharing`: the same bits however it is compiled.
        shift = (weight * offset).sum(0) * (1 / jnp.where(total == 0, 1, total))
        between = (weight * (offset - shift[None]) ** 2).sum(0)
        return RSquared(self.residual.sum(0), self.mean[0] + shift, self.spread.sum(0) + between, self.count.sum(0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanIoU:
    """The intersection over the union of predicted and true places, both (*batches, classes), a mean over classes."""

    intersection: Any
    union: Any

    def shares(self) -> tuple[Any, Any]:
        """Intersection over union of each class (classes,), and which classes occur, predicted or true; else 0."""
        classes = self.union.shape[-1]
        intersection, union = (a.reshape(-1, classes).sum(0) for a in (self.intersection, self.union))
        occurs = union > 0
        return jnp.where(occurs, intersection / jnp.where(occurs, union, 1), 0), occurs

    def per_class(self) -> Any:
        """(classes,), NaN for a class that neither is predicted nor occurs."""
        shares, occurs = self.shares()
        return jnp.where(occurs, shares, jnp.nan)

    def value(self) -> Any:
        """The mean over the classes that occur, predicted or true; NaN where none does."""
        # Without the NaN of a single class, at which JAX's flag `jax_debug_nans` would end the run.
        shares, occurs = self.shares()
        return shares.sum() / occurs.sum().astype(shares.dtype)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Covered:
    """How many classes samples cover: those with at least a fifth of an even share of all samples.

    hits: the samples of each class (*batches, classes); count: all samples (*batches)
    """

    hits: Any
    count: Any

    def value(self) -> Any:
        """The number of classes."""
        classes = self.hits.shape[-1]
        least = self.count.sum() / (5 * classes)
        return (self.hits.reshape(-1, classes).sum(0) >= least).sum().astype(self.count.dtype)


#: Measured quantities by name.
Sums = Mapping[str, Quantity]


def values(sums: Sums) -> dict[str, Any]:
    """The value of each quantity."""
    return {name: quantity.value() for name, quantity in sums.items()}


def merged(quantity: Quantity) -> Quantity:
    """The batches of the first axis as one batch."""
    own = getattr(quantity, "merged", None)
    return jax.tree.map(lambda a: a.sum(0), quantity) if own is None else own()


def mark_undefined(measured: Mapping[str, Any], sums: Sums) -> dict[str, Any]:
    """Values with the lowest finite number in place of NaN, where a value is not defined although its sums are finite.

    measured: the value of each quantity, of any shape
    A compiled program that returns NaN is ended by JAX's flag `jax_debug_nans`. `unmark_undefined` is the inverse.
    """
    marked = {}
    for name, value in measured.items():
        defined = jnp.stack([jnp.isfinite(a).all() for a in jax.tree.leaves(sums[name])]).all()
        marked[name] = jnp.where(defined & jnp.isnan(value), jnp.finfo(value.dtype).min, value)
    return marked


def unmark_undefined(value: Any) -> Any:
    """NaN in place of the number that `mark_undefined` puts for it, in an array of NumPy or of JAX."""
    where: Callable[..., Any] = np.where if isinstance(value, np.ndarray | np.generic) else jnp.where
    return where(value == jnp.finfo(value.dtype).min, np.asarray(np.nan, value.dtype), value)
