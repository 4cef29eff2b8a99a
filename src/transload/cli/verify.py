"""`transload verify`: a target compared with the source, or a store checked by itself."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
from attrs import evolve

from transload.app.detect import only_store, signature_notes
from transload.app.location import Location
from transload.app.settings import Environment, read_environment
from transload.app.stores import Carried, Logins, Network, Stores
from transload.app.verify import Verification, check_against_source, check_alone, check_bundle
from transload.cli import options
from transload.cli.command import Command, is_written
from transload.cli.commandline import command_words, connection_words
from transload.cli.console import say, show_result, width_of
from transload.cli.gather import gather, tell_the_same
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.errors import TransloadError, UsageError
from transload.report.problem import Problem, kin, problem_lines
from transload.report.styled import Meaning, Styled, beside, folded
from transload.report.texts import count, digest, size
from transload.threads import Cancellation
from transload.transfer.proof import Proof, Verdict

_MARK = 9  # letters of a verdict; those that are longer widen the column
_MARKS: dict[Verdict, Meaning] = {
    "identical": "good",
    "sound": "good",
    "differs": "bad",
    "absent": "bad",
    "damaged": "bad",
    "unproved": "warn",
    "unchecked": "warn",
}
_OTHERWISE = ("from", "to", "tag", "source_registry", "source_repository", "source_username")


@click.command(cls=Command)
@options.wanted
@click.option("--deep", is_flag=True, help="Read and hash every blob at the target again.")
@options.bundle
@options.logins
@options.network
@options.reporter
def verify(
    deep: bool, key: Path | None, volumes: tuple[Path, ...], output: OutputFormat, quiet: bool, **flags: Any
) -> int:
    """Prove that a target holds what the source publishes, image by image.

    Compares the digest of every image with the source's, reads every manifest at the target, and asks for every blob;
    --deep reads and hashes the blobs as well. A single bundle:NAME, oci:DIR or archive:FILE (or the path of one) is
    what the target is compared with; without --to it is checked by itself, of a bundle every byte.

    \b
      transload verify arcdata --to registry.local/arcdata
      transload verify /media/usb/arcdata-2026-11 --key site.pub
      transload verify /media/usb/arcdata-2026-11 --to registry.local/arcdata
      transload verify oci:folder --deep
    """
    network = options.network_of(flags)
    cancellation = Cancellation()
    with Output("verify", output, quiet) as reporter, stoppable(cancellation, reporter.notice):
        checked = _check(flags, deep, network, options.carried(volumes, key), cancellation, reporter)
        if not reporter.document("verification", deep=deep, **checked.to_json()):
            _tell(checked, deep, quiet)
    return checked.exit_code


def _check(
    flags: dict[str, Any], deep: bool, network: Network, carried: Carried, cancellation: Cancellation, reporter: Output
) -> Verification:
    environment = read_environment()
    place = only_store(flags["sets"], carried, alone=flags["to"] is None and not flags["from"])
    if place is not None:  # what is named goes before where others usually come from and go to
        flags = flags | {name: flags[name] if is_written(name) else None for name in _OTHERWISE}
        flags = flags | {"image": flags["image"] if is_written("image") else ()}
    if place is None:
        carried.demand_signature(_source(flags))  # before a file that somebody brought is read, or anybody asked
    if place is not None and flags["to"] is None and not flags["from"]:
        return _check_alone(place, flags, deep, environment, network, carried, cancellation, reporter)
    if place is not None:
        if flags["from"]:
            raise UsageError(f"both {flags['from']} and {place} are to be compared with", hint="name one of them")
        flags = {**flags, "sets": (), "from": str(place)}
    given = gather(flags, environment, network)
    with Stores(environment, network, given.logins, cancellation, carried, reporter.ears) as stores:
        if reporter.speaks and place is not None and place.kind == "bundle":
            say(f"note: {note}" for note in signature_notes(stores.bundle(place)))
        checked = check_against_source(given.job, stores, deep, cancellation, place)
    more = [*connection_words(network, given.logins), *(["--deep"] if deep else [])]
    tell_the_same(given, ["verify", *command_words(given.job, more)])
    return checked


def _check_alone(
    place: Location,
    flags: dict[str, Any],
    deep: bool,
    environment: Environment,
    network: Network,
    carried: Carried,
    cancellation: Cancellation,
    reporter: Output,
) -> Verification:
    if flags["image"] or flags["tag"] or (flags["platform"] and is_written("platform")):
        raise UsageError(
            "a store checked by itself takes no --image, --tag or --platform", hint="say what to compare with"
        )
    with Stores(environment, network, Logins(), cancellation, carried, reporter.ears) as stores:
        if place.kind == "bundle":
            if reporter.speaks:
                say(f"note: {note}" for note in signature_notes(stores.bundle(place)))
            return check_bundle(place, stores, cancellation)
        return check_alone(place, stores, deep, cancellation)


def _source(flags: dict[str, Any]) -> Location | None:
    """The store that is compared with, where --from names it; catalogs and references are at registries."""
    return Location.parse(flags["from"]) if flags["from"] else None


def _tell(checked: Verification, deep: bool, quiet: bool) -> None:
    shown = [proof for proof in checked.proofs if not (quiet and proof.good)]
    names = max((len(str(proof.name)) for proof in shown), default=0)
    mark = max([_MARK, *(len(_in_words(proof.verdict)) for proof in shown)])
    explained: set[Problem] = set()  # one missing volume is the trouble of many images
    for proof in shown:
        show_result(beside(*_line(proof, mark), mark + 1 + names, width_of(sys.stdout)))
        if proof.error is not None and proof.verdict != "absent" and not proof.unpublished:
            problem = Problem.of(proof.error, target=checked.target)
            if kin(problem) not in explained:
                say(problem_lines(problem, width_of(sys.stderr), indent="  "))
            explained.add(kin(problem))
    _tell_unpublished([proof.error for proof in shown if proof.error is not None and proof.unpublished])
    for trouble in checked.problems:
        say(problem_lines(Problem.of(trouble, target=checked.target), width_of(sys.stderr)))
    _tell_sum(checked, deep)
    say(f"note: {note}" for note in checked.notes)


def _tell_unpublished(errors: list[TransloadError]) -> None:
    """What the source lacks differs only by its name, so that it is explained once."""
    if errors:
        problem = Problem.of(errors[0])
        problem = problem if len(errors) == 1 else problem.not_published()
        hint = problem.hint or "check the names; with --allow-missing, what the source lacks is left out"
        say(problem_lines(evolve(problem, hint=hint), width_of(sys.stderr)))


def _tell_sum(checked: Verification, deep: bool) -> None:
    width = width_of(sys.stdout)
    if checked.proofs or checked.problems:
        show_result(
            folded(f"{count(len(checked.proofs), 'image')}: ", _in_sum(checked, deep), width, _meaning(checked))
        )
    if checked.left_out:
        it = "it" if checked.left_out == 1 else "them"
        told = f"{count(checked.left_out, 'image')} left out, the far side should have {it}: nothing to check"
        show_result(folded("", told, width))
    if checked.prerequisites:
        pieces = count(len(checked.prerequisites), "prerequisite")
        needed = size(sum(each.size for each in checked.prerequisites))
        show_result(folded("", f"{pieces} ({needed}) left out, the far side should have them: not checked", width))
    if any(proof.verdict == "absent" for proof in checked.proofs):
        told = f"mirror or push to {checked.target} once more; what is there already is not sent again"
        say(folded("  hint: ", told, width_of(sys.stderr), "strong"))


def _in_sum(checked: Verification, deep: bool) -> str:
    """How many images came to each verdict; how it was proved stands beside what was."""
    how = "every blob read and hashed" if deep or checked.whole else "every manifest read, every blob asked for"
    bad = Counter(proof.verdict for proof in checked.proofs if not proof.good)
    good = len(checked.proofs) - bad.total()
    told = [count(len(checked.problems), "problem")] if checked.problems else []
    if good:
        told.append(f"{good} proved ({how})" if bad or checked.problems else f"all proved ({how})")
    return ", ".join([*told, *(f"{bad[verdict]} {_in_words(verdict)}" for verdict in _MARKS if bad[verdict])])


def _meaning(checked: Verification) -> Meaning:
    if checked.problems or any(proof.wrong for proof in checked.proofs):
        return "bad"
    return "good" if all(proof.good for proof in checked.proofs) else "warn"


def _in_words(verdict: Verdict) -> str:
    return "not checked" if verdict == "unchecked" else verdict


def _line(proof: Proof, mark: int) -> tuple[Styled, str]:
    """The verdict on a name, and what it is about."""
    facts = [digest(proof.digest)] if proof.digest else []
    if proof.good:
        facts.append(f"{count(proof.manifests, 'manifest')}, {count(proof.blobs, 'blob')}, {size(proof.bytes)}")
    words = f"{_in_words(proof.verdict):<{mark}} "
    return Styled.of((words, _MARKS[proof.verdict]), str(proof.name)), "  ".join(facts)
