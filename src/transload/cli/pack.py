"""`transload pack`: writes a release to a medium."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import click

from transload.app.location import Location
from transload.app.network import Network
from transload.app.outcome import StartTime
from transload.app.pack import Packed, Packing, bundle_path, prepare_pack
from transload.app.protecting import Division
from transload.app.tool import Tool, put_tool, tool_for
from transload.app.trusthints import planned_hints
from transload.cli import ages as age_flags
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.commandline import all_words, command_line, command_words, connection_words, limit_words
from transload.cli.console import show_result, width_of
from transload.cli.flags import GateFlags, LoginFlags, MediaFlags, RunFlags, WantedFlags
from transload.cli.gather import gather, tell_the_same
from transload.cli.gating import gates, with_gates
from transload.cli.ledgers import BundleView
from transload.cli.output import Output, OutputFormat
from transload.cli.prompting import ask_for_medium
from transload.cli.recording import RecordFlags, record_in_bundle, recorded, recording
from transload.cli.running import carry
from transload.cli.session import open_session
from transload.cli.signing import SigningFlags, load_signer, signing_options
from transload.cli.trusting import TrustFlags, policies, with_policy
from transload.errors import RefusedByRule
from transload.planning.ages import Ages
from transload.planning.plan import Plan
from transload.report.result import Result, exit_code
from transload.report.styled import folded
from transload.report.texts import size
from transload.transfer.limits import Limits
from transload.values import evolve

_HINT = "python3 -m pip install 'transload[tool]' here adds the parts for that, then pack again"


@click.command(cls=Command)
@click.option(
    "-o", "--out", type=options.ANY_PATH, required=True, metavar="NAME", help="The bundle: a path without suffix."
)
@click.option(
    "--volume-size", metavar="SIZE", default="none", show_default=True, envvar="TRANSLOAD_VOLUME_SIZE",
    help="Cut into volumes: 4GiB, 700MB, fat32, cd, dvd, bd.",
)  # fmt: skip
@click.option(
    "--volume-count", type=click.IntRange(min=1), metavar="N", envvar="TRANSLOAD_VOLUME_COUNT",
    help="Cut into N volumes of one size.",
)  # fmt: skip
@click.option(
    "--recovery", type=click.IntRange(min=0), metavar="K", default=0, show_default=True, envvar="TRANSLOAD_RECOVERY",
    help="Write K recovery volumes too: any K volumes that are lost or damaged are made again from them.",
)  # fmt: skip
@click.option(
    "--against", type=options.ANY_PATH, metavar="FILE", envvar="TRANSLOAD_AGAINST",
    help="Leave out what the target has: its inventory, or the bundle it got before.",
)  # fmt: skip
@click.option(
    "--against-key", type=options.FILE, metavar="FILE", envvar="TRANSLOAD_AGAINST_KEY",
    help="Public key that must have signed what --against names.",
)  # fmt: skip
@options.media
@click.option("--also", type=options.FILE, multiple=True, metavar="FILE", help="Carry this file too (repeatable).")
@signing_options
@recorded
@click.option(
    "--with-tool", metavar="pyz|binary|auto|FILE", shell_complete=completion.programs,
    help="Put this program beside the volumes too: as one file for a Python, as native executable (if it is one), as "
    "what it can; or FILE.",
)  # fmt: skip
@gates
@options.packed
@options.source_login
@age_flags.ages
@policies
@options.network
@options.limits
@options.reports
@options.reporter
def pack(
    out: Path,
    volume_size: str | None,
    volume_count: int | None,
    recovery: int,
    against: Path | None,
    against_key: Path | None,
    media: MediaFlags,
    also: tuple[Path, ...],
    signing: SigningFlags,
    record: RecordFlags,
    with_tool: str | None,
    gating: GateFlags,
    wanted: WantedFlags,
    logins: LoginFlags,
    ages: Ages,
    trust: TrustFlags,
    network: Network,
    limits: Limits,
    output: OutputFormat,
    quiet: bool,
    run: RunFlags,
    jobs: int,
) -> int:
    """Pack images into a bundle that crosses an air gap on a disk: NAME.tar, or volumes NAME.001.tar and so on.

    Every blob is written once; the same command goes on after an interruption, and the same content gives the same
    bytes. transload push brings it into a registry on the other side.

    If an image is not available, nothing is written; --allow-missing packs the others.

    \b
      transload pack arcdata -o /media/usb/arcdata-2026-11
      transload pack arcdata -o arcdata --volume-size fat32 --sign-key key.pem
      transload pack arcdata -o arcdata --volume-size dvd --recovery 2
      transload pack arcdata -o arcdata --against site.json
      transload pack arcdata -o /media/usb/arcdata --volume-size fat32 --to-media
    """
    with open_session("pack", output, quiet, network, run) as session:
        gathered = gather(session, wanted, logins, target=Location("bundle", str(out)), bodies=jobs)
        gathered = evolve(gathered, job=evolve(gathered.job, ages=ages))
        gathered = with_policy(gathered, trust, session.output.notice)
        signer = load_signer(signing, session.environment, session.output.paused)
        gathered = with_gates(gathered, gating, session, limits, signer)
        job = gathered.job
        records = recording(record, signer)
        tool = tool_for(with_tool) if with_tool is not None else None
        packing = Packing(
            out=bundle_path(out),
            division=_division(volume_size, volume_count, recovery),
            against=against,
            against_key=against_key,
            also=also,
            signer=signer,
            in_bundle=record_in_bundle(record, session.output.run_id),
            verify_medium=media.verify_medium,
            to_media=media.to_media,
            rewrite=media.rewrite_volume,
            ask_medium=ask_for_medium(session.output.paused),
            limits=limits,
        )
        paths = {"--against": against, "--against-key": against_key}
        more = [*connection_words(network, gathered.logins), *limit_words(limits)]
        more += all_words(media, gating, record, signing, trust, run)
        own = _words(out, packing.division, volume_size, paths, also, with_tool)
        words = ["pack", *command_words(job, [*own, *more])]
        images = [word for image in job.images for word in ("--image", image)]
        began = StartTime.now(command_line([*words, *images]), session.output.run_id)
        session.begins(began.asked, began, job.target)
        with session.stoppable(), session.stores(gathered.logins) as stores:
            session.wait(limits)
            packed = prepare_pack(job, packing, stores, session.cancellation)
            view = _view(packed, packing)
            session.output.document("bundle", **view.to_json(), **({"tool": tool.to_json()} if tool else {}))
            again = _again(packed.prepared.plan, began.asked)
            result = carry(session, stores, packed.prepared, began, again, job.bodies, limits, recording=records)
        written = put_tool(tool, packing.out, signed=signer is not None) if tool and _is_finished(result) else []
        tell_the_same(gathered, words)
        if output == "text":
            _tell_end(result, view, session.output, quiet)
            if tool and written and not quiet:
                _tell_tool(tool, written)
        return exit_code(result)


def _division(volume_size: str | None, volume_count: int | None, recovery: int) -> Division:
    from transload.bundle.format.volumes import parse_volume_size

    size = parse_volume_size(volume_size or "none")
    return Division(volume_bytes=size, volumes=volume_count, recovery=recovery)


def _words(
    out: Path,
    division: Division,
    volume_size: str | None,
    paths: Mapping[str, Path | None],
    also: Iterable[Path],
    with_tool: str | None,
) -> list[str]:
    words = ["-o", str(out)]
    words += ["--volume-size", volume_size] if volume_size and division.volume_bytes is not None else []
    words += ["--volume-count", str(division.volumes)] if division.volumes is not None else []
    words += ["--recovery", str(division.recovery)] if division.recovery else []
    words += [word for flag, path in paths.items() if path for word in (flag, str(path))]
    words += [word for path in also for word in ("--also", str(path))]
    return words + (["--with-tool", with_tool] if with_tool else [])


def _view(packed: Packed, packing: Packing) -> BundleView:
    signer = packing.signer
    return BundleView(
        packed.blueprint.ledger,
        packing.out.name,
        signer.key_id if signer else None,
        signer is not None,
        recovery=tuple(file.name for file in packed.recovery.files) if packed.recovery else (),
        hints=planned_hints(packed.blueprint.ledger, packed.blueprint.contents.extras),
    )


def _again(plan: Plan, asked: str) -> Callable[[Sequence[str]], str]:
    """The command that packs the rest; none for images that rules refuse, since the bundle is finished without them."""
    refused = {image.label for image in plan.images if isinstance(image.error, RefusedByRule)}
    return lambda names: "" if names and refused.issuperset(names) else asked


def _is_finished(result: Result) -> bool:
    """Whether the bundle has all that rules let pass, and its name."""
    return result.only_rules_refused and not (result.interrupted or result.out_of_bytes or result.problem)


def _tell_end(result: Result, view: BundleView, reporter: Output, quiet: bool) -> None:
    if not _is_finished(result):
        reporter.notice("the bundle is not finished: what was fetched is kept, and the same command fetches the rest")
    elif not quiet:
        show_result(["", *view.facts(width_of(sys.stdout))])


def _tell_tool(tool: Tool, written: Sequence[Path]) -> None:
    named = f"{tool.name} {size(len(tool.content))}, sha256 {tool.digest}"
    lines = [("tool", " and ".join([named, *(path.name for path in written[1:])]))]
    if tool.lacks:
        lines.append(("note", f"it cannot {' or '.join(tool.lacks)} there: {_HINT}"))
    show_result([line for name, text in lines for line in folded(f"{name + ':':<9} ", text, width_of(sys.stdout))])
