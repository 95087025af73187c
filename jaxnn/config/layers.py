"""`[[net]]`: a layer, or a combination of layers. The keys are the keyword arguments of its constructor."""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, Strict, model_validator

from jaxnn.config.base import Expected, Table, select_variant
from jaxnn.config.from_signature import checked_options, constructor_fields, table_class
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.layer import Layer


#: The combinations whose layers all see the input; the first of a mixture is its gate.
SIDE_BY_SIDE = ("parallel", "mixture")


class LayerTable(Table):
    """A layer by its name, which determines the other keys."""

    layer: str
    name: Annotated[str | None, Expected("a name of letters, digits and underscores that begins with a letter")] = (
        Field(
            None,
            pattern="^[A-Za-z][A-Za-z0-9_]*$",
            description="of the layer in checkpoints, summaries and optimizer groups; absent: its position",
        )
    )

    share: str | None = Field(
        None, description="the name of an earlier layer of the same list, whose weights this one uses; absent: its own"
    )

    def build(self) -> "Layer":
        """The layer that the table describes. Raises `UserError` for impossible numbers."""
        raise NotImplementedError  # not abstract: `select_variant` validates with this class under an unknown name


class _SingleLayerTable(LayerTable):
    @model_validator(mode="after")
    def _check_build(self) -> "_SingleLayerTable":
        self._layer(checked_options(self.extra_options(LayerTable)))
        return self

    def build(self) -> "Layer":
        return self._layer(self.extra_options(LayerTable))

    def _layer(self, options: dict[str, Any]) -> "Layer":
        from jaxnn.layers import LAYERS

        return LAYERS[self.layer](**options)


def _select_layer(table: Any) -> LayerTable:
    """The table of one layer, validated as the layer that it names."""
    from jaxnn.layers import LAYERS

    return select_variant(table, "layer", LayerTable, [*LAYERS, *combinators()], layer_class)


def _check_names(tables: tuple[LayerTable, ...]) -> tuple[LayerTable, ...]:
    """The tables themselves. Raises `UserError` unless each has a name of its own, or none has one."""
    names = [table.name for table in tables]
    if any(names) and (None in names or len(set(names)) < len(names)):
        shown = ", ".join("none" if name is None else name for name in names)
        raise UserError(f"expected a name of its own for every layer, or for none, found {shown}")
    for i, table in enumerate(tables):
        if table.share is not None and table.share not in names[:i]:
            earlier = ", ".join(name for name in names[:i] if name) or "none with a name"
            raise UserError(f"expected share to name an earlier layer of this list ({earlier}), found {table.share!r}")
    return tables


#: Layers that are applied one after the other.
Layers = Annotated[
    tuple[Annotated[LayerTable, PlainValidator(_select_layer)], ...],
    Strict(False),  # TOML has lists only
    AfterValidator(_check_names),
    Field(min_length=1),
    Expected("a list of tables, each with its layer"),
]


class _CombinatorTable(LayerTable):
    layers: Layers

    @model_validator(mode="after")
    def _check_shares(self) -> "_CombinatorTable":
        if self.layer in SIDE_BY_SIDE and any(table.share for table in self.layers):
            raise UserError(
                f"{self.layer}: expected layers with weights of their own, found share; a row of layers has it"
            )
        return self

    def build(self) -> "Layer":
        options = self.extra_options(_CombinatorTable)
        if self.layer in SIDE_BY_SIDE:
            return combinators()[self.layer](*(layer.build() for layer in self.layers), **options)
        model = build_serial(self.layers)
        return model if self.layer == "serial" else combinators()[self.layer](model)


@cache
def layer_class(name: str) -> type[LayerTable]:
    """The table of the layer or combinator `name`."""
    from jaxnn.layers import LAYERS

    if name in LAYERS:
        return table_class(_SingleLayerTable, name, constructor_fields(LAYERS[name]))
    return table_class(_CombinatorTable, name, constructor_fields(combinators()[name]))


def build_serial(tables: Sequence[LayerTable]) -> "Layer":
    """Layers one after the other, by name where they have names."""
    from jaxnn.combine import serial, share

    if tables[0].name is None:
        return serial(*(table.build() for table in tables))
    parts = {
        str(table.name): table.build() if table.share is None else share(table.share, table.build()) for table in tables
    }
    return serial(**parts)


def combinators() -> dict[str, Any]:
    """The combinators by name."""
    from jaxnn.combine import parallel, recompute, residual, serial, with_input
    from jaxnn.mixture_of_experts import mixture

    constructors = (serial, parallel, residual, recompute, with_input, mixture)
    return {constructor.__name__: constructor for constructor in constructors}
