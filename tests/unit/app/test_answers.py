"""The ten answers: which variable, flag and default belongs to which, and whose login goes where."""

from __future__ import annotations

import pytest

from transload.app.answers import QUESTIONS, Answers, missing, needed_without_terminal
from transload.app.settings import INCUMBENT, read_environment
from transload.errors import ReferenceInvalid, SettingMissing

VARIABLES = {
    "SOURCE_DOCKER_REGISTRY": "src.example",
    "SOURCE_DOCKER_USERNAME": "ann",
    "SOURCE_DOCKER_PASSWORD": "one",
    "TARGET_DOCKER_REGISTRY": "dst.example",
    "TARGET_DOCKER_REPOSITORY": "",
    "TARGET_DOCKER_USERNAME": "bob",
    "TARGET_DOCKER_PASSWORD": "two",
}


def test_questions_come_in_the_order_of_the_vendors_script() -> None:
    assert tuple(question.variable for question in QUESTIONS) == INCUMBENT


def test_set_even_to_nothing_is_an_answer() -> None:
    answers = Answers.from_variables(VARIABLES)
    assert [question.variable for question in answers.open()] == [
        "SOURCE_DOCKER_REPOSITORY",
        "SOURCE_DOCKER_TAG",
        "TARGET_DOCKER_TAG",
    ]
    assert Answers.from_variables(dict.fromkeys(INCUMBENT, "")).open() == ()


def test_only_where_to_has_no_default() -> None:
    assert [one.field for one in needed_without_terminal(Answers())] == ["target_registry", "target_repository"]
    assert needed_without_terminal(Answers.from_variables(VARIABLES)) == ()
    error = missing(needed_without_terminal(Answers()))
    assert "TARGET_DOCKER_REGISTRY, TARGET_DOCKER_REPOSITORY" in error.message
    assert error.hint == "set them, or use --to"


def test_what_was_said_closer_goes_over_what_was_said_before() -> None:
    merged = Answers(source_tag="v2", target_tag="").over(
        Answers(source_tag="v1", target_tag="x", source_registry="r.io")
    )
    assert (merged.source_tag, merged.target_tag, merged.source_registry) == ("v2", "", "r.io")


@pytest.mark.parametrize(
    ("ours", "source", "target"),
    [
        (Answers(), "ann", "bob"),
        (Answers(source_registry="src.example", target_registry="dst.example"), "ann", "bob"),
        (Answers(source_registry="other.example"), None, "bob"),
        (Answers(target_registry="other.example"), "ann", None),
        (Answers(target_registry="other.example", target_username="eve", target_password="x"), "ann", "eve"),
    ],
)
def test_a_login_stays_with_its_registry(ours: Answers, source: str | None, target: str | None) -> None:
    merged = ours.over(Answers.from_variables(VARIABLES))
    assert (merged.source_username, merged.target_username) == (source, target)
    assert (merged.source_login() is None, merged.target_login() is None) == (source is None, target is None)


def test_the_default_registry_counts_as_named() -> None:
    below = Answers.from_variables({**VARIABLES, "SOURCE_DOCKER_REGISTRY": ""})
    assert Answers(source_registry="mcr.microsoft.com").over(below).source_username == "ann"
    assert Answers(source_registry="other.example").over(below).source_username is None


def test_empty_answers_are_none_and_wrong_ones_are_refused() -> None:
    checked = Answers(source_registry="", source_repository="/a/b/", source_tag="1.39..1.40").checked()
    assert (checked.source_registry, checked.source_repository, checked.source_tag) == (None, "a/b", "1.39..1.40")
    for wrong in (Answers(target_registry="http://x"), Answers(target_repository="UP"), Answers(target_tag="a/b")):
        with pytest.raises(ReferenceInvalid):
            wrong.checked()


def test_a_target_needs_a_registry() -> None:
    assert str(Answers(target_registry="r.example:5000", target_repository="/a/").target()) == "r.example:5000/a"
    with pytest.raises(SettingMissing):
        Answers(target_registry="").target()


def test_no_password_is_shown() -> None:
    answers = Answers.from_variables(VARIABLES)
    shown = repr(answers) + repr(answers.source_login()) + repr(read_environment(VARIABLES))
    assert "one" not in shown.replace("None", "")
    assert "two" not in shown
