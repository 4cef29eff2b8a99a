"""Makes the files that tell nodes and clusters where images are, and writes them: all, or none. Nothing is applied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from transload.app.inputfiles import input_files
from transload.app.location import Location
from transload.app.relocations import Sources, read_relocation
from transload.app.stores import Stores
from transload.configuration import Configuration, Reach, Relocation, Wishes
from transload.configuration.kinds import Kind, Wish
from transload.configuration.trust import certificates
from transload.errors import UsageError
from transload.files.together import NewFile, write_together
from transload.threads import Cancellation
from transload.values import evolve, field, frozen

_FLAGS: dict[Wish, str] = {
    "name": "--name",
    "namespace": "--namespace",
    "inputs": "--rewrite",
    "pin": "--pin",
    "no_fallback": "--no-fallback",
    "strict": "--strict",
    "login": "--with-login",
    "ca": "--node-ca-file",
}


@frozen(kw_only=True)
class Wanted:
    """One configuration: its kind, what says where the images are, what it should have, and how nodes reach them.

    `rewrite` are the files, folders or charts that become inputs of the kind. `reach` is asked for the registry that
    turned out, which a report or an inventory may know alone.
    """

    kind: Kind
    sources: Sources
    wishes: Wishes = field(factory=Wishes)
    rewrite: tuple[str, ...] = ()
    reach: Callable[[str], Reach] = field(default=lambda _registry: Reach())


def make_configuration(wanted: Wanted, stores: Stores, cancellation: Cancellation) -> Configuration:
    """The files, in memory, and what is to be said about them.

    Raises `UsageError` for what the kind cannot use or cannot say, and for a login of another registry; and what
    reading the sources raises.
    """
    wishes = _with_inputs(wanted, stores)
    relocation = _relocation(wanted, stores, cancellation)
    reach = wanted.reach(relocation.registry)
    check_wishes(wanted.kind, wishes, reach)
    if reach.login is not None:
        _check_login(relocation.registry, wanted.sources)
    relocation = evolve(relocation, reach=evolve(reach, ca=certificates(reach)))
    if wishes.pin and relocation.images and not any(image.digest for image in relocation.images):
        raise UsageError(
            "no digest is known, so nothing can be pinned",
            hint="name the report of the run, its plan, the bundle, or an inventory of the registry",
        )
    configuration = wanted.kind.write(relocation, wishes)
    return evolve(configuration, notes=(*relocation.notes, *configuration.notes))


def _with_inputs(wanted: Wanted, stores: Stores) -> Wishes:
    if wanted.rewrite:
        _check_takes(wanted.kind, "inputs")
    if not wanted.kind.reads_charts:
        return evolve(wanted.wishes, inputs=input_files(wanted.rewrite))
    from transload.app.charts.given import input_charts

    return evolve(wanted.wishes, charts=input_charts(wanted.rewrite, stores))


def _check_login(registry: str, sources: Sources) -> None:
    """Raises `UsageError` if another registry was named than the one that the login would be written for."""
    named = sources.pull_from or sources.to
    if named is not None and named.value != registry:
        raise UsageError(
            f"a login for {named.value} would be written for {registry}, where the images are",
            subject=registry,
            hint=f"write --to {registry} if the login is for that; --pull-from HOST if clusters read from HOST",
        )


def check_wishes(kind: Kind, wishes: Wishes, reach: Reach) -> None:
    """Raises `UsageError` for a wish that the kind does not know, or one that it cannot do without."""
    given: dict[Wish, bool] = {
        "name": wishes.name is not None,
        "namespace": wishes.namespace is not None,
        "inputs": bool(wishes.inputs or wishes.charts),
        "pin": wishes.pin,
        "no_fallback": wishes.no_fallback,
        "strict": wishes.strict,
        "login": reach.login is not None,
        "ca": reach.ca_file is not None,
    }
    for wish, is_given in given.items():
        if is_given:
            _check_takes(kind, wish)
        if not is_given and wish in kind.needs:
            raise UsageError(f"{kind.word} needs {_FLAGS[wish]}", hint=f"add {_FLAGS[wish]}")


def _check_takes(kind: Kind, wish: Wish) -> None:
    if wish not in kind.takes | kind.needs:
        raise UsageError(f"{_FLAGS[wish]} means nothing for {kind.word}", hint=f"leave {_FLAGS[wish]} out")


def _relocation(wanted: Wanted, stores: Stores, cancellation: Cancellation) -> Relocation:
    sources = wanted.sources
    for place in (sources.to, sources.pull_from):
        if place is not None:
            _host(place)
    if sources.words:
        return read_relocation(sources, stores, cancellation)
    where = sources.pull_from or sources.to
    if wanted.kind.needs_images or where is None:
        missing = "which images were moved" if wanted.kind.needs_images else "which registry is meant"
        raise UsageError(
            f"nothing says {missing}",
            hint="name a report, a plan, a bundle, an inventory or an image set"
            if wanted.kind.needs_images
            else "add --to HOST[:PORT]",
        )
    return Relocation(registry=_host(where))


def _host(where: Location) -> str:
    if where.kind != "registry":
        raise UsageError(f"{where} is no registry", subject=str(where), hint="write HOST[:PORT][/PREFIX]")
    return where.value


def write_configuration(configuration: Configuration, folder: Path, *, replace: bool = False) -> tuple[Path, ...]:
    """Write the files below `folder`; returns their paths. All are written, or none.

    Raises `FileExists` for a file with other content, unless `replace`; `FolderUnsafe`, `LocalError`.
    """
    write_together(
        folder,
        {file.path: NewFile(file.content, 0o600 if file.secret else 0o644) for file in configuration.files},
        replace=replace,
    )
    return tuple(folder.joinpath(*file.path.parts) for file in configuration.files)
