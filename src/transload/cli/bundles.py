"""`transload list` and `transload extract`: looking into a bundle, and taking further files out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from transload.app.place import Place
from transload.app.pushing import carried_place
from transload.app.settings import read_environment
from transload.app.stores import Carried, Logins, Network, Stores
from transload.cli import options
from transload.cli.progress import Output, Telling
from transload.cli.telling import show_result
from transload.errors import UsageError
from transload.nursery import Cancellation
from transload.report.styled import Styled
from transload.report.texts import count, digest, size

if TYPE_CHECKING:
    from transload.bundle.reader import BundleStore


@click.command("list")
@click.argument("carried", metavar="BUNDLE")
@options.bundle
@options.telling
def list_(carried: str, key: Path | None, volumes: tuple[Path, ...], output: Output, quiet: bool) -> int:
    """Show what a bundle holds: images, digests, sizes, prerequisites, signer, volumes.

    \b
      transload list /media/usb/arcdata-2026-11
    """
    with Telling("list", output, quiet) as telling:
        store = _bundle(carried, key, volumes)
        if not telling.document("bundle", **_json(store)):
            show_result([*_images(store), *([] if quiet else ["", *_facts(store)])])
    return 0


def _images(store: BundleStore) -> list[Styled | str]:
    ledger = store.ledger
    width = max((len(str(each.image.name)) for each in ledger.images), default=0)
    lines: list[Styled | str] = []
    for each in ledger.images:
        own = sum(ledger.blobs[place].size for place in each.blobs)
        held = "left out, the far side has it" if each.image.present else size(own)
        lines.append(Styled.of(f"{each.image.name!s:<{width}}  {digest(each.image.root.digest)}  ", (held, "faint")))
    return lines


def _facts(store: BundleStore) -> list[Styled | str]:
    ledger = store.ledger
    cut = ledger.cut
    facts = [
        ("content", f"{count(len(ledger.images), 'image')}, {count(len(ledger.blobs), 'blob')}, {size(ledger.size)}"),
        (
            "volumes",
            ", ".join(
                f"{cut.file_name(Path(store.locator).name, number)} {size(cut.size_of(number))}"
                for number in cut.numbers
            ),
        ),
        ("signed", _signed(store)),
    ]
    if ledger.extras:
        facts.append(("files", ", ".join(f"{extra.name} {size(extra.size)}" for extra in ledger.extras)))
    if ledger.prerequisites:
        assumed = sum(one.descriptor.size for one in ledger.prerequisites)
        needed = f"{count(len(ledger.prerequisites), 'blob')} at the target already ({size(assumed)})"
        facts.append(("needs", f"{needed}, packed against {ledger.against}"))
    return [Styled.of((f"{name + ':':<9} ", "faint"), text) for name, text in facts]


def _signed(store: BundleStore) -> str:
    if store.signature is None:
        return "no"
    proved = "verified" if store.verified else "not verified, give the key with --key"
    return f"by {store.signature.key_id} ({proved})"


def _json(store: BundleStore) -> dict[str, Any]:
    ledger = store.ledger
    return {
        "bundle": store.locator,
        "size": ledger.size,
        "volume_size": ledger.volume_bytes,
        "volumes": ledger.cut.count,
        "signed_by": store.signature.key_id if store.signature else None,
        "verified": store.verified,
        "against": ledger.against or None,
        "images": [
            {
                "name": str(each.image.name),
                "source": each.image.source,
                "digest": each.image.root.digest,
                "present": each.image.present,
                "size": sum(ledger.blobs[place].size for place in each.blobs),
            }
            for each in ledger.images
        ],
        "files": [{"name": one.name, "size": one.size, "digest": one.digest} for one in ledger.extras],
        "prerequisites": [
            {
                "digest": one.descriptor.digest,
                "size": one.descriptor.size,
                "repositories": list(one.repositories),
                "images": list(one.images),
            }
            for one in ledger.prerequisites
        ],
    }


@click.command()
@click.argument("carried", metavar="BUNDLE")
@click.argument("names", metavar="[FILE]...", nargs=-1)
@click.option(
    "-C",
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    metavar="DIR",
    help="Where to.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
@options.bundle
def extract(
    carried: str, names: tuple[str, ...], into: Path, overwrite: bool, key: Path | None, volumes: tuple[Path, ...]
) -> int:
    """Take further files (pack --also) out of a bundle: the FILEs named, or all.

    \b
      transload extract /media/usb/arcdata-2026-11 licence.txt -C /tmp
    """
    from transload.bundle.extras import extract_extras

    store = _bundle(carried, key, volumes)
    show_result(str(path) for path in extract_extras(store, into, names or None, overwrite=overwrite))
    return 0


def _bundle(carried: str, key: Path | None, volumes: tuple[Path, ...]) -> BundleStore:
    place: Place = carried_place(carried)
    if place.kind != "bundle":
        raise UsageError(f"{carried} is no bundle", subject=carried, hint="a bundle is made by transload pack")
    with Stores(read_environment(), Network(), Logins(), Cancellation(), Carried(volumes, key)) as stores:
        return stores.bundle(place)
