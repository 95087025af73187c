"""A layer with a way around it: its input added to its output, or beside it."""

from jaxnn.combine.parts import add, output_shapes
from jaxnn.combine.time import combined_time
from jaxnn.errors import UserError
from jaxnn.layer import Layer, Part, add_derivatives, check_layer
from jaxnn.sequence import join_derivative, join_lengths, per_place, split_derivative, split_lengths
from jaxnn.shapes import check_dy_tree, describe_shapes, same_shapes, shapes_of


def with_input(layer: Layer) -> Layer:
    """A layer whose output has its input beside it.

    y = (f(x), x)
    dx = f.backward(dy₀) + dy₁

    Derivation: x goes into f and stands in the output, and what stands twice gathers both derivatives.

    A variational autoencoder gives its code to its loss: `serial(encoder, with_input(serial(gaussian(), decoder)))`.
    params and dparams are those of f; x may be a pytree. Raises `UserError` for what is no layer.
    """
    check_layer("with_input", layer)
    inner = per_place(layer)

    def forward(params, x, key):
        y, res = inner.forward(params, x, key)
        return (y, x), (res, shapes_of((y, x)))

    def backward(params, res, dy):
        inner_res, y = res
        check_dy_tree("with_input", dy, y)
        dparams, dx = inner.backward(params, inner_res, dy[0])
        return dparams, add_derivatives(dx, dy[1])

    parts = (Part("0", inner, ""),)
    return Layer(inner.init, forward, backward, "with_input", parts, flow=lambda x, apply: (apply(parts[0], x), x))


def residual(layer: Layer) -> Layer:
    """A layer and a way around it.

    y = x + f(x)
    dx = dy + f.backward(dy)

    Derivation: y = x + f(x), so ∂y/∂x = 1 + ∂f/∂x. The first term passes dy on unchanged, and the second passes it
    through f's backward pass; dx is their sum. Even where ∂f/∂x is near 0, dy reaches x.

    f's output must have the shape of x, which may be a pytree. (He et al. 2016.) Raises `UserError` when it has not,
    and for what is no layer.
    """
    check_layer("residual", layer)

    def check_output(x, y):
        if not same_shapes(x, y):
            raise UserError(
                f"residual: expected a layer whose output has its input's shape {describe_shapes(x)}, "
                f"found {describe_shapes(y)}"
            )

    inner = per_place(layer)

    def init(key, x):
        params = inner.init(key, x)
        check_output(x, output_shapes(inner, params, x))
        return params

    def forward(params, x, key):
        values, lengths = split_lengths(x)
        x = join_lengths(values, lengths)
        y, res = inner.forward(params, x, key)
        check_output(x, y)
        return add(x, y), (res, lengths, shapes_of(x))

    def backward(params, res, dy):
        inner_res, lengths, y = res
        check_dy_tree("residual", dy, y)
        dparams, dx = inner.backward(params, inner_res, dy)
        shortcut = dy if lengths is None else join_derivative(split_derivative(dy, lengths), lengths)
        return dparams, add_derivatives(dx, shortcut)

    def flow(x, apply):
        return add(x, apply(parts[0], x))

    parts = (Part("0", inner, ""),)
    return Layer(init, forward, backward, "residual", parts, combined_time(parts, flow), flow)
