"""Asks the vendor's questions at a terminal, in their order, and checks each answer at once if possible."""

from __future__ import annotations

from collections.abc import Callable

from transload.app.answers import DEFAULT_CATALOG, Answers, Question
from transload.app.location import Location
from transload.app.network import Network
from transload.app.settings import Environment
from transload.app.stores import Listeners, Logins, Stores
from transload.cli.console import say_folded, telling_hosts, warn
from transload.cli.prompts import ask, ask_password
from transload.errors import CredentialsRejected, NotFound, ReferenceInvalid, Side, TransloadError, UsageError
from transload.login import Login
from transload.oci.reference import check_registry, check_repository, check_tag
from transload.threads import Cancellation
from transload.values import evolve, frozen

_TRIES = 3
_PATIENCE_S = 20.0  # the user is waiting for the next question
_CHECKS: dict[str, Callable[[str], object]] = {
    "registry": check_registry,
    "repository": lambda path: check_repository(path.strip("/")),
    "tag": check_tag,
}


@frozen
class Interview:
    """Asks, with the connection settings of the command line. `guided`: the product is the vendor's."""

    network: Network
    environment: Environment
    guided: bool

    def answered(self, question: Question, answers: Answers) -> Answers:
        """`answers` with one more. Raises `click.Abort` at Ctrl-C, `CredentialsRejected` after three tries."""
        if question.secret:
            user = getattr(answers, question.field.replace("password", "username"))
            return self.with_password(question, answers) if user else evolve(answers, **{question.field: ""})
        if question.field == "source_tag":
            return evolve(answers, source_tag=self._release(question, answers))
        default, text = question.default, question.text
        if question.field == "target_tag":
            meant = self._meant(answers.source_tag or "", answers)
            default = meant[0] if len(meant) == 1 else ""
            text += "" if default else " (empty for the same)"
        while True:
            answer = ask(text, default)
            problem = _problem(question, answer)
            if problem is None:
                return evolve(answers, **{question.field: answer})
            _remark(problem)

    def with_password(self, question: Question, answers: Answers) -> Answers:
        """Ask for a password until the registry accepts it, if the registry answers. Raises `CredentialsRejected`."""
        side: Side = "source" if question.field.startswith("source") else "target"
        for left in reversed(range(_TRIES)):
            answers = evolve(answers, **{question.field: ask_password(question.text)})
            try:
                self._try_login(side, answers)
            except CredentialsRejected as error:
                if not left:
                    raise
                _remark(f"{error}; please write the password again")
            except TransloadError as error:
                _remark(f"(the login could not be tried: {error})")
                break
            else:
                break
        return answers

    def _try_login(self, side: Side, answers: Answers) -> None:
        registry = getattr(answers, f"{side}_registry") or (self._origin(answers).value if side == "source" else "")
        login = answers.source_login() if side == "source" else answers.target_login()
        if registry and (self.guided or answers.source_registry or side == "target"):
            with self._stores(side, registry, login) as stores:
                stores.check_login(side, Location("registry", registry))

    # --- releases

    def _release(self, question: Question, answers: Answers) -> str:
        """The release to copy, by its whole tag if only one is meant."""
        newest = self._newest(answers)
        while True:
            answer = ask(question.text, newest)
            if answer == newest:
                return newest
            try:
                meant = self._meant(answer, answers)
            except (NotFound, UsageError) as error:
                _remark(f"{error}; {error.hint}" if error.hint else str(error))
                continue
            if meant == (answer,):
                return answer
            if len(meant) == 1:
                _remark(f"{answer} is the release {meant[0]}")
                return meant[0]
            _remark(f"{answer} means {len(meant)} releases: {', '.join(meant)}")
            return answer

    def _meant(self, tag: str, answers: Answers) -> tuple[str, ...]:
        """The whole tags of releases named by a part or a range; the text as written if they are unknown.

        Raises `ReleaseUnknown`, `UsageError`.
        """
        from transload.app.releases import find_releases, open_origin
        from transload.catalog.builtin import load_builtin

        origin = self._origin(answers)
        try:
            with self._stores("source", origin.value, answers.checked().source_login()) as stores:
                source = open_origin(origin, stores)
                releases = find_releases(load_builtin(DEFAULT_CATALOG), tag or None, origin, source)
                return tuple(release.tag for release in releases)
        except (NotFound, UsageError):
            raise
        except TransloadError as error:
            _remark(f"({origin.locator} could not list its releases: {error})")
            return (tag,)

    def _newest(self, answers: Answers) -> str:
        """The newest release at the source; the catalog's newest if the source cannot be asked."""
        from transload.catalog.builtin import load_builtin

        try:
            meant = self._meant("", answers)[0]
        except TransloadError as error:
            _remark(f"({self._origin(answers).locator} could not list its releases: {error})")
            meant = ""
        return meant or load_builtin(DEFAULT_CATALOG).newest().tag

    def _origin(self, answers: Answers) -> Location:
        from transload.catalog.builtin import load_builtin

        catalog = load_builtin(DEFAULT_CATALOG)
        filled = answers.checked()
        registry = filled.source_registry or catalog.registry
        return Location("registry", registry, filled.source_repository or catalog.repository)

    def _stores(self, side: Side, host: str, login: Login | None) -> Stores:
        logins = Logins(login, None, frozenset({host})) if side == "source" else Logins(target=login)
        network = evolve(self.network, give_up_after_s=min(self.network.give_up_after_s, _PATIENCE_S))
        listeners = Listeners(warn, hosts=telling_hosts())
        return Stores(self.environment, network, logins, Cancellation(), listeners=listeners)


def _remark(text: str) -> None:
    say_folded(text, "  ")


def _problem(question: Question, answer: str) -> str | None:
    """What is wrong with an answer, in words; None if it is valid."""
    if not answer:
        return "this has no default; please answer" if question.required else None
    check = _CHECKS.get(question.field.partition("_")[2])
    try:
        if check is not None:
            check(answer)
    except ReferenceInvalid as error:
        return f"{error}; {error.hint}" if error.hint else str(error)
    return None
