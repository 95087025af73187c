"""An update: what a training repeats, as a value. One level up, the shape of an optax transformation."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxnn.layer import Batch, Layer, Params
from jaxnn.quantities import Sums
from jaxnn.train.task import Activation

#: Numbers by name, such as a learning rate: inputs of the compiled program, which serves all their values.
Hyperparameters = Mapping[str, Array | np.ndarray | float]


class Descent(NamedTuple):
    """The two halves of a step that follows the gradient of one loss, so that devices can share the first.

    gradient(state, batch, key) -> (gradient, sums, weight)     of one batch; sums: as of `Update.step`; weight: what
        the gradient counts for in the mean of several batches; None where those of several batches are added up
    apply(state, gradient) -> state
    """

    gradient: Callable[[Any, Batch, PRNGKeyArray], tuple[Any, Sums, Any]]
    apply: Callable[[Any, Any], Any]

    def step(self, state: Any, batch: Batch, key: PRNGKeyArray) -> tuple[Any, Sums]:
        """Both halves, one after the other."""
        gradient, sums, _ = self.gradient(state, batch, key)
        return self.apply(state, gradient), sums


class Update(NamedTuple):
    """Pure functions; `jaxnn.supervised` makes one of a model, a loss and an optimizer.

    init(key, example) -> state         any pytree; example: a batch like those of training (shapes suffice)
    step(state, batch, key) -> state, sums      sums: what was measured before the step, by name, as sums and counts
    evaluate(params, batch, key) -> sums        of `params(state)`; key: for what is drawn while evaluating
    params(state) -> params             what is scored, kept as best, saved and exported
    predict(params, x) -> prediction    what the model says of inputs x, as the model sees them; None: nothing to show
    diagnose(state, batch, key, rows) -> str    names the first place of a step that is NaN or infinite, in words; rows:
        where the examples of the batch stand in the data, where that is known
    settle(state, batch, count, key) -> state   with the statistics that its model evaluates with, of the batches
        batch(i), 0 ≤ i < count; before each evaluation. None: it evaluates with none
    restart(params, example) -> state   a state that begins with these parameters; None: it cannot
    one_device: whether the step cannot run inside `jax.shard_map`, so that all seeds share the first device
    full_batch: whether every step must see the same batch
    model: the layer whose output `predict` makes a prediction of, as generation needs it; None: no single layer
    sample(params, key, x, label) -> x      new examples: as many as x has and in its shape, which is all that is used;
        label: the class of all of them, or None. None: it makes none
    sample_classes: the classes that a sample can be asked for
    score(params, batch, key) -> sums       what takes too long to be measured in every epoch: of the best parameters,
        on the validation and test parts. None: nothing
    levels: names and values of what is measured at an equilibrium; the learning curves show them
    descent: the halves of the step, for devices that share its batches; None: they cannot
    activation: what turned the model's output into the prediction, so that it is known what the prediction means
    """

    init: Callable[[PRNGKeyArray, Batch], Any]
    step: Callable[[Any, Batch, PRNGKeyArray], tuple[Any, Sums]]
    evaluate: Callable[[Params, Batch, PRNGKeyArray], Sums]
    params: Callable[[Any], Params]
    predict: Callable[[Params, Batch], Any] | None = None
    diagnose: Callable[[Any, Batch, PRNGKeyArray, Any], str] | None = None
    settle: Callable[[Any, Callable[[Any], Batch], int, PRNGKeyArray], Any] | None = None
    restart: Callable[[Params, Batch], Any] | None = None
    one_device: bool = False
    full_batch: bool = False
    sample: Callable[[Params, PRNGKeyArray, Batch, Any], Batch] | None = None
    sample_classes: int = 0
    score: Callable[[Params, Batch, PRNGKeyArray], Sums] | None = None
    levels: tuple[tuple[str, float], ...] = ()
    activation: Activation = ""
    model: Layer | None = None
    descent: Descent | None = None

    def with_batches(self, change: Callable[[Batch, PRNGKeyArray], Batch]) -> "Update":
        """The update whose steps, and their diagnosis, see `change(batch, key)` in place of each batch."""
        step, diagnose, descent = self.step, self.diagnose, self.descent

        def changed_diagnose(state: Any, batch: Batch, key: PRNGKeyArray, rows: Any) -> str:
            assert diagnose is not None
            return diagnose(state, change(batch, key), key, rows)

        def changed_gradient(state: Any, batch: Batch, key: PRNGKeyArray) -> tuple[Any, Sums, Any]:
            assert descent is not None
            return descent.gradient(state, change(batch, key), key)

        return self._replace(
            step=lambda state, batch, key: step(state, change(batch, key), key),
            diagnose=None if diagnose is None else changed_diagnose,
            descent=None if descent is None else Descent(changed_gradient, descent.apply),
        )


#: An update, or a function from hyper-parameters to one.
Bind = Callable[[Hyperparameters], Update]
