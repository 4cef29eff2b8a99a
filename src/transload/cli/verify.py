"""`transload verify`: compares a target with its source, or checks a store alone."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import click

from transload.app.answers import Answers
from transload.app.detect import CarriedStore, only_store, open_carried, signature_notes
from transload.app.location import Location
from transload.app.network import Network
from transload.app.settings import Environment
from transload.app.stores import Carried, Stores
from transload.app.verify import Verification, check_against_source, check_alone, check_registry, registry_place
from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.commandline import command_words, connection_words
from transload.cli.console import say, say_notes, show_result, width_of
from transload.cli.flags import LoginFlags, RunFlags, WantedFlags
from transload.cli.gather import gather, gather_logins, tell_the_same
from transload.cli.output import OutputFormat
from transload.cli.prompts import is_interactive
from transload.cli.session import Session, open_session
from transload.cli.trusting import TrustFlags, named_policies, policy_named
from transload.errors import SettingMissing, TransloadError, UsageError
from transload.oci import Name
from transload.report.problem import Problem, problem_lines, without_subject
from transload.report.styled import Meaning, Styled, beside, folded
from transload.report.texts import count, digest, size
from transload.report.verified import policy_lines, trust_lines
from transload.transfer.proof import Proof, Verdict
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from datetime import datetime

    from transload.app.trusting import Judge
    from transload.report.conclusion import Conclusion
    from transload.trust.policy import Policy

Flag = TypeVar("Flag")

_MARK = 9  # letters of a verdict; longer ones make the column wider
_HINTS = 3  # different ones, in the order of the images
_MARKS: dict[Verdict, Meaning] = {
    "identical": "good",
    "sound": "good",
    "differs": "bad",
    "absent": "bad",
    "damaged": "bad",
    "unproved": "warn",
    "unchecked": "warn",
}


@click.command(cls=Command)
@options.compared
@click.option("--deep", is_flag=True, help="Read and hash every blob at the target again.")
@options.bundle
@named_policies
@options.logins
@options.network
@options.recorded
@options.reporter
def verify(
    wanted: WantedFlags,
    deep: bool,
    reading: Carried,
    trust: TrustFlags,
    logins: LoginFlags,
    network: Network,
    run: RunFlags,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Prove that a target holds what the source publishes, image by image.

    Compares the digest of every image with the source's, reads every manifest at the target, and asks for every blob;
    --deep reads and hashes the blobs as well. A single bundle:NAME, oci:DIR or archive:FILE (or the path of one) is
    what the target is compared with; without --to, this store is checked alone, a bundle byte by byte.

    With --policy, each image must also be signed as the policy wants, by signatures that lie beside it. Then a registry
    can be checked alone, too: HOST[:PORT][/PREFIX] with everything below it, or one image.

    \b
      transload verify arcdata --to registry.local/arcdata
      transload verify /media/usb/arcdata-2026-11 --key site.pub
      transload verify /media/usb/arcdata-2026-11 --to registry.local/arcdata
      transload verify oci:folder --deep
      transload verify registry.local/arcdata --policy policy.yaml
    """
    with open_session("verify", output, quiet, network, run) as session, session.stoppable():
        how = _How(deep=deep, trust=trust, policy=policy_named(trust))
        session.begins()
        verification = _check(session, wanted, logins, reading, how)
        if run.has_afterwards:
            session.output.conclude(_conclusion(verification, deep, session.output.run_id))
        if not session.output.document("verification", deep=deep, **verification.to_json()):
            _tell(verification, deep, quiet, trust.at)
    return verification.exit_code


def _conclusion(checked: Verification, deep: bool, run_id: str) -> Conclusion:
    """What figures and notifications say of it."""
    from transload.report.conclusion import Conclusion, Figures  # few runs have them

    images = Counter(_in_words(proof.verdict).replace(" ", "-") for proof in checked.proofs)
    failures = sum(not proof.good for proof in checked.proofs) + len(checked.troubles)
    complete = checked.exit_code == 0
    return Conclusion(
        exit_code=checked.exit_code,
        summary=f"{count(len(checked.proofs), 'image')}: {_in_sum(checked, deep)}{_refused_in_sum(checked)}",
        document={"run_id": run_id, "exit_code": checked.exit_code, "deep": deep, **checked.to_json()},
        figures=(Figures(target=checked.target, complete=complete, images=images, failures=failures),),
    )


@frozen(kw_only=True)
class _How:
    """How it is checked: with every blob read, and by whose signatures."""

    deep: bool
    trust: TrustFlags
    policy: Policy | None = None

    @property
    def judge(self) -> Judge | None:
        """Who judges the signatures, if anybody."""
        if self.policy is None:
            return None
        from transload.app.trusting import Judge

        return Judge(self.policy, self.trust.at)


def _refused_in_sum(checked: Verification) -> str:
    return f", {len(checked.troubles)} not signed as the policy wants, or not asked" if checked.troubles else ""


