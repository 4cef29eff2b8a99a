"""Opens the files of a bundle: through its recovery volumes if there are any, else as they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from transload.bundle.format.entries import STREAM_BYTES
from transload.bundle.format.keys import PublicKey
from transload.bundle.format.recovery import Description
from transload.bundle.format.recoveryfile import descriptions_in
from transload.bundle.format.stream import PathOf, StreamReader
from transload.bundle.format.volumes import Cut
from transload.bundle.reading.locating import Located
from transload.bundle.reading.mending import Mender, MendingReader, mender_for
from transload.bundle.reading.opening import Opened, open_bundle
from transload.errors import (
    BeyondRepair,
    BundleForeignSignature,
    BundleUnsigned,
    NotFound,
    TransloadError,
    VolumeMissing,
    VolumeTruncated,
)
from transload.files import local_errors

_NAMED = 4  # files in one message


def open_located(located: Located, verifier: PublicKey | None) -> tuple[Opened, Mender | None]:
    """Open the bundle; also what makes damage good, if there are recovery volumes. Raises as `open_bundle` does.

    A folder may hold recovery volumes of other bundles too. Those count whose ledger is the one that is read. If none
    is, the beginning of the bundle may be damaged: then those count that recognise the volumes with its name.
    """
    plain, error = _open_plainly(located, verifier)
    told = {path: _possible(descriptions_in(path), plain) for path in located.recovery_files()}
    own = {name: item for path in located.own_recovery_files() for name, item in told.get(path, {}).items()}
    described = own | {name: item for items in told.values() for name, item in items.items()}
    for description in described.values():
        if plain is not None and _matches(plain, description) and _signed_alike(plain, located, description, verifier):
            return plain, mender_for(located, description)
    if plain is not None and plain.verified:  # so its beginning is right, and the recovery volumes are not its own
        return plain, None
    for certain in (True, False):
        for description in (described if plain is None else own).values():
            if certain or (plain is None and description.id in own):
                opened = _open_mended(located, description, verifier, certain=certain)
                if opened is not None:
                    return opened
    if plain is None:
        raise _beyond_repair(located, own.values(), error) or error
    return plain, None


def _possible(descriptions: Iterable[Description], plain: Opened | None) -> dict[str, Description]:
    """Those that may be of this bundle, by their identifiers.

    A bundle that is not cut can hold the same images at the same places as one that is; damage does not look so.
    """
    return {
        item.id: item
        for item in descriptions
        if plain is None or plain.ledger.volume_bytes is not None or item.cut.volume_bytes is None
    }


def _beyond_repair(located: Located, described: Iterable[Description], error: TransloadError) -> BeyondRepair | None:
    """Damage, if recovery volumes recognise the bundle and say that its beginning is wrong; else None.

    Then what the beginning contradicts proves nothing: a bad sector looks the same as a change that somebody made. A
    signature by another key is no damage.
    """
    if isinstance(error, BundleForeignSignature):
        return None
    for description in described:
        mender = mender_for(located, description)
        if mender is None or not mender.recognises_most():
            continue
        if not all(mender.is_right(1, stripe) for stripe in description.stripes_of(1)):
            missing = [mender.file_name(number) for number in description.numbers if mender.named(number) is None]
            also = f"; missing are {', '.join(missing[:_NAMED])}" if missing else ""
            also += f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            return BeyondRepair(
                "the beginning of the bundle is damaged, and more is lost than the recovery volumes can replace "
                f"({error.message}{also})",
                subject=located.label,
                hint="another copy of any volume helps, under any name, also with --volumes DIR; until then nothing in "
                "the bundle can be proved",
            )
    return None


def _matches(opened: Opened, description: Description) -> bool:
    return (opened.digest, opened.ledger.cut) == (description.ledger, description.cut)


def _signed_alike(plain: Opened, located: Located, description: Description, verifier: PublicKey | None) -> bool:
    """Whether recovery volumes would not bring back another signature than the one that was just verified."""
    if not plain.verified:
        return True
    opened = _open_mended(located, description, verifier, certain=False)
    return opened is not None and opened[0].signature == plain.signature


def _open_mended(
    located: Located, description: Description, verifier: PublicKey | None, *, certain: bool
) -> tuple[Opened, Mender] | None:
    """The bundle as these recovery volumes mend it; with `certain`, only if they recognise its volumes."""
    mender = mender_for(located, description)
    if mender is None or (certain and not mender.recognises_most()):
        return None
    try:
        with MendingReader(mender, description.cut, _path_of(located), 0) as reader:
            opened = open_bundle(reader, verifier)
    except (BundleUnsigned, BundleForeignSignature) as error:
        if certain:
            raise error from None  # it says more than what is missing of the bundle as it is
        return None
    except TransloadError:  # too much is lost, or they are of another bundle: reading without them says why
        return None
    return (opened, mender) if _matches(opened, description) else None


def _open_plainly(located: Located, verifier: PublicKey | None) -> tuple[Opened | None, TransloadError]:
    """The bundle as it is, or why it cannot be opened."""
    try:
        return _opened(located, verifier), NotFound("")
    except TransloadError as error:
        return None, error


def _opened(located: Located, verifier: PublicKey | None) -> Opened:
    """Open the bundle. Before the ledger is known, all volumes but the last count as long as the first."""
    first = located.first()
    with local_errors("reading", first):
        size = first.stat().st_size
    if size == 0:
        raise VolumeTruncated(f"{first} is empty", subject=first.name, hint="copy it again from where it was made")
    cut = Cut(size, None) if located.whole else Cut(STREAM_BYTES, size)
    with StreamReader(cut, _path_of(located), 0) as reader:
        return open_bundle(reader, verifier)


def _path_of(located: Located) -> PathOf:
    def path_of(volume: int) -> Path:
        path = located.find(volume)
        if path is None:
            raise VolumeMissing(f"volume {volume} of {located.label} is missing", subject=located.label)
        return path

    return path_of
