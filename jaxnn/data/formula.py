"""A formula of x in plain text, such as `sin(3*x) + x**2`: arithmetic and a few functions, never Python code."""

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from jaxnn.errors import UserError

MAX_LENGTH = 200
_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(np, name) for name in ("sin", "cos", "tan", "tanh", "exp", "log", "sqrt", "abs")
}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_KNOWN = f"numbers, x, {', '.join(_CONSTANTS)}, + - * / **, brackets and {', '.join(_FUNCTIONS)}"


def evaluate_formula(text: str, x: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    """The value of a formula at each x, as float64; infinite or NaN where it has none.

    text: such as `sin(3*x) + x**2`; `x^2` is `x**2`
    Raises `UserError` for a text that is no such formula.
    """
    if len(text) > MAX_LENGTH:
        raise UserError(f"formula: expected at most {MAX_LENGTH} characters, found {len(text)}")
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"formula: expected {_KNOWN}, found {text!r}, which is no formula") from error
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(_value(tree, x), np.float64), x.shape)


def _value(node: ast.expr, x: Float64[np.ndarray, "n"]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return np.float64(number) if abs(number) < 1e300 else np.float64(math.inf)
        case ast.Name(id="x"):
            return x
        case ast.Name(id=name) if name in _CONSTANTS:
            return np.float64(_CONSTANTS[name])
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
            return _OPERATORS[type(operator)](_value(left, x), _value(right, x))
        case ast.UnaryOp(op=operator, operand=operand) if type(operator) in _OPERATORS:
            return _OPERATORS[type(operator)](_value(operand, x))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](_value(argument, x))
    raise UserError(f"formula: expected {_KNOWN}, found {ast.unparse(node)!r}")
