"""What is written in lines is what Python's own writer would write, bit by bit or as a whole."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transload.linedjson import lined, pieces

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
_DOCUMENTS = st.dictionaries(st.text(max_size=4), _VALUES, max_size=5)


@given(_DOCUMENTS)
def test_the_text_is_that_of_pythons_own_writer(document: dict[str, Any]) -> None:
    assert lined(document) == json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    assert lined(document, order=iter) == json.dumps(document, indent=1).encode() + b"\n"


@given(st.lists(_VALUES, max_size=4))
def test_an_iterator_is_written_as_the_list_of_its_items(items: list[Any]) -> None:
    assert "".join(pieces({"a": iter(items), "b": 1})).encode() == lined({"a": items, "b": 1})
