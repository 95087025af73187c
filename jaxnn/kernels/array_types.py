"""The array types that kernels and layers annotate their functions with. The tests check every one of these shapes.

batch: examples; height, width: rows and columns of an image; channel: an input channel; channels: output channels;
rows, columns: positions of a sliding window; kh, kw: height and width of a kernel.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Float, UInt

if TYPE_CHECKING:
    # The constructor of JAX's class has no annotations. Pyright therefore treats the class as generic, with unknown
    # type arguments, and every type below that names it would be unknown too.
    from typing import Protocol

    class ShapeDtypeStruct(Protocol):
        """The attributes of a `jax.ShapeDtypeStruct` that `init` may use."""

        @property
        def shape(self) -> Any: ...
        @property
        def dtype(self) -> Any: ...
        @property
        def ndim(self) -> int: ...
else:
    from jax import ShapeDtypeStruct

#: What a caller may pass as x, and what comes back.
AnyArray = Array | np.ndarray
#: What `init` takes: it uses the shape and the dtype alone.
ArrayOrShape = AnyArray | ShapeDtypeStruct

#: The parameters of a layer without any, and their gradient.
NoParams = tuple[()]

#: An example batch for `init`, which refuses a wrong number of axes itself.
ExampleBatch = Float[ArrayOrShape, "batch *rest"]

Images = Float[Array, "batch height width channel"]
#: Images whose values are not used.
ImageShape = Float[ArrayOrShape, "_ height width channel"]
#: One number for each window and input channel: what one tap reads, or a pool's output.
PerWindow = Float[Array, "batch rows columns channel"]
#: The output of a convolution.
Outputs = Float[Array, "batch rows columns channels"]
Kernel = Float[Array, "kh kw channel channels"]
#: The number of the window's entry that is the maximum.
IndexPerWindow = UInt[Array, "batch rows columns channel"]
OutputIndex = UInt[Array, "batch rows columns channels"]
