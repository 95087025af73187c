"""No term of a backward pass can be left out unnoticed: each sum in one loses its left part, then its right."""

import ast
import inspect
from collections.abc import Iterator

import pytest

from jaxnn.certify.cases import constructor
from jaxnn.certify.kill import kill
from jaxnn.certify.mutants import Mutant
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


def left_out(of: str) -> Iterator[Mutant]:
    """A mutant for each side of each sum or difference in the derivative of `of`."""
    source = inspect.getsource(constructor(of))
    for derivative in derivatives(ast.parse(source)):
        for node in ast.walk(derivative):
            if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)):
                continue
            whole = ast.get_source_segment(source, node)
            assert whole is not None
            for kept in (node.left, node.right):
                part = ast.get_source_segment(source, kept)
                yield Mutant(f"{of}: {part} for {whole}", of, whole, f"({part})")


MUTANTS = [mutant for of in (*LAYERS, *LOSSES, *COMBINATORS) for mutant in left_out(of)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_term_that_is_left_out_is_noticed(mutant):
    assert not kill(mutant).survives


def test_terms_are_found():
    assert len(MUTANTS) >= 20
    assert {"tanh", "gelu", "softmax", "residual", "softmax_cross_entropy"} <= {mutant.of for mutant in MUTANTS}
