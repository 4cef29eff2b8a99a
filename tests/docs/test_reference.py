"""The reference pages are what the program says today, and the errors they list are told apart by their codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, label
from tests.docs.reference import PAGES, families
from tools import share
from tools.share import ENDINGS
from transload import errors


@pytest.mark.parametrize(("page", "make"), PAGES.items(), ids=[label(page) for page in PAGES])
def test_the_page_is_fresh(page: Path, make: Callable[[], str]) -> None:
    assert page.read_text() == make(), "stale; write it anew: python -m tests.docs.reference"


def test_pages_of_the_manual_and_completions_are_fresh() -> None:
    kept = {path: path.read_text(encoding="utf-8") for path in share.SHARE.rglob("*") if path.is_file()}
    assert kept == share.files(), "stale; write them anew: python -m tests.docs.reference"


def every_error() -> list[type[errors.TransloadError]]:
    return [one for _, members in families() for one in members]


def test_no_two_errors_have_one_code() -> None:
    codes = [one.code for one in every_error()]
    assert len(codes) == len(set(codes))


def test_every_error_is_listed() -> None:
    defined = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.TransloadError)}
    assert set(every_error()) == defined - {errors.TransloadError}


def test_every_error_has_a_remedy_in_the_guide() -> None:
    told = (DOCS / "guides" / "troubleshooting.md").read_text()
    lacking = [one.code for family, members in families() for one in members if one.code not in told]
    families_of_many = {family.code for family, members in families() if len(members) > 1}
    assert set(lacking) <= families_of_many


def test_a_family_has_one_exit_code_of_its_own() -> None:
    codes = [{one.exit_code for one in members} for _, members in families()]
    assert all(len(one) == 1 for one in codes)
    assert len(set.union(*codes)) == len(codes)
    assert set.union(*codes) <= set(ENDINGS)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
def test_codes_are_kebab_case_and_say_what_they_mean(kind: type[errors.TransloadError]) -> None:
    assert kind.code == kind.code.lower().replace("_", "-").replace(" ", "-")
    assert kind.__doc__
