"""A named mistake in the backward code of the library."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A mistake in the constructor `public_name`: in its module, or in `module` that it uses, `old` becomes `new`."""

    name: str
    public_name: str
    old: str
    new: str
    module: str = ""
