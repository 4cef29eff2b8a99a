"""Text in one style: the examples in the docstrings."""

import doctest

from transload import wording


def test_examples() -> None:
    outcome = doctest.testmod(wording)
    assert outcome.attempted >= 5
    assert not outcome.failed
