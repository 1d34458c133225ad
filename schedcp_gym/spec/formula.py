"""Formulas that adapt a workload's parameters to the machine's number of CPUs."""

import ast
import functools
import math
import operator
from collections.abc import Callable, Mapping

Parameter = int | float | str

#: The parameters of a scale are written for this number of CPUs. On such a machine no formula is evaluated.
DECLARED_CPUS = 2
#: Part of a rule for text: keep the field as it is.
KEEP = "*"
#: Name of the field's own number in a rule for text.
FIELD = "n"


def _whole(value: float) -> int:
    """Round half up; Python's own ``round`` rounds half to even."""
    return math.floor(value + 0.5)


_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {"min": min, "max": max, "round": _whole}


def resolve(rules: Mapping[str, str], parameters: Mapping[str, Parameter], cpus: int) -> dict[str, Parameter]:
    """Return the parameters for a machine: evaluate the rules in order, so that later ones use earlier results.

    A rule's result is rounded to a whole number, at least 1. A parameter that is 0 is off, and stays 0. The rule for
    text like ``cpu:2:60,pipe:1:90`` has a part for each field, as in ``*:n * cpus / 2:*``: ``*`` keeps the field, and
    ``n`` is the field's number.

    Args:
        rules: Parameter → formula over the parameters and ``cpus``.
        parameters: As a scale declares them, for 2 CPUs.
        cpus: Number of CPUs of the machine.

    Raises:
        ValueError: A rule is malformed, names an unknown parameter, or has no finite value.

    Example:
        >>> resolve({"workers": "workers * cpus / 2"}, {"workers": 3, "loops": 10}, cpus=8)
        {'workers': 12, 'loops': 10}
    """
    values = dict(parameters)
    if cpus == DECLARED_CPUS:
        return values
    for name, rule in rules.items():
        if name not in values:
            raise ValueError(f"there is no parameter {name} (there are: {', '.join(parameters)})")
        numbers = {known: value for known, value in values.items() if not isinstance(value, str)} | {"cpus": cpus}
        value = values[name]
        try:
            if isinstance(value, str):
                values[name] = ",".join(_item(item, rule, numbers) for item in value.split(","))
            elif value:
                values[name] = _count(rule, numbers)
        except ValueError as error:
            raise ValueError(f"{name}: {rule!r} on {cpus} CPUs: {error}") from None
    return values


def _item(item: str, rule: str, numbers: Mapping[str, float]) -> str:
    """Return one item of text with the rule's parts applied to its fields."""
    fields, parts = item.split(":"), [part.strip() for part in rule.split(":")]
    if len(fields) != len(parts):
        raise ValueError(f"{item!r} has {len(fields)} fields, the rule has {len(parts)} parts")
    return ":".join(
        field if part == KEEP else str(_count(part, {**numbers, FIELD: _number(field)}))
        for field, part in zip(fields, parts, strict=True)
    )


def _number(field: str) -> int:
    if not field.isdecimal():
        raise ValueError(f"{field!r} is not a whole number")
    return int(field)


def _count(formula: str, numbers: Mapping[str, float]) -> int:
    value = evaluate(formula, numbers)
    if not math.isfinite(value):
        raise ValueError("the result is not finite")
    return max(1, _whole(value))


def evaluate(formula: str, numbers: Mapping[str, float]) -> float:
    """Return the value of a formula of numbers, names, ``+ - * /``, parentheses, ``min``, ``max`` and ``round``.

    Raises:
        ValueError: The formula has anything else, an unknown name, or a division by 0.
    """
    try:
        return _value(_parsed(formula), numbers)
    except ZeroDivisionError:
        raise ValueError("division by 0") from None
    except (OverflowError, RecursionError):
        raise ValueError("the formula or its result is too large") from None


@functools.cache
def _parsed(formula: str) -> ast.expr:
    try:
        return ast.parse(formula.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        raise ValueError("it is not a formula") from None


def _value(node: ast.expr, numbers: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in numbers:
            return numbers[name]
        case ast.Name(id=name):
            raise ValueError(f"{name} is not known (known: {', '.join(numbers)})")
        case ast.BinOp(left, operation, right) if type(operation) in _OPERATORS:
            return _OPERATORS[type(operation)](_value(left, numbers), _value(right, numbers))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, numbers)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS and arguments:
            if (name == "round") != (len(arguments) == 1):
                raise ValueError(f"{name} takes {'one number' if name == 'round' else 'two numbers or more'}")
            return _FUNCTIONS[name](*(_value(argument, numbers) for argument in arguments))
        case _:
            raise ValueError(f"a formula can't have {ast.unparse(node)!r}: it has + - * /, names, min, max and round")
