"""From flags, variables and, on a terminal, questions to a job with every answer given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from attrs import evolve, frozen

from transload.app.answers import QUESTIONS, Answers, Question, missing, needed_without_terminal
from transload.app.job import BODIES, Job
from transload.app.place import Place
from transload.app.settings import Environment
from transload.app.stores import Ears, Logins, Network, Stores
from transload.cli.command import is_written
from transload.cli.passwords import ask_password, is_interactive, piped_password
from transload.cli.telling import say, tell_host, warn
from transload.errors import ReferenceInvalid, SettingMissing, TransloadError, UsageError
from transload.nursery import Cancellation
from transload.oci import Platform
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.planning import Narrowing

DEFAULT_CATALOG = "arcdata"


@frozen
class Given:
    """A job with the logins for it."""

    job: Job
    logins: Logins


def gather(flags: dict[str, Any], environment: Environment, network: Network, target: Place | None = None) -> Given:
    """Everything that `mirror`, `plan` and `verify` need to know; asks for what is missing where it can.

    `target` is where to for a command that has no --to.

    Raises `SettingMissing`, naming variables and flags, where it cannot; `UsageError` for what contradicts itself.
    """
    sets: tuple[str, ...] = flags["sets"]
    origin, to = (Place.parse(flags[name]) if flags.get(name) else None for name in ("from", "to"))
    to = target or to
    if origin is not None and flags["source_registry"]:
        raise UsageError("--from and --source-registry both say where to look", hint="leave one of them out")
    guided = not sets and origin is None
    _check_somebody_says_what(guided, to, environment)
    answers = _flag_answers(flags, environment, origin, to).over(_variables(sets, environment))
    answers = _without_needless_users(answers, origin, to)
    answers = _completed(answers, guided, to is not None, network, environment).checked()
    job = Job(
        (DEFAULT_CATALOG,) if guided else sets,
        to or answers.target(),
        origin,
        source_registry=None if origin else answers.source_registry,
        source_repository=None if origin else answers.source_repository,
        tag=answers.source_tag,
        target_tag=answers.target_tag,
        images=flags["image"],
        platforms=tuple(map(Platform.parse, flags["platform"])),
        narrowing=Narrowing(flags["narrow"]),
        referrers=flags["referrers"],
        foreign_layers=flags["foreign_layers"],
        foreign_as_held=flags.get("foreign_as_held", False),
        allow_missing=flags["allow_missing"],
        discover=flags["discover"],
        flatten=flags["flatten"],
        bodies=flags.get("jobs", BODIES),
        tags_by_default=not (is_written("tag") or is_written("target_tag")),
    )
    return Given(job, _logins(answers))


def gather_logins(flags: dict[str, Any], environment: Environment, sources: tuple[str, ...], target: str) -> Logins:
    """The logins alone, for a command whose stores are named elsewhere. Raises `SettingMissing`."""
    absent = dict.fromkeys(("source_registry", "source_repository", "tag", "target_tag"))
    origin = Place.parse(sources[0]) if len(sources) == 1 else None
    answers = _flag_answers(flags | absent, environment, origin, Place.parse(target))
    answers = answers.over(Answers.from_variables(environment.incumbent))
    answers = _without_needless_users(answers, origin, Place.parse(target))
    answers = _with_passwords(answers, _ask_password if is_interactive() else None)
    return _logins(answers)


def _logins(answers: Answers) -> Logins:
    hosts = frozenset({answers.source_registry}) if answers.source_registry else None
    return Logins(answers.source_login(), answers.target_login(), hosts)


def _check_somebody_says_what(guided: bool, to: Place | None, environment: Environment) -> None:
    """Without a word on what is wanted, only a person or the vendor's variables can mean the vendor's product."""
    if not guided or environment.incumbent or is_interactive():
        return
    error = missing(needed_without_terminal(Answers()))
    example = f"transload mirror {DEFAULT_CATALOG} --to {to or 'registry.local/arcdata'}"
    if to is not None and to.kind == "bundle":
        example = f"transload pack {DEFAULT_CATALOG} -o {to.value}"
    if to is not None:
        raise SettingMissing("nothing says which images are wanted", hint=f"name them, for example: {example}")
    error.hint = f"{error.hint}; or name everything: {example}"
    raise error


def _without_needless_users(answers: Answers, origin: Place | None, to: Place | None) -> Answers:
    """The same without a user for a side that is no registry: nobody there asks who it is."""
    if origin is not None and origin.kind != "registry":
        answers = evolve(answers, source_username="", source_password="")
    if to is not None and to.kind != "registry":
        answers = evolve(answers, target_username="", target_password="")
    return answers


def _variables(sets: tuple[str, ...], environment: Environment) -> Answers:
    """The vendor's variables; their tags are those of releases, which references alone do not have."""
    from transload.app.selecting import kind_of

    answers = Answers.from_variables(environment.incumbent)
    if sets and all(kind_of(text) == "reference" for text in sets):
        return evolve(answers, source_tag=None, target_tag=None)
    return answers


