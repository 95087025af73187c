"""No term of a backward pass can be left out unnoticed: each sum in one loses its left part, then its right."""

import ast
import inspect
from collections.abc import Iterator

import pytest

from jaxnn.certify.cases import constructor
from jaxnn.certify.library_mutants import Mutant
from jaxnn.certify.mutation import kill
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES

COMBINATORS = ("serial", "parallel", "residual")


def derivatives(tree: ast.AST) -> Iterator[ast.AST]:
    """The parts of a constructor that are a derivative: `backward`, `derivative`, and lambdas in their place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("backward", "derivative"):
            yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = {"Elementwise": 3, "_loss": 1}.get(node.func.id)
            if place is not None and isinstance(node.args[place], ast.Lambda):
                yield node.args[place]


def sides(node: ast.AST) -> tuple[ast.expr, ...]:
    """The two terms of a sum or a difference, also of pytrees; nothing for another expression."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return node.left, node.right
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_add"
        and len(node.args) == 2
    ):
        return node.args[0], node.args[1]
    return ()


def left_out(of: str) -> Iterator[Mutant]:
    """A mutant for each side of each sum or difference in the derivative of `of`."""
    source = inspect.getsource(constructor(of))
    for derivative in derivatives(ast.parse(source)):
        for node in ast.walk(derivative):
            terms = sides(node)
            whole = ast.get_source_segment(source, node) if terms else None
            for kept in terms:
                assert whole is not None
                part = ast.get_source_segment(source, kept)
                yield Mutant(f"{of}: {part} for {whole}", of, whole, f"({part})")


MUTANTS = [mutant for of in (*LAYERS, *LOSSES, *COMBINATORS) for mutant in left_out(of)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_term_that_is_left_out_is_noticed(mutant):
    assert not kill(mutant).survives


def test_terms_are_found():
    assert len(MUTANTS) >= 20
    assert {"tanh", "gelu", "softmax", "residual", "softmax_cross_entropy"} <= {mutant.of for mutant in MUTANTS}
