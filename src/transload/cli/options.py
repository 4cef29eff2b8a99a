"""Flags that several commands share. Those that belong together reach the command as one value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from transload.app.job import Through
from transload.app.network import Network
from transload.app.stores import Carried
from transload.cli import completion
from transload.cli import referrers as _referrers
from transload.cli.declaring import as_value as _as_value
from transload.cli.declaring import option as _option
from transload.cli.declaring import stacked as _stacked
from transload.cli.flags import LoginFlags, MediaFlags, RunFlags, WantedFlags
from transload.cli.kinds import NamedPath, Number, PlanFile, Size, StoreName
from transload.cli.referrers import wanted_flags
from transload.errors import UsageError
from transload.net.rates import RateLimits
from transload.transfer.limits import Limits

FILE = NamedPath(path_type=Path, dir_okay=False)
PLAN = PlanFile(path_type=Path, dir_okay=False)
FOLDER = NamedPath(path_type=Path, file_okay=False)
ANY_PATH = NamedPath(path_type=Path)
SIZE = Size()

_sets = click.argument("sets", metavar="[SET]...", nargs=-1, shell_complete=completion.catalogs)

_to = _option(
    "--to", metavar="STORE", shell_complete=completion.stores, help="The target: HOST[:PORT][/PREFIX] or oci:DIR."
)


_to_each = _option(
    "--to",
    metavar="STORE",
    type=StoreName(),
    multiple=True,
    shell_complete=completion.stores,
    help="The target: HOST[:PORT][/PREFIX] or oci:DIR. Repeat it for several: each blob is read once.",
)
_FEEDS = "Feed a target from another one: --via SITE-B=SITE-A copies to SITE-A, then from there to SITE-B."
_via = _option("--via", metavar="STORE=STORE", type=StoreName(), multiple=True, help=_FEEDS)


def _wanted_at_each(to: tuple[str, ...], **flags: Any) -> WantedFlags:
    return wanted_flags(to=to[0] if to else None, also_to=to[1:], **flags)


_platform = _stacked(
    _option(
        "--platform",
        metavar="OS/ARCH",
        multiple=True,
        shell_complete=completion.platforms,
        help="Only this platform (repeatable).",
    ),
    _option(
        "--narrow",
        type=click.Choice(["rewritten", "sparse"]),
        default="rewritten",
        show_default=True,
        help="With --platform: a new index of these platforms, or the published one, sparse.",
    ),
)

_tag = _option(
    "--tag",
    "--releases",
    "tag",
    metavar="RELEASE",
    shell_complete=completion.releases,
    help="Release of the catalogs, or a range FROM..TO. Default: the newest.",
)
_target_tag = _option(
    "--target-tag", metavar="TAG", help="Tag of the catalogs' images at the target. Default: the same."
)
_flatten = _option("--flatten", is_flag=True, help="At the target, only the last part of each repository path.")
_publisher = _stacked(
    _option("--source-registry", metavar="HOST", help="Where images are published, if not where the catalog says."),
    _option("--source-repository", metavar="PREFIX", help="The repository prefix there, instead of the catalog's."),
)

_named_images = _stacked(
    _option(
        "--from",
        "origin",
        metavar="STORE",
        shell_complete=completion.stores,
        help="The source; without a SET, everything in it.",
    ),
    _tag,
    _target_tag,
    _option("--image", metavar="NAME", multiple=True, help="Only this image (repeatable)."),
    _platform,
)

_rest = _stacked(
    _option("--foreign-layers", is_flag=True, help="Layers that the publisher keeps elsewhere (foreign layers), too."),
    _option("--allow-missing", is_flag=True, help="Do not fail when the source lacks a listed image."),
    _option("--discover", is_flag=True, help="Take what the source publishes, not what the catalog lists."),
    _flatten,
    _publisher,
)

_selection = _stacked(_named_images, _referrers.copied, _rest)

_recheck = _option(
    "--recheck",
    is_flag=True,
    help="Ask the target also for all content of the images that it has, and send again what it has lost.",
)

wanted = _as_value("wanted", wanted_flags, _sets, _to, _selection)

compared = _as_value("wanted", wanted_flags, _sets, _to, _named_images, _referrers.checked, _rest)

mirrored = _as_value("wanted", _wanted_at_each, _sets, _to_each, _via, _selection, _recheck)

configured = _as_value(
    "sought",
    dict,
    _option(
        "--to", metavar="STORE", shell_complete=completion.stores, help="Where the images are: HOST[:PORT][/PREFIX]."
    ),
    _option(
        "--pull-from",
        metavar="STORE",
        shell_complete=completion.stores,
        help="The name under which clusters read what is below --to: HOST[:PORT][/PREFIX].",
    ),
    _publisher,
    _tag,
    _target_tag,
    _flatten,
)

packed = _as_value("wanted", wanted_flags, _sets, _selection)

pushed = _as_value(
    "wanted",
    wanted_flags,
    _to,
    click.option("--image", metavar="NAME", multiple=True, help="Only this image (repeatable)."),
    click.option("--target-tag", metavar="TAG", help="Tag at the target for the one image that has none."),
    click.option("--flatten", is_flag=True, help="At the target, only the last part of each repository path."),
    _platform,
    _referrers.carried,
    _recheck,
)

named = _stacked(
    _option("--to", metavar="STORE", shell_complete=completion.stores, help="The target, which must be the plan's."),
    _option(
        "--from",
        "origin",
        metavar="STORE",
        shell_complete=completion.stores,
        help="The source, which must be the plan's.",
    ),
)

verify_medium = _option(
    "--verify-medium",
    is_flag=True,
    help="At the end, read back from the medium what was written, past the system's cache, and compare.",
)

media = _as_value(
    "media",
    MediaFlags,
    verify_medium,
    click.option(
        "--to-media", is_flag=True, help="Write volume after volume, and ask for the next medium when one is full."
    ),
    click.option(
        "--rewrite-volume",
        type=click.IntRange(min=1),
        multiple=True,
        metavar="N",
        help="With --to-media: write volume N again, whose medium was lost or damaged (repeatable).",
    ),
)

values_folder = click.option(  # no variable: it is for runs with charts, and an error for others
    "--values-folder",
    type=FOLDER,
    metavar="DIR",
    help="Write values for each chart there, so that helm takes its images from the target.",
)


def _through(through: Literal["docker", "podman"] | None, keep: bool) -> Through | None:
    if keep and through is None:
        raise UsageError("--keep is for copies through an engine", hint="add --through docker, or leave --keep out")
    return Through(through, keep) if through else None


through = _as_value(  # no variables: this way keeps less, so each run should say that it is wanted
    "through",
    _through,
    click.option(
        "--through",
        type=click.Choice(["docker", "podman"]),
        help="Let this engine pull, tag and push, with its own proxy: one platform, new digests.",
    ),
    click.option("--keep", is_flag=True, help="With --through: keep in the engine what it pulled and tagged."),
)

compress = _option(
    "--compress", is_flag=True, help="Compress layers that are not compressed, for registries that take no others."
)

_source_login = _stacked(
    _option(
        "--source-username", metavar="USER", help="User at the source; the password comes from a variable or a prompt."
    ),
    click.option("--source-password-stdin", is_flag=True, help="Read the source's password from standard input."),
)

_target_login = _stacked(
    _option("--target-username", metavar="USER", help="User at the target."),
    click.option("--target-password-stdin", is_flag=True, help="Read the target's password from standard input."),
)

source_login = _as_value("logins", LoginFlags, _source_login)

target_login = _as_value("logins", LoginFlags, _target_login)

logins = _as_value("logins", LoginFlags, _source_login, _target_login)


def _carried(key: Path | None, volumes: tuple[Path, ...]) -> Carried:
    """How bundles are read, and whether a flag, a variable or the file demands a signature."""
    source = click.get_current_context().get_parameter_source("key")
    names = {ParameterSource.ENVIRONMENT: "TRANSLOAD_KEY", ParameterSource.DEFAULT_MAP: "the configuration file"}
    return Carried(volumes, key, key_from=names.get(source, "--key") if source else "--key")


bundle = _as_value(
    "reading",
    _carried,
    _option(
        "--key",
        type=FILE,
        help="Public key (PEM or OpenSSH) that must have signed the bundle; what is not signed is refused.",
    ),
    _option(
        "--volumes",
        metavar="DIR",
        type=FOLDER,
        multiple=True,
        help="Look for volumes in this folder too (repeatable).",
    ),
)


def _limits(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> RateLimits:
    try:
        return RateLimits.of(texts)
    except UsageError as error:
        raise click.BadParameter(f"{error.message}; {error.hint}") from error


network = _as_value(
    "network",
    Network,
    _option("--ca-file", "ca_files", type=FILE, multiple=True, help="Trust these certificate authorities too (PEM)."),
    _option("--client-cert", "client_certificate", type=FILE, help="Client certificate (PEM)."),
    _option("--client-key", type=FILE, help="Its key, if in a file of its own."),
    _option("--insecure-tls", metavar="HOST", multiple=True, help="Do not verify this host's certificate."),
    _option("--plain-http", metavar="HOST", multiple=True, help="Speak to this host without TLS."),
    _option(
        "--allow-realm", "realms", metavar="HOST", multiple=True, help="Also send the password to this token host."
    ),
    _option(
        "--stall-timeout",
        "stall_timeout_s",
        metavar="SECONDS",
        type=Number(1, 86_400),
        default=60,
        show_default=True,
        help="Give up a connection when nothing moves for this long.",
    ),
    _option(
        "--give-up-after",
        "give_up_after_s",
        metavar="SECONDS",
        type=Number(1),
        default=120,
        show_default=True,
        help="Give up when a host gives no useful answer for this long.",
    ),
    _option(
        "--min-rate",
        metavar="BYTES",
        type=Number(1),
        default=1024,
        show_default=True,
        help="Give up a connection that is slower than this, in bytes a second over a minute.",
    ),
    _option(
        "--limit-rate",
        metavar="[SIDE=]RATE",
        multiple=True,
        callback=_limits,
        help="Move no more than this in each direction: 20MB/s, or source=20MB/s, target=20MB/s (repeatable).",
    ),
    _option(
        "--max-connections",
        metavar="N",
        type=click.IntRange(1, 1000),
        default=32,
        show_default=True,
        help="Connections to one host, at most.",
    ),
)

reporter = _stacked(
    _option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="What goes to standard output: text, or JSON for programs.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress; results and failures only."),
)

limits = _as_value(
    "limits",
    Limits,
    _option("--max-bytes", metavar="SIZE", help="Stop cleanly after so many bytes (10GB); the same command goes on."),
    _option(
        "--between",
        metavar="HH:MM-HH:MM",
        help="Move blobs only at these times of the day: 22:00-05:00 (several: with commas). Else wait.",
    ),
)

_afterwards = _stacked(
    _option("--run-id", metavar="NAME", help="The run's name in output, reports and metrics. Default: a new one."),
    _option(
        "--metrics-file",
        type=ANY_PATH,
        metavar="FILE",
        help="Write the run's figures for Prometheus: FILE.prom in the folder of node_exporter's textfile collector.",
    ),
    _option(
        "--notify-command",
        metavar="COMMAND",
        help="Run this when the run is over: it gets the JSON result, and variables TRANSLOAD_… (no shell).",
    ),
    _option(
        "--notify-on",
        type=click.Choice(["failure", "change", "always"]),
        default="change",
        show_default=True,
        help="After failures; also when something was copied; also when nothing was new.",
    ),
)

recorded = _as_value("run", RunFlags, _afterwards)

reports = _stacked(
    _as_value(
        "run",
        RunFlags,
        _option("--report", type=FILE, multiple=True, help="Write a report: FILE.html, .md or .json (repeatable)."),
        _option(
            "--log-file",
            type=ANY_PATH,
            metavar="FILE",
            help="Append log lines with time, level and run id; - is standard error, in place of all else there.",
        ),
        _option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            help="How these lines are written.",
        ),
        _afterwards,
    ),
    _option(
        "--jobs",
        metavar="N",
        type=click.IntRange(1, 64),
        default=16,
        show_default=True,
        help="Blobs to move at the same time, at most.",
    ),
)
