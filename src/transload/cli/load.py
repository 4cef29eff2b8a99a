"""`transload load`: gives carried images to an engine of this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from transload.app.detect import carried_place, open_carried
from transload.app.loading import Loaded, LoadedImage, LoadWish, load_carried
from transload.app.loadnames import check_carried, check_under
from transload.app.location import Location
from transload.app.nodeengine import EngineChoice, open_engine
from transload.app.stores import Carried
from transload.cli import completion, options
from transload.cli.command import Command
from transload.cli.console import say, say_notes, show_result, width_of
from transload.cli.output import Output, OutputFormat
from transload.cli.prompting import ask_for_volume
from transload.cli.session import open_session
from transload.engines.address import KINDS, EngineKind
from transload.errors import UsageError
from transload.oci import Platform
from transload.report.problem import Problem, problem_lines, without_subject
from transload.report.styled import Meaning, Styled, beside, folded
from transload.report.texts import count, digest, size
from transload.values import evolve

_WORDS = {"loaded": "loaded", "updated": "updated", "present": "there", "left-out": "left out", "failed": "failed"}
_MEANINGS: dict[str, Meaning] = {"loaded": "good", "updated": "good", "present": "good", "left-out": "warn"}
_MARK = max(map(len, _WORDS.values()))


@click.command(cls=Command)
@click.argument("carried", metavar="BUNDLE", shell_complete=completion.files)
@click.option("--containerd", is_flag=True, help="Load into containerd, by its program ctr.")
@click.option("--docker", is_flag=True, help="Load into docker.")
@click.option("--podman", is_flag=True, help="Load into podman, by its service.")
@click.option(
    "--engine-address", metavar="SOCKET", help="The engine's socket: unix:///path (default: where it usually lies)."
)
@click.option("--namespace", metavar="NAME", help="containerd's namespace (default: k8s.io, that of pods).")
@click.option("--image", "images", multiple=True, metavar="NAME", help="Only this image (repeatable).")
@click.option(
    "--platform",
    metavar="OS/ARCH",
    shell_complete=completion.platforms,
    help="Load this platform (default: that of the engine).",
)
@click.option("--all-platforms", is_flag=True, help="Load every platform that is carried (containerd).")
@click.option(
    "--as",
    "under",
    metavar="HOST[/PREFIX]",
    help="Name images as at this registry (default: as where they were published).",
)
@options.bundle
@options.reporter
def load(
    carried: str,
    containerd: bool,
    docker: bool,
    podman: bool,
    engine_address: str | None,
    namespace: str | None,
    images: tuple[str, ...],
    platform: str | None,
    all_platforms: bool,
    under: str | None,
    reading: Carried,
    output: OutputFormat,
    quiet: bool,
) -> int:
    """Load images into docker, podman or containerd of this machine, straight from a bundle, without a registry.

    BUNDLE is a bundle's name, an OCI layout folder, an OCI archive, or a docker save archive. Images get the full names
    that pods ask for. What the engine has already is not sent. Without --containerd, --docker or --podman, the only
    engine that answers is taken.

    \b
      transload load /media/usb/arcdata-2026-11 --containerd
      transload load arcdata --key site.pub --docker --as registry.local/arcdata
      transload load oci:folder --podman --image arc-controller
    """
    chosen = dict(zip(KINDS, (docker, podman, containerd), strict=True))
    choice = EngineChoice(kind=_kind(chosen), address=engine_address, namespace=namespace)
    with open_session("load", output, quiet) as session:
        choice.check()
        wish = LoadWish(
            images=images,
            platform=Platform.parse(platform) if platform else None,
            whole=all_platforms,
            under=check_under(Location.parse(under)) if under else None,
        )
        wish.check()
        location = check_carried(carried_place(carried, reading))
        session.begins()
        if location.kind == "bundle":
            reading = evolve(reading, ask=ask_for_volume(Path(location.value), session.output.paused))
        with session.stoppable(), session.stores(carried=reading) as stores:
            engine = open_engine(choice, session.environment, session.cancellation.check, whole=all_platforms)
            store = open_carried(location, stores)
            tell = _Teller(session.output, quiet)
            loaded = load_carried(store, wish, engine, stores, session.cancellation, tell)
        if not session.output.document("loaded", **loaded.to_json()):
            _tell_sum(loaded, quiet)
    return loaded.exit_code


def _kind(chosen: dict[EngineKind, bool]) -> EngineKind | None:
    named = [kind for kind, is_chosen in chosen.items() if is_chosen]
    if len(named) > 1:
        raise UsageError(
            f"both {' and '.join(f'--{kind}' for kind in named)} are given", hint="load into one engine after the other"
        )
    return named[0] if named else None


class _Teller:
    """Writes a line for each image as it ends; a problem that several images have is explained once."""

    def __init__(self, output: Output, quiet: bool) -> None:
        self._output = output
        self._quiet = quiet
        self._explained: set[Problem] = set()

    def __call__(self, image: LoadedImage) -> None:
        if not self._output.speaks or (self._quiet and image.status != "failed"):
            return
        self._output.rest()
        show_result(beside(_line(image), _facts(image), _MARK + 1 + len(image.name), width_of(sys.stdout)))
        if image.error is None:
            return
        problem = Problem.of(image.error)
        if without_subject(problem) not in self._explained:
            say(problem_lines(problem, width_of(sys.stderr), indent="  "))
        self._explained.add(without_subject(problem))


def _line(image: LoadedImage) -> Styled:
    return Styled.of((f"{_WORDS[image.status]:<{_MARK}} ", _MEANINGS.get(image.status, "bad")), image.name)


def _facts(image: LoadedImage) -> str:
    parts = [digest(image.digest)] if image.digest else []
    parts += [size(image.bytes)] if image.status in {"loaded", "updated"} else []
    return "  ".join(parts)


def _tell_sum(loaded: Loaded, quiet: bool) -> None:
    counts = {
        word: sum(image.status == status for image in loaded.images)
        for status, word in {**_WORDS, "present": "there already"}.items()
    }
    parts = [f"{number} {word}" for word, number in counts.items() if number]
    sentence = f"{', '.join(parts)}; {size(loaded.bytes)} sent to {loaded.engine}"
    meaning: Meaning = "good" if loaded.good else "bad"
    if not (quiet and loaded.good):
        show_result(folded(f"{count(len(loaded.images), 'image')}: ", sentence, width_of(sys.stdout), meaning))
    say_notes(loaded.notes)
