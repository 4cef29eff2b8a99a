"""How texts are told apart: stores, images, paths."""

from __future__ import annotations

import doctest

from transload.app import location


def test_the_examples_hold() -> None:
    failed, tried = doctest.testmod(location)
    assert (failed, tried > 0) == (0, True)
