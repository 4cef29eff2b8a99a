"""Expressions that are compiled late match as those that are compiled at once."""

from __future__ import annotations

import re

import pytest

from transload.expressions import late


def test_a_late_expression_does_what_a_compiled_one_does() -> None:
    expression = late(r"(\w+)=(?P<value>x+)", re.IGNORECASE)
    match = expression.fullmatch("a=XX")
    assert match is not None
    assert match.group("value") == "XX"
    assert expression.sub("y", "a=x b=x") == "y y"
    assert expression.pattern == r"(\w+)=(?P<value>x+)"


def test_it_is_compiled_when_it_is_used() -> None:
    wrong = late("(")
    with pytest.raises(re.error):
        wrong.match("")


def test_every_late_expression_of_the_program_can_be_compiled() -> None:
    import importlib
    import pkgutil

    import transload

    kind: object = late
    found = 0
    for module in pkgutil.walk_packages(transload.__path__, "transload."):
        if module.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if type(value) is kind:
                found += 1
                assert value.pattern
    assert found > 40
