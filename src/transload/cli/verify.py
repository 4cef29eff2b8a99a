"""`transload verify`: a target compared with the source, or a store checked by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from transload.app.place import Place
from transload.app.pushing import carried_place
from transload.app.selecting import FILE_SUFFIXES, kind_of
from transload.app.settings import read_environment
from transload.app.stores import Carried, Logins, Network, Stores
from transload.app.verifying import Checked, check_against_source, check_alone, check_bundle
from transload.cli import options
from transload.cli.guide import gather
from transload.cli.progress import Output, Telling
from transload.cli.stopping import stoppable
from transload.cli.telling import say, show_result
from transload.errors import UsageError
from transload.nursery import Cancellation
from transload.report.problems import Problem, problem_lines
from transload.report.styled import Meaning, Styled
from transload.report.texts import count, digest, size
from transload.transfer.proof import Proof, Verdict

_ALL_GOOD: tuple[str, Meaning] = ("all proved", "good")
_MARKS: dict[Verdict, Meaning] = {
    "identical": "good",
    "sound": "good",
    "differs": "bad",
    "absent": "bad",
    "damaged": "bad",
    "unproved": "warn",
}


@click.command()
@options.wanted
@click.option("--deep", is_flag=True, help="Read and hash every blob at the target again.")
@options.bundle
@options.logins
@options.network
@options.telling
def verify(deep: bool, key: Path | None, volumes: tuple[Path, ...], output: Output, quiet: bool, **flags: Any) -> int:
    """Prove that a target holds what the source publishes, image by image.

    Compares the digest of every image with the source's, reads every manifest at the target, and asks for every blob;
    --deep reads and hashes the blobs as well. A single bundle:NAME, oci:DIR or archive:FILE (or the path of one)
    without --to is checked by itself; of a bundle every byte is read.

    \b
      transload verify arcdata --to registry.local/arcdata
      transload verify /media/usb/arcdata-2026-11 --key site.pub
      transload verify oci:folder --deep
    """
    network = options.network_of(flags)
    cancellation = Cancellation()
    with Telling("verify", output, quiet) as telling, stoppable(cancellation, telling.notice):
        checked = _check(flags, deep, network, Carried(volumes, key), cancellation)
        if not telling.document("verification", deep=deep, **checked.to_json()):
            _tell(checked, deep, quiet)
    return checked.exit_code


def _check(
    flags: dict[str, Any], deep: bool, network: Network, carried: Carried, cancellation: Cancellation
) -> Checked:
    environment = read_environment()
    alone = _alone(flags)
    if alone is not None:
        if flags["image"] or flags["tag"]:
            raise UsageError("a store checked by itself takes no --image and no --tag", hint="say what to compare with")
        with Stores(environment, network, Logins(), cancellation, carried) as stores:
            if alone.kind == "bundle":
                return check_bundle(alone, stores, cancellation)
            return check_alone(alone, stores, deep, cancellation)
    given = gather(flags, environment, network)
    with Stores(environment, network, given.logins, cancellation) as stores:
        return check_against_source(given.job, stores, deep, cancellation)


def _alone(flags: dict[str, Any]) -> Place | None:
    """The store to be checked by itself: a single local one, nothing else said."""
    sets = flags["sets"]
    if len(sets) != 1 or flags["to"] or flags["from"]:
        return None
    local = sets[0].partition(":")[0] in {"oci", "bundle", "archive"}
    if local or (kind_of(sets[0]) == "file" and not sets[0].lower().endswith(FILE_SUFFIXES)):
        return carried_place(sets[0])
    return None


def _tell(checked: Checked, deep: bool, quiet: bool) -> None:
    shown = [proof for proof in checked.proofs if not (quiet and proof.good)]
    width = max((len(str(proof.name)) for proof in shown), default=0)
    for proof in shown:
        show_result([_line(proof, width)])
        if proof.error is not None and proof.verdict != "absent":
            say(problem_lines(Problem.of(proof.error, target=checked.target), indent="  "))
    say(line for problem in checked.problems for line in problem_lines(Problem.of(problem, target=checked.target)))
    how = "every blob read and hashed" if deep else "every manifest read, every blob asked for"
    bad = Counter(proof.verdict for proof in checked.proofs if not proof.good)
    told: tuple[str, Meaning] = (
        (", ".join(f"{number} {verdict}" for verdict, number in bad.items()), "bad") if bad else _ALL_GOOD
    )
    show_result([Styled.of(f"{count(len(checked.proofs), 'image')}: ", told, f" ({how})")])
    if bad["absent"]:
        say([f"  hint: what is absent at {checked.target} can be mirrored; what is there already is not sent again"])


def _line(proof: Proof, width: int) -> Styled:
    facts = f"  {digest(proof.digest)}" if proof.digest else ""
    if proof.good:
        facts += f"  {count(proof.manifests, 'manifest')}, {count(proof.blobs, 'blob')}, {size(proof.bytes)}"
    return Styled.of((f"{proof.verdict:<10}", _MARKS[proof.verdict]), f"{proof.name!s:<{width}}", (facts, "faint"))