def _check(session: Session, wanted: WantedFlags, logins: LoginFlags, reading: Carried, how: _How) -> Verification:
    judge = how.judge
    if judge is not None and (place := _registry_alone(wanted, session.environment)):
        _check_takes_all(wanted)
        given = gather_logins(session, logins, (), place[0].locator)
        with session.stores(given) as stores:
            return check_registry(place, stores, how.deep, session.cancellation, judge)
    location = only_store(wanted.sets, reading, alone=wanted.to is None and not wanted.origin)
    if location is None:
        # Check this before a carried file is read or a question is asked. Catalogs and references are at registries.
        reading.demand_signature(Location.parse(wanted.origin) if wanted.origin else None)
    else:
        wanted, logins = _as_written(wanted, logins)
        if wanted.to is None and not wanted.origin:
            return _check_alone(session, location, wanted, reading, how)
        if wanted.origin:
            raise UsageError(f"both {wanted.origin} and {location} are to be compared with", hint="name one of them")
        wanted = evolve(wanted, sets=(), origin=str(location))
    gathered = gather(session, wanted, logins)
    gathered = evolve(gathered, job=evolve(gathered.job, policy=how.policy, at=how.trust.at))
    with session.stores(gathered.logins, reading) as stores:
        store = _opened(session, location, stores) if location else None
        verification = check_against_source(gathered.job, stores, how.deep, session.cancellation, store)
    more = [*connection_words(session.network, gathered.logins), *(["--deep"] if how.deep else []), *how.trust.words]
    tell_the_same(gathered, ["verify", *command_words(gathered.job, more)])
    return verification


def _as_written(wanted: WantedFlags, logins: LoginFlags) -> tuple[WantedFlags, LoginFlags]:
    """The flags without the defaults for source and target, since a store was named instead."""
    wanted = evolve(
        wanted,
        origin=_written("origin", wanted.origin),
        to=_written("to", wanted.to),
        tag=_written("tag", wanted.tag),
        image=wanted.image if is_written("image") else (),
        source_registry=_written("source_registry", wanted.source_registry),
        source_repository=_written("source_repository", wanted.source_repository),
    )
    return wanted, evolve(logins, source_username=_written("source_username", logins.source_username))


def _written(name: str, value: Flag) -> Flag | None:
    return value if is_written(name) else None


def _registry_alone(wanted: WantedFlags, environment: Environment) -> tuple[Location, Name | None] | None:
    """The registry, and perhaps the one image there, if nothing is named that it could be compared with."""
    if wanted.origin:
        return None
    if not wanted.sets:
        if not wanted.to and not environment.incumbent and not is_interactive():
            hint = "name a registry, an image there, a folder or a bundle: transload verify registry.local/arcdata …"
            raise SettingMissing("nothing says what should be verified", hint=hint)
        location = Location.parse(wanted.to) if wanted.to else None
        return (location, None) if location and location.kind == "registry" else None
    is_target = len(wanted.sets) == 1 and wanted.to is None
    if not is_target or Answers.from_variables(environment.incumbent).target_registry:
        return None
    return registry_place(wanted.sets[0])


def _check_takes_all(wanted: WantedFlags) -> None:
    if wanted.image or wanted.tag or (wanted.platform and is_written("platform")):
        raise UsageError(
            "a store checked by itself takes no --image, --tag or --platform", hint="say what to compare with"
        )


def _check_alone(
    session: Session, location: Location, wanted: WantedFlags, reading: Carried, how: _How
) -> Verification:
    _check_takes_all(wanted)
    with session.stores(carried=reading) as stores:
        store = _opened(session, location, stores)
        return check_alone(store, how.deep, session.cancellation, stores.working, how.judge)


def _opened(session: Session, location: Location, stores: Stores) -> CarriedStore:
    """The named store. Writes a note if a bundle's signature was not checked."""
    store = open_carried(location, stores)
    if session.output.speaks and store.bundle:
        say_notes(signature_notes(store.bundle))
    return store


def _tell(checked: Verification, deep: bool, quiet: bool, at: datetime | None) -> None:
    checked = _without_companions(checked)
    shown = [proof for proof in checked.proofs if not quiet or not proof.good or str(proof.name) in checked.troubles]
    names = max((len(str(proof.name)) for proof in shown), default=0)
    mark = max([_MARK, *(len(_in_words(proof.verdict)) for proof in shown)])
    explained: set[Problem] = set()  # one missing volume stops many images
    hints: list[str | None] = []  # they come last, where people look
    for proof in shown:
        show_result(beside(*_line(proof, mark), mark + 1 + names, width_of(sys.stdout)))
        _tell_trust(checked, str(proof.name), " " * (mark + 1))
        if proof.error is not None and proof.verdict != "absent" and not proof.unpublished:
            problem = Problem.of(proof.error, target=checked.target)
            if without_subject(problem) not in explained:
                say(problem_lines(evolve(problem, hint=None), width_of(sys.stderr), indent="  "))
                hints.append(problem.hint)
            explained.add(without_subject(problem))
    _tell_unpublished([proof.error for proof in shown if proof.error is not None and proof.unpublished])
    for trouble in checked.problems:
        problem = Problem.of(trouble, target=checked.target)
        say(problem_lines(evolve(problem, hint=None), width_of(sys.stderr)))
        hints.append(problem.hint)
    _tell_sum(checked, deep, at)
    say_notes(checked.notes)
    _tell_hints(checked, hints)


