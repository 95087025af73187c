"""The laws detect the omission of any term of a backward pass: each sum in it loses its left, then its right term."""

import ast
import inspect
from collections.abc import Iterator

import pytest

from jaxnn.certify.cases import constructor
from jaxnn.certify.library_mutants import Mutant
from jaxnn.certify.mutation import run_mutant
from jaxnn.layers import LAYERS
from jaxnn.losses import LOSSES

COMBINATORS = ("serial", "parallel", "residual")


def derivatives(tree: ast.AST) -> Iterator[ast.AST]:
    """The derivatives in a constructor: functions named `backward` or `derivative`, and lambdas passed as one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("backward", "derivative"):
            yield node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            argument = {"Elementwise": 3, "_loss": 1}.get(node.func.id)
            if argument is not None and isinstance(node.args[argument], ast.Lambda):
                yield node.args[argument]


def terms_of_sum(node: ast.AST) -> tuple[ast.expr, ...]:
    """The two terms of a sum or difference, of arrays or pytrees; () for another expression."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return node.left, node.right
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("_add", "add_derivatives")
        and len(node.args) == 2
    ):
        return node.args[0], node.args[1]
    return ()


def omit_terms(public_name: str) -> Iterator[Mutant]:
    """A mutant for each term of each sum or difference in the derivative of this public name."""
    source = inspect.getsource(constructor(public_name))
    for derivative in derivatives(ast.parse(source)):
        for node in ast.walk(derivative):
            terms = terms_of_sum(node)
            expression = ast.get_source_segment(source, node) if terms else None
            for remaining in terms:
                assert expression is not None
                term = ast.get_source_segment(source, remaining)
                yield Mutant(f"{public_name}: {term} for {expression}", public_name, expression, f"({term})")


MUTANTS = [mutant for name in (*LAYERS, *LOSSES, *COMBINATORS) for mutant in omit_terms(name)]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_omitted_term_is_detected(mutant):
    assert not run_mutant(mutant).survives


def test_derivatives_have_terms():
    assert len(MUTANTS) >= 20
    assert {"tanh", "gelu", "softmax", "residual", "softmax_cross_entropy"} <= {
        mutant.public_name for mutant in MUTANTS
    }
