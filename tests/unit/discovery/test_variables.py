"""Variables are filled in as the Compose specification and the Dockerfile reference say."""

import pytest

from transload.discovery.dotenv import parse
from transload.discovery.variables import Unresolved, expand
from transload.limits import FILLED_TEXTS_LENGTH

VARIABLES = {"SET": "value", "EMPTY": "", "FALLBACK": "fallback"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$SET/${SET}", "value/value"),
        ("${SET:-x}${SET-x}", "valuevalue"),
        ("${EMPTY:-x}${EMPTY-x}", "x"),
        ("${UNSET:-x}${UNSET-x}", "xx"),
        ("${UNSET:-}", ""),
        ("${UNSET:-${FALLBACK}}", "fallback"),
        ("${UNSET:-${UNSET2:-default}}:1", "default:1"),
        ("${UNSET-registry:5000/a:1}", "registry:5000/a:1"),
        ("${SET:+y}${UNSET:+y}${EMPTY+z}${EMPTY:+z}", "yz"),
        ("${SET:?must be there}", "value"),
        ("a$$b${SET}", "a$bvalue"),
        ("$1 and $", "$1 and $"),
    ],
)
def test_forms_of_the_specification(text: str, filled: str) -> None:
    assert expand(text, VARIABLES) == filled


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a:$UNSET", "UNSET has no value here, and no default"),
        ("${UNSET}", "UNSET has no value here"),
        ("${EMPTY:?say it}", "EMPTY has no value here"),
        ("${UNSET:-${OTHER}}", "OTHER has no value here"),
        ("${SET/a/b}", "is a form that is not read here"),
        ("${SET", "no closing brace"),
        ("${", "no closing brace"),
        ("${}", "is a form that is not read here"),
        ("${A:-" * 10 + "}" * 10, "nested more than 8 deep"),
    ],
)
def test_what_has_no_value_is_told(text: str, reason: str) -> None:
    with pytest.raises(Unresolved, match=reason.replace("$", r"\$")):
        expand(text, VARIABLES)


def test_a_variable_that_is_used_often_does_not_fill_the_memory() -> None:
    with pytest.raises(Unresolved, match="too long"):
        expand("$A" * 1000, {"A": "x" * 1000})


def test_a_dotenv_file() -> None:
    text = (
        "\n# comment\nTAG=1.2 # the newest\r\nexport REGISTRY = 'reg.example/$no'\nIMAGE=\"app:${TAG}\"\n"
        'HASH=a#b\nEMPTY=\nFROM_SHELL\nBAD=${NOWHERE}\nLINES="a\\tb\nc"\nTAG=1.3\n'
    )
    assert parse(text) == {
        "TAG": "1.3",
        "REGISTRY": "reg.example/$no",
        "IMAGE": "app:1.2",
        "HASH": "a#b",
        "EMPTY": "",
        "LINES": "a\tb\nc",
    }


def test_the_values_of_a_file_together_have_a_limit() -> None:
    values = parse(f"A={'x' * 60_000}\n" + "".join(f"A{number}=$A\n" for number in range(5_000)))
    assert sum(map(len, values.values())) <= FILLED_TEXTS_LENGTH
    assert "A1" in values
    assert "A4999" not in values