def _without_companions(checked: Verification) -> Verification:
    """The same without tags that a policy has not judged, since they only hold the signatures of other images."""
    if not checked.policy:
        return checked
    judged = checked.trust.keys() | checked.troubles.keys()
    kept = (proof for proof in checked.proofs if not proof.good or str(proof.name) in judged)
    return evolve(checked, proofs=tuple(kept))


def _tell_trust(checked: Verification, name: str, indent: str) -> None:
    """Who signed an image, or why it is not signed as the policy wants; nothing without a policy."""
    trust, trouble = checked.trust.get(name), checked.troubles.get(name)
    if trust is not None:
        show_result(trust_lines(trust, indent, width_of(sys.stdout)))
    elif trouble is not None:
        say(problem_lines(Problem.of(trouble, target=checked.target), width_of(sys.stderr), indent="  "))


def _tell_hints(checked: Verification, hints: list[str | None]) -> None:
    """What to do about what is wrong, and about images that are refused; several have one cause."""
    refused = (trouble.hint for name, trouble in checked.troubles.items() if name in checked.trust)
    for text in [*dict.fromkeys(hint for hint in (*hints, *refused) if hint)][:_HINTS]:
        say(folded("  hint: ", text, width_of(sys.stderr), "strong"))


def _tell_unpublished(errors: list[TransloadError]) -> None:
    """The problem in words that are the same for every missing image, so that it is explained once."""
    if errors:
        problem = Problem.of(errors[0])
        problem = problem if len(errors) == 1 else problem.not_published()
        hint = problem.hint or "check the names; with --allow-missing, what the source lacks is left out"
        say(problem_lines(evolve(problem, hint=hint), width_of(sys.stderr)))


def _tell_sum(checked: Verification, deep: bool, at: datetime | None) -> None:
    width = width_of(sys.stdout)
    if checked.proofs or checked.problems:
        show_result(
            folded(f"{count(len(checked.proofs), 'image')}: ", _in_sum(checked, deep), width, _meaning(checked))
        )
    if checked.policy:
        unasked = sum(name not in checked.trust for name in checked.troubles)
        show_result(policy_lines(checked.policy, at, checked.trust.values(), unasked, width))
    if checked.left_out:
        it = "it" if checked.left_out == 1 else "them"
        sentence = f"{count(checked.left_out, 'image')} left out, the target should have {it}: nothing to check"
        show_result(folded("", sentence, width))
    if checked.prerequisites:
        pieces = count(len(checked.prerequisites), "prerequisite")
        needed = size(sum(piece.size for piece in checked.prerequisites))
        show_result(folded("", f"{pieces} ({needed}) left out, the target should have them: not checked", width))
    if any(proof.verdict == "absent" for proof in checked.proofs):
        sentence = f"mirror or push to {checked.target} once more; what is there already is not sent again"
        say(folded("  hint: ", sentence, width_of(sys.stderr), "strong"))


def _in_sum(checked: Verification, deep: bool) -> str:
    """How many images have each verdict, and how they were checked."""
    how = "every blob read and hashed" if deep or checked.whole else "every manifest read, every blob asked for"
    bad = Counter(proof.verdict for proof in checked.proofs if not proof.good)
    good = len(checked.proofs) - bad.total()
    parts = [count(len(checked.problems), "problem")] if checked.problems else []
    if good:
        parts.append(f"{good} proved ({how})" if bad or checked.problems else f"all proved ({how})")
    return ", ".join([*parts, *(f"{bad[verdict]} {_in_words(verdict)}" for verdict in _MARKS if bad[verdict])])


def _meaning(checked: Verification) -> Meaning:
    if checked.problems or any(proof.wrong for proof in checked.proofs):
        return "bad"
    return "good" if all(proof.good for proof in checked.proofs) else "warn"


def _in_words(verdict: Verdict) -> str:
    return "not checked" if verdict == "unchecked" else verdict


def _line(proof: Proof, mark: int) -> tuple[Styled, str]:
    """The verdict on a name, and the name."""
    facts = [digest(proof.digest)] if proof.digest else []
    if proof.good:
        facts.append(f"{count(proof.manifests, 'manifest')}, {count(proof.blobs, 'blob')}, {size(proof.bytes)}")
    words = f"{_in_words(proof.verdict):<{mark}} "
    return Styled.of((words, _MARKS[proof.verdict]), str(proof.name)), "  ".join(facts)
