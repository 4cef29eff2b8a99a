"""Makes a complete job from flags, variables and, on a terminal, the answers to questions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from transload.app.answers import DEFAULT_CATALOG, Answers, missing, needed_without_terminal, question_of
from transload.app.job import BODIES, Job
from transload.app.location import Location
from transload.app.stores import Logins
from transload.cli.command import is_written
from transload.cli.commandline import command_line
from transload.cli.console import say, say_folded
from transload.cli.flags import LoginFlags, WantedFlags
from transload.cli.prompts import confirm, is_interactive
from transload.errors import SettingMissing, UsageError
from transload.oci import Platform
from transload.planning import Narrowing, Plan, Referrers
from transload.report.texts import count, harmless, size
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.app.settings import Environment
    from transload.cli.interview import Interview
    from transload.cli.session import Session


@frozen
class Gathered:
    """A job with its logins. `asked` says whether the user answered questions for it."""

    job: Job
    logins: Logins
    asked: bool = False


def gather(
    session: Session,
    wanted: WantedFlags,
    logins: LoginFlags,
    *,
    target: Location | None = None,
    bodies: int = BODIES,
) -> Gathered:
    """Everything that a run needs to know. Asks for what is missing if there is a terminal.

    `target` is the target of a command that has no --to.

    Raises `SettingMissing`, which names variables and flags, if it cannot ask; `UsageError` for contradictions.
    """
    environment = session.environment
    origin = Location.parse(wanted.origin) if wanted.origin else None
    to = target or (Location.parse(wanted.to) if wanted.to else None)
    if origin is not None and wanted.source_registry:
        raise UsageError("--from and --source-registry both say where to look", hint="leave one of them out")
    guided = not wanted.sets and origin is None
    if guided and wanted.also_to and is_interactive():
        raise UsageError(
            "with several targets, nothing is asked", hint="name the images: a catalog, a file, references"
        )
    _check_somebody_says_what(guided, to, environment)
    answers = _flag_answers(wanted, logins, environment, origin, to).over(_variables(wanted.sets, environment))
    answers = _without_needless_users(answers, origin, to)
    asked = guided and is_interactive() and bool(answers.open())
    answers = _completed(answers, guided, to is not None, _interview(session, guided)).checked()
    return Gathered(_job(wanted, answers, origin, to, guided, bodies), _logins(answers), asked)


def check_via_is_used(wanted: WantedFlags) -> None:
    """Raises `UsageError` for a --via of a run to one target, unless it is a default for a whole site."""
    if wanted.via and is_written("via"):
        raise UsageError(
            f"--via {wanted.via[0]} is for several targets, and this run has one",
            hint="name the target that feeds, and the one that is fed: --to site-a --to site-b --via site-b=site-a",
        )


def _job(
    wanted: WantedFlags, answers: Answers, origin: Location | None, to: Location | None, guided: bool, bodies: int
) -> Job:
    return Job(
        sets=(DEFAULT_CATALOG,) if guided else wanted.sets,
        target=to or answers.target(),
        origin=origin,
        source_registry=None if origin else answers.source_registry,
        source_repository=None if origin else answers.source_repository,
        tag=answers.source_tag,
        target_tag=None if guided and answers.target_tag == answers.source_tag else answers.target_tag,
        images=wanted.image,
        platforms=tuple(map(Platform.parse, wanted.platform)),
        narrowing=Narrowing(wanted.narrow),
        referrers=wanted.referrers or Referrers.USUAL,
        foreign_layers=wanted.foreign_layers,
        foreign_as_held=wanted.foreign_as_held,
        allow_missing=wanted.allow_missing,
        discover=wanted.discover,
        flatten=wanted.flatten,
        recheck=wanted.recheck,
        bodies=bodies,
        tags_by_default=not (is_written("tag") or is_written("target_tag")),
    )


def gather_logins(
    session: Session,
    logins: LoginFlags,
    sources: tuple[str, ...],
    target: str | None,
    check: Callable[[Answers], None] = lambda _: None,
) -> Logins:
    """Only the logins, for a command that gets its stores elsewhere, or has no target.

    `check` gets them before a password question.

    Raises `SettingMissing`, and what `check` raises.
    """
    environment = session.environment
    origin = Location.parse(sources[0]) if len(sources) == 1 else None
    place = Location.parse(target) if target is not None else None
    answers = _flag_answers(WantedFlags(), logins, environment, origin, place)
    answers = answers.over(Answers.from_variables(environment.incumbent))
    answers = _without_needless_users(answers, origin, place)
    check(answers)
    return _logins(_with_passwords(answers, _interview(session, guided=False)))


def _logins(answers: Answers) -> Logins:
    hosts = frozenset({answers.source_registry}) if answers.source_registry else None
    return Logins(answers.source_login(), answers.target_login(), hosts)


def _check_somebody_says_what(guided: bool, to: Location | None, environment: Environment) -> None:
    """Check that something says what to copy: a word, the vendor's variables, or a person. Raises `SettingMissing`."""
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


