"""The course reproduced: the numbers that its decks report, beside the distribution of ours over seeds.

`__init__.pyi` lists the public names, each imported on first use. `jaxnn.course.systems` does not import JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
