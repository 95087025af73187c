"""How fast a neuron that starts out badly wrong learns under each cost."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.plots import loss_curves, seed_bands, style


def costs(
    epoch: ArrayLike,
    output: Mapping[str, ArrayLike],
    gradient: Mapping[str, ArrayLike],
    *,
    target: float | None = None,
    title: str = "Learning from a saturated start",
) -> Figure:
    """Left, the neuron's output (outputs compare where costs do not); right, the size of its gradient.

    Args:
        epoch: (r,).
        output, gradient: for each cost's name (r,) or (seeds, r); a name has the same colour in both panels.
        target: the output that is wanted, drawn as a line.
    """
    names = list(dict.fromkeys([*output, *gradient]))
    figure = style.canvas(9.5, 4.4, title)
    axes = style.panels(figure, 1, 2)
    loss_curves.draw(axes[0], epoch, output, names)
    if target is not None:
        axes[0].axhline(target, color=style.MISSING, linewidth=1.4, linestyle=":", label="target")
    style.label(axes[0], "epoch", "output of the neuron")
    seed_bands.log_where_wide(axes[1], loss_curves.draw(axes[1], epoch, gradient, names))
    style.label(axes[1], "epoch", "gradient norm |∂C/∂(w, b)|")
    style.legend_below(figure, axes)
    return style.finish(figure)
