"""Named mistakes in the backward code of the layers and losses of generative nets."""

from jaxnn.certify.mutant import Mutant

GENERATIVE_MUTANTS: tuple[Mutant, ...] = (
    Mutant("gaussian: the half dropped", "gaussian", "dy * res.deviation / 2", "dy * res.deviation"),
    Mutant("gaussian: the deviation dropped", "gaussian", "dy * res.deviation / 2", "dy / 2"),
    Mutant("gaussian: mean and variance changed over", "gaussian", "[dy, dlog_variance], -1",
           "[dlog_variance, dy], -1"),
    Mutant("gaussian: no derivative by the variance", "gaussian", "dy * res.deviation / 2", "jnp.zeros_like(dy)"),
    Mutant("with_input: the shortcut dropped", "with_input", "_add_derivatives(dx, dy[1])", "dx"),
    Mutant("with_input: the layer's dx dropped", "with_input", "_add_derivatives(dx, dy[1])", "dy[1]"),
    Mutant("elbo: the target dropped", "elbo", "jax.nn.sigmoid(logits) - t * jax.nn.sigmoid(-logits), beta",
           "jax.nn.sigmoid(logits), beta"),
    Mutant("elbo: β dropped", "elbo", "beta * dcode\n", "dcode\n"),
    Mutant("elbo: the variance's one dropped", "elbo", "[mean, 0.5 * jnp.expm1(log_variance)]",
           "[mean, 0.5 * jnp.exp(log_variance)]"),
    Mutant("elbo: the mean's sign", "elbo", "[mean, 0.5 * jnp.expm1", "[-mean, 0.5 * jnp.expm1"),
)  # fmt: skip