def _flag_answers(flags: dict[str, Any], environment: Environment, origin: Place | None, to: Place | None) -> Answers:
    piped = _piped_password(flags)
    registry, prefix = flags["source_registry"], flags["source_repository"]
    if origin is not None and origin.kind == "registry":
        registry, prefix = origin.value, origin.prefix
    target: tuple[str | None, str | None] = (None, None)
    if to is not None:  # both questions are answered, whatever kind of store it is
        target = (to.value, to.prefix) if to.kind == "registry" else ("", "")
    return Answers(
        source_registry=registry,
        source_repository=prefix,
        source_username=flags["source_username"],
        source_password=piped if flags["source_password_stdin"] else environment.source_password,
        source_tag=flags["tag"],
        target_registry=target[0],
        target_repository=target[1],
        target_username=flags["target_username"],
        target_password=piped if flags["target_password_stdin"] else environment.target_password,
        target_tag=flags["target_tag"],
    )


def _piped_password(flags: dict[str, Any]) -> str | None:
    wanted = [side for side in ("source", "target") if flags[f"{side}_password_stdin"]]
    if len(wanted) > 1:
        raise UsageError(
            "only one password can come from standard input", hint="set TRANSLOAD_SOURCE_PASSWORD for the other"
        )
    return piped_password() if wanted else None


# --- questions


def _completed(answers: Answers, guided: bool, placed: bool, network: Network, environment: Environment) -> Answers:
    if not is_interactive():
        needed = needed_without_terminal(answers)
        if needed or (not placed and answers.target_registry == ""):
            raise missing(needed or (_question("target_registry"),))
        return _with_passwords(answers, ask=None)
    if guided and answers.open():
        click.echo("Enter takes the value in brackets; passwords are not shown.\n", err=True)
    for question in answers.open() if guided else needed_without_terminal(answers):
        answers = evolve(answers, **{question.field: _ask(question, answers, network, environment)})
    return _with_passwords(answers, ask=_ask_password)


def _ask(question: Question, answers: Answers, network: Network, environment: Environment) -> str:
    if question.secret:
        user = getattr(answers, question.field.replace("password", "username"))
        return _ask_password(question) if user else ""
    default = question.default
    if question.field == "source_tag":
        default = newest_tag(answers, network, environment)
    elif question.field == "target_tag":
        default = answers.source_tag or ""
    while True:
        answer: str = click.prompt(question.text, default=default, show_default=bool(default), err=True).strip()
        problem = _problem(question, answer)
        if problem is None:
            return answer
        say([f"  {problem}"])


def _ask_password(question: Question) -> str:
    return ask_password(question.text)


_CHECKS: dict[str, Callable[[str], object]] = {
    "registry": check_registry,
    "repository": lambda path: check_repository(path.strip("/")),
    "tag": check_tag,
}


def _problem(question: Question, answer: str) -> str | None:
    """What is wrong with an answer, in words; None if it will do."""
    if not answer:
        return "this has no default; please answer" if question.required else None
    if question.field == "source_tag":  # a release may also be named by a part, or a range
        return None
    check = _CHECKS.get(question.field.partition("_")[2])
    try:
        if check is not None:
            check(answer)
    except ReferenceInvalid as error:
        return f"{error}; {error.hint}" if error.hint else str(error)
    return None


def _with_passwords(answers: Answers, ask: Callable[[Question], str] | None) -> Answers:
    """A user without a password needs one."""
    for side in ("source", "target"):
        user, password = (getattr(answers, f"{side}_{what}") for what in ("username", "password"))
        if user and password is None:
            question = _question(f"{side}_password")
            if ask is None:
                raise SettingMissing(
                    f"user {user!r} at the {side} has no password, and there is no terminal to ask on",
                    hint=f"set {question.variable}, or use {question.flag}",
                )
            answers = evolve(answers, **{question.field: ask(question)})
    return answers


def newest_tag(answers: Answers, network: Network, environment: Environment) -> str:
    """The newest release that the source really has; the catalog's newest where the source cannot be asked."""
    from transload.app.selecting import find_releases
    from transload.catalog.builtin import load_builtin

    catalog = load_builtin(DEFAULT_CATALOG)
    given = answers.checked()
    origin = Place("registry", given.source_registry or catalog.registry, given.source_repository or catalog.repository)
    logins = Logins(source=given.source_login(), source_hosts=frozenset({origin.value}))
    try:
        with Stores(environment, network, logins, Cancellation(), ears=Ears(warn, hosts=tell_host)) as stores:
            return find_releases(catalog, None, origin, stores)[0].tag
    except TransloadError as error:
        say([f"  ({origin.locator} does not tell its releases: {error})"])
        return catalog.newest().tag


def _question(field: str) -> Question:
    return next(question for question in QUESTIONS if question.field == field)
