"""What the front page of a served store says of it: who signed it, whether it is whole, when it was packed.

It never says more than is known, and names no folder: readers of the page are on other machines.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import VolumeMissing
from transload.oci import Name
from transload.server.about import About, Fact
from transload.wording import count, first_of, in_words

if TYPE_CHECKING:
    from transload.bundle.reading.checking import CheckedPart
    from transload.bundle.reading.reader import BundleStore

LOOKED_S = 5.0
_NAMED = 5
_KINDS = {
    "oci": "an OCI image layout, which is a folder",
    "archive": "an archive, which is one file of images",
    "registry": "another registry: each read is passed on to it",
}


def telling(location: Location, bundle: BundleStore | None, *, writable: bool) -> Callable[[], About]:
    """What is known of the store at `location`, looked at anew every few seconds: media come and go."""
    if bundle is not None:
        return _Looking(bundle, SYSTEM_CLOCK)
    facts = (
        Fact("what it is", _KINDS.get(location.kind, "a store of images")),
        Fact("pushes", "are taken" if writable else "are refused: it is read-only"),
    )
    return lambda: About(title="Images to pull", facts=facts)


class _Looking:
    """Looks at the volumes of a bundle, at most once in `LOOKED_S` seconds: there may be hundreds. Safe for threads."""

    def __init__(self, bundle: BundleStore, clock: Clock) -> None:
        self._bundle = bundle
        self._clock = clock
        self._seen: tuple[float, About] | None = None
        self._turn = threading.Lock()

    def __call__(self) -> About:
        with self._turn:
            now_s = self._clock.monotonic_s()
            if self._seen is None or now_s - self._seen[0] >= LOOKED_S:
                self._seen = (now_s, about_bundle(self._bundle))
            return self._seen[1]


def about_bundle(bundle: BundleStore) -> About:
    """What is known of a bundle now."""
    lacking = list(bundle.lacking())
    mended = len(lacking) <= _spare(bundle)
    lost = frozenset() if mended else frozenset(name for part in lacking for name in part.images)
    incomplete = lost | _without_their_target(bundle)
    return About(title=f"The bundle {bundle.name}", facts=tuple(_facts(bundle, lacking)), incomplete=incomplete)


def _without_their_target(bundle: BundleStore) -> frozenset[Name]:
    """The images that need content which was not packed, since their target is known to have it."""
    needing = {name for needed in bundle.ledger.prerequisites for name in needed.images}
    names = (entry.image.name for entry in bundle.ledger.images if not entry.image.present)
    return frozenset(name for name in names if str(name) in needing)


def _facts(bundle: BundleStore, lacking: list[CheckedPart]) -> Iterator[Fact]:
    """The facts of a bundle, those first that decide whether it can be used."""
    yield _signer(bundle)
    yield from _completeness(bundle, lacking)
    ledger = bundle.ledger
    here = sum(not entry.image.present for entry in ledger.images)
    size = f"{count(here, 'image')}, {in_words(ledger.size)} in {count(bundle.cut.count, 'volume')}"
    yield Fact("size", size)
    if ledger.edition is not None:
        packed = ledger.edition.packed
        yield Fact("packed", f"{packed:%Y-%m-%d %H:%M} UTC, by the clock of the machine that packed it")
        releases = [f"{release.catalog} {release.tag}" for release in ledger.edition.releases]
        if releases:
            yield Fact("releases in it", first_of(releases, _NAMED))
    if bundle.mender is not None:
        yield _recovery(bundle, len(lacking))


def _signer(bundle: BundleStore) -> Fact:
    if bundle.signature is None:
        return Fact("signature", "nobody signed it", badge="none", tone="warn")
    signer = bundle.signature.key_id
    if bundle.verified:
        return Fact("signature", "this key signed it:", badge="verified", tone="good", code=signer)
    return Fact("signature", "it says that this key signed it:", badge="not checked", tone="warn", code=signer)


def _recovery(bundle: BundleStore, lacking: int) -> Fact:
    spare = _spare(bundle)
    here = f"{count(spare, 'recovery volume')} here"
    if not lacking:
        return Fact("recovery", here)
    if lacking <= spare:
        return Fact("recovery", f"{here}: what is missing is made again while it is read", badge="enough", tone="warn")
    return Fact("recovery", f"{here}, and {count(lacking, 'volume')} to replace", badge="not enough", tone="bad")


def _spare(bundle: BundleStore) -> int:
    """How many volumes can be replaced: as many as there are whole recovery volumes."""
    return len(bundle.recovery_files) - len(bundle.lacking_recovery) if bundle.mender else 0


def _completeness(bundle: BundleStore, lacking: list[CheckedPart]) -> Iterator[Fact]:
    volumes = count(bundle.cut.count, "volume")
    if bundle.journal is not None:
        yield Fact("completeness", "the run that packs it has not come to its end", badge="unfinished", tone="bad")
    if not lacking:
        here = "its only volume is here" if bundle.cut.count == 1 else f"all of its {volumes} are here"
        text = f"{here}; what is in them is checked when it is read"
        yield Fact("completeness", text, badge="complete", tone="good")
    mended = len(lacking) <= _spare(bundle)
    for part in lacking[:_NAMED]:
        is_missing = isinstance(part.error, VolumeMissing)
        needed = f"{len(part.images)} of {count(len(bundle.ledger.images), 'image')} need it"
        badge = "missing" if is_missing else "damaged, or of another bundle"
        yield Fact(part.subject, needed, badge=badge, tone="warn" if mended else "bad")
    if len(lacking) > _NAMED:
        text = f"{len(lacking) - _NAMED} more of its {volumes} are not here"
        yield Fact("completeness", text, badge="missing", tone="warn" if mended else "bad")
    left_out = len(bundle.ledger.assumed)
    if left_out:
        text = (
            f"{count(left_out, 'part')} that its target is known to have: images that need them cannot be pulled here"
        )
        yield Fact("left out", text, badge="not whole", tone="warn")