def _without_needless_users(answers: Answers, origin: Location | None, to: Location | None) -> Answers:
    """The same without a user for a side that is no registry, since it needs no login."""
    if origin is not None and origin.kind != "registry":
        answers = evolve(answers, source_username="", source_password="")
    if to is not None and to.kind != "registry":
        answers = evolve(answers, target_username="", target_password="")
    return answers


def _variables(sets: tuple[str, ...], environment: Environment) -> Answers:
    """The answers in the vendor's variables. Their tags are tags of releases, so references do not use them."""
    from transload.app.naming import kind_of

    answers = Answers.from_variables(environment.incumbent)
    if sets and all(kind_of(text) == "reference" for text in sets):
        return evolve(answers, source_tag=None, target_tag=None)
    return answers


def _flag_answers(
    wanted: WantedFlags, logins: LoginFlags, environment: Environment, origin: Location | None, to: Location | None
) -> Answers:
    piped = _piped_password(logins)
    registry, prefix = wanted.source_registry, wanted.source_repository
    if origin is not None and origin.kind == "registry":
        registry, prefix = origin.value, origin.prefix
    target: tuple[str | None, str | None] = (None, None)
    if to is not None:  # both questions are answered, whatever kind of store it is
        target = (to.value, to.prefix) if to.kind == "registry" else ("", "")
    return Answers(
        source_registry=registry,
        source_repository=prefix,
        source_username=logins.source_username,
        source_password=piped if logins.source_password_stdin else environment.source_password,
        source_tag=wanted.tag,
        target_registry=target[0],
        target_repository=target[1],
        target_username=logins.target_username,
        target_password=piped if logins.target_password_stdin else environment.target_password,
        target_tag=wanted.target_tag,
    )


def _piped_password(logins: LoginFlags) -> str | None:
    if logins.source_password_stdin and logins.target_password_stdin:
        raise UsageError(
            "only one password can come from standard input", hint="set TRANSLOAD_SOURCE_PASSWORD for the other"
        )
    if not (logins.source_password_stdin or logins.target_password_stdin):
        return None
    from transload.cli.passwords import piped_password  # few runs

    return piped_password()


def _interview(session: Session, guided: bool) -> Interview | None:
    """The interview, if somebody can answer."""
    if not is_interactive():
        return None
    from transload.cli.interview import Interview

    return Interview(session.network, session.environment, guided)


def _completed(answers: Answers, guided: bool, placed: bool, interview: Interview | None) -> Answers:
    if interview is None:
        needed = needed_without_terminal(answers)
        if needed or (not placed and answers.target_registry == ""):
            raise missing(needed or (question_of("target_registry"),))
        return _with_passwords(answers, None)
    if guided and answers.open():
        say_folded("Enter takes the value in brackets; passwords are not shown.")
        say([""])
    for question in answers.open() if guided else needed_without_terminal(answers):
        answers = interview.answered(question, answers)
    return _with_passwords(answers, interview)


def _with_passwords(answers: Answers, interview: Interview | None) -> Answers:
    """Ask for the password of a user that has none."""
    for side in ("source", "target"):
        user, password = (getattr(answers, f"{side}_{what}") for what in ("username", "password"))
        if user and password is None:
            question = question_of(f"{side}_password")
            if interview is None:
                raise SettingMissing(
                    f"user {user!r} at the {side} has no password, and there is no terminal to ask on",
                    hint=f"set {question.variable}, or use {question.flag}",
                )
            answers = interview.with_password(question, answers)
    return answers


def no_question(_: Plan) -> None:
    """Ask nothing before copying: a complete command line has already said it."""


def agreed(target: Location, plan: Plan) -> None:
    """Ask before anything is copied to `target`, if there is anything to copy. Raises `click.Abort` for a no."""
    if not plan.steps:
        return
    images = sum(bool(image.goals) for image in plan.images)
    if not confirm(f"copy {count(images, 'image')}, {size(plan.copied.bytes)}, to {target}?"):
        say(["nothing was copied"])
        raise click.Abort


def tell_the_same(gathered: Gathered, words: list[str]) -> None:
    """After questions, show the command line that needs none, and where its passwords come from."""
    if not gathered.asked:
        return
    images = [word for image in gathered.job.images for word in ("--image", image)]
    line = command_line([*words, *images])
    say(["", "the same without questions:"])
    click.echo(harmless(f"  {line}"), err=True)  # not folded, so that it can be copied
    users = {"SOURCE": gathered.logins.source, "TARGET": gathered.logins.target}
    for side, login in users.items():
        if login is not None:
            say_folded(f"with the password of {login.username} in the variable TRANSLOAD_{side}_PASSWORD", "  ")
