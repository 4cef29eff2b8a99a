"""`transload push`: what was carried, into a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from transload.app.detect import carried_place, signature_notes
from transload.app.job import BODIES, Job
from transload.app.location import Location
from transload.app.outcome import StartTime
from transload.app.push import prepare_push
from transload.app.settings import read_environment
from transload.app.stores import Stores
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.commandline import command_line, connection_words, platform_words
from transload.cli.console import say
from transload.cli.gather import gather
from transload.cli.interruption import stoppable
from transload.cli.output import Output, OutputFormat
from transload.cli.prompting import ask_for_volume
from transload.cli.running import carry
from transload.report.result import exit_code
from transload.threads import Cancellation

_NO_SOURCE = dict.fromkeys(("from", "tag", "source_registry", "source_repository", "source_username", "discover")) | {
    "referrers": True,
    "foreign_layers": True,
    "foreign_as_held": True,
    "allow_missing": False,
}


@click.command(cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@options.to
@click.option("--image", metavar="NAME", multiple=True, help="Only this image (repeatable).")
@click.option("--target-tag", metavar="TAG", help="Tag at the target for the one image that has none.")
@click.option("--flatten", is_flag=True, help="At the target, only the last part of each repository path.")
@options.platform
@options.compress
@options.bundle
@options.target_login
@options.network
@options.reports
@options.reporter
def push(
    carried: str,
    key: Path | None,
    volumes: tuple[Path, ...],
    output: OutputFormat,
    quiet: bool,
    report: tuple[Path, ...],
    compress: bool,
    **flags: Any,
) -> int:
    """Push a bundle to a registry, straight from its volumes; what is there already is not sent.

    BUNDLE is a bundle's name, an OCI layout folder, an OCI archive, or a docker save archive. With --key, nothing that
    the key did not sign is read. A volume that is missing or damaged costs only the images that need it. Of an image of
    which only some platforms are there, as docker save leaves it, those are pushed, and the others are named.

    \b
      transload push /media/usb/arcdata-2026-11 --to registry.local/arcdata
      transload push arcdata --volumes /media/disk2 --to registry.local/arcdata
      transload push arcdata --key site.pub --to registry.local/arcdata
      transload push saved.tar --compress --to registry.local/tools
    """
    network = options.network_of(flags)
    environment = read_environment()
    with Output("push", output, quiet, report) as reporter:
        place = carried_place(carried, options.carried(volumes, key))
        more = {"sets": (), **_NO_SOURCE, "discover": False, "source_password_stdin": False, "from": str(place)}
        given = gather({**more, **flags}, environment, network)
        switches = ["--compress"] if compress else []
        words = [carried, *_words(key, volumes, given.job), *switches, *connection_words(network, given.logins)]
        again = _again(words, given.job)
        began = StartTime.now(again(()))
        cancellation = Cancellation()
        ask = ask_for_volume(Path(place.value), reporter.paused) if place.kind == "bundle" else None
        reading = options.carried(volumes, key, ask)
        with (
            stoppable(cancellation, reporter.notice),
            Stores(environment, network, given.logins, cancellation, reading, reporter.ears) as stores,
        ):
            if quiet and reporter.speaks and place.kind == "bundle":  # otherwise it is told beside the totals
                say(f"note: {note}" for note in signature_notes(stores.bundle(place)))
            prepared = prepare_push(place, given.job, stores, cancellation, compress=compress)
            return exit_code(carry(prepared, stores, reporter, cancellation, began, again, given.job.bodies))


def _words(key: Path | None, volumes: Iterable[Path], job: Job) -> list[str]:
    words = ["--key", str(key)] if key else []
    for folder in volumes:
        words += ["--volumes", str(folder)]
    words += ["--to", str(job.target), *(["--flatten"] if job.flatten else []), *platform_words(job)]
    words += ["--target-tag", job.target_tag] if job.target_tag else []
    return words + (["--jobs", str(job.bodies)] if job.bodies != BODIES else [])


def _again(words: Iterable[str], job: Job) -> Callable[[tuple[str, ...]], str]:
    """Writes the command line that pushes only the named images; without names all that `job` wants."""
    always = ["push", *words]

    def command(names: tuple[str, ...]) -> str:
        chosen = [_image_word(name, job.target) for name in names]
        if job.flatten:  # which no longer tells the path in the bundle
            chosen = [name.partition(":")[0] for name in chosen]
        restricted = [word for image in dict.fromkeys(chosen or job.images) for word in ("--image", image)]
        return command_line([*always, *restricted])

    return command


def _image_word(name: str, target: Location) -> str:
    """A name at the target as --image takes it: `repository:tag` or `repository@digest` without the prefix."""
    return name.removeprefix(f"{target.prefix}/") if target.prefix else name
