"""The extras: what brings them, and what is said when one is missing."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from transload.extras import Extra

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("extra", Extra)
def test_an_extra_brings_the_modules_that_are_looked_for(extra: Extra) -> None:
    packages = " ".join(PROJECT["optional-dependencies"][extra.value]).replace("-", "_")
    assert all(module in packages for module in extra.modules)


def test_every_extra_is_known() -> None:
    assert {extra.value for extra in Extra} == set(PROJECT["optional-dependencies"])


def test_the_hint_names_the_extra() -> None:
    error = Extra.TRUST.missing("checking signatures", "cbor2")
    assert error.message == "checking signatures needs the package cbor2"
    assert error.hint == "install it: python3 -m pip install 'transload[trust]'"


def test_the_native_executable_takes_no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    hint = "the native executable comes without it: install transload[sigstore] with pip"
    assert Extra.SIGSTORE.missing("checking", "sigstore").hint == hint


def test_what_cannot_be_found_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Extra.TRUST.is_installed
    monkeypatch.setitem(sys.modules, "cbor2", None)
    assert not Extra.TRUST.is_installed


def test_what_is_built_has_the_same_extras() -> None:
    """The executable, the container, and the list of what is in them."""
    root = Path(__file__).parents[2]
    for file in ("tools/binary.py", "tools/sbom.py", "deploy/container/wheels.sh"):
        assert "[html,serve,sign,trust,sigstore]" in (root / file).read_text(encoding="utf-8"), file
