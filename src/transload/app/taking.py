"""The bundle that a push brings, beside the newest of its set and signer taken here: judged, and remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from transload.app.bundleage import by_releases, judged
from transload.app.location import Location
from transload.app.statefile import StateUnusable
from transload.app.stores import Stores
from transload.app.takenbundles import (
    FILE,
    Entry,
    Place,
    TakenBundle,
    TakenBundles,
    bundle_of,
    moment_words,
    set_of,
    target_key,
)
from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import RefusedByRule, WouldGoBack
from transload.oci import Name
from transload.planning.survey import Surveyed
from transload.report.bundleorder import BundleOrder
from transload.report.texts import digest, instant
from transload.values import evolve

if TYPE_CHECKING:
    from transload.bundle.reading.reader import BundleStore
    from transload.report.transferrecord import Check
    from transload.transfer import Outcome

_CLOCK_S = 24 * 3600  # by so much the clocks of two machines may differ
_HINT = "to go back all the same, push again with --allow-older; transload forget --bundles forgets what was taken"


class Taking:
    """A bundle on its way to `target`. With `allow_older`, an older one is taken too.

    `order` is where it stands; after `remember`, it says whether it is now the newest that was taken.
    """

    def __init__(
        self, bundle: BundleStore, target: Location, stores: Stores, *, allow_older: bool, run_id: str = ""
    ) -> None:
        self._stores = stores
        self._allowed = allow_older
        self._signed = bundle.signature is not None
        self._taken = TakenBundles(stores.environment.state)
        self._unusable = ""
        signer = bundle.signature.key_id if bundle.signature is not None and bundle.verified else None
        identity, name = set_of(bundle.ledger)
        self._place = Place(target_key(target), identity, signer)
        known = self._known()
        self._newest = next((entry.bundle for entry in known if entry.place == self._place), None)
        self._others = tuple(entry for entry in known if entry.place != self._place and entry.place.signer)
        self._this = evolve(bundle_of(bundle.ledger), run_id=run_id)
        found = judged(self._this, self._newest)
        self.order = BundleOrder(
            name=name,
            signer=signer,
            bundle=self._this.facts,
            newest=self._newest.facts if self._newest else None,
            standing=found.standing,
            by=found.by,
        )

    def _known(self) -> tuple[Entry, ...]:
        """What was taken of the same set for the same target."""
        try:
            known = self._taken.entries(self._place.target)
        except StateUnusable as error:
            self._unusable = str(error)
            return ()
        return tuple(entry for entry in known if entry.place.set == self._place.set)

    # --- before the run

    def refuse(self, surveyed: Sequence[Surveyed], undecided: Set[Name]) -> Mapping[Name, WouldGoBack]:
        """The images that stay out: all that would be copied, if the bundle is older than the newest of its signer.

        Of `undecided`, moving tags whose images do not say which is older, also those that a signed bundle of somebody
        else brought with a newer release.
        """
        if self._allowed:
            return {}
        if self.order.standing == "older" and self._newest is not None:
            error = self._older_than(self._newest, self.order.by)
            return {image.item.target: error for image in surveyed if _is_new(image)}
        beyond = self._newer_release()
        return {name: self._older_than(*beyond) for name in undecided} if beyond else {}

    def _newer_release(self) -> tuple[TakenBundle, str] | None:
        """A bundle that somebody else signed, of a newer release, and by what that was judged."""
        edition = self._this.edition
        for entry in self._others:
            if edition is not None and entry.bundle.edition is not None:
                found = by_releases(edition, entry.bundle.edition)
                if found is not None and found.standing == "older":
                    return entry.bundle, found.by
        return None

    def _older_than(self, newest: TakenBundle, by: str) -> WouldGoBack:
        there = newest.facts
        late = ", after this machine's clock" if _is_late(newest) else ""
        return WouldGoBack(
            f"this bundle of {self.order.name} ({self.order.bundle.words}) is older than one that was taken here on "
            f"{there.day} ({there.words}{late}), judged by {by}",
            side="target",
            hint=_HINT,
        )

    def notes(self) -> Iterator[str]:
        """What is to be said before anything moves."""
        order, newest = self.order, self.order.newest
        if self._unusable:
            yield (
                f"{self._taken.path} {self._unusable}: so nobody knows which bundles were taken here; an old one is "
                "found out only by its images"
            )
        if order.standing == "older" and newest is not None:
            yield f"the bundle is older than one that was taken here on {newest.day}: {newest.words}"
        if order.standing == "unknown" and newest is not None:
            yield (
                f"nobody can tell whether this bundle ({order.bundle.words}) is older than the one that was taken here "
                f"on {newest.day} ({newest.words})"
            )
        if _is_late(self._this) and self._this.edition is not None:
            yield (
                f"the bundle says that it was packed {moment_words(self._this.edition.packed)}, after this machine's "
                "clock: if the clock is right, bundles that are packed before that will count as older than this one"
            )
        yield from self._notes_on_others()

    def _notes_on_others(self) -> Iterator[str]:
        """What is to be said of bundles of the same set that others have signed."""
        if self._others and self.order.signer is None:
            last = self._others[-1]
            why = "the signature of this one was not checked: give --key" if self._signed else "this one is not signed"
            yield (
                f"bundles of {self.order.name} signed by {digest(last.place.signer or '')} were taken here, the last "
                f"on {last.bundle.facts.day}, and {why}"
            )
        for entry in self._others:
            found = judged(self._this, entry.bundle)
            if found.standing == "older":
                there = entry.bundle.facts
                yield (
                    f"a newer bundle of {self.order.name}, signed by {digest(entry.place.signer or '')}, was taken "
                    f"here on {there.day} ({there.words}, judged by {found.by})"
                )

    def check(self) -> Check:
        """What a transfer record says of it."""
        from transload.report.transferrecord import Check  # it is read only for a record

        order = self.order
        if self._unusable:
            return Check(name="bundle-order", result="not-made", detail="nobody knows which bundles were taken here")
        result = {"older": "warned" if self._allowed else "failed", "unknown": "not-made"}.get(order.standing, "passed")
        detail = order.standing + (f" than {order.newest.words}" if order.newest and order.by else "")
        return Check(name="bundle-order", result=result, by=order.by or None, detail=detail)  # type: ignore[arg-type]

    # --- after the run

    def remember(self, outcome: Outcome, *, whole: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        """Remember the bundle as the newest, if the run was for the `whole` of it and all images have arrived.

        Images that a rule of the site refuses do not count: they stay out whoever brings them.
        """
        order = self.order
        why_not = self._why_not(outcome, whole=whole)
        if why_not:
            self.order = evolve(order, why_not=why_not)
            return
        again = self._newest if order.standing == "same" else None
        bundle = evolve(self._this, taken=again.taken if again else instant(clock.wall_s()))
        try:
            self._taken.keep(Entry(self._place, order.name, bundle))
        except StateUnusable as error:
            self._stores.notice(f"warning: {self._taken.path} {error}, so this bundle is not noted as taken")
            self.order = evolve(order, why_not=f"{FILE} cannot be used")
            return
        self.order = evolve(order, bundle=bundle.facts, kept=True)

    def _why_not(self, outcome: Outcome, *, whole: bool) -> str:
        """Why the bundle does not become the newest, to be read after `since`; empty if it does."""
        if self._taken.path is None:
            return "there is no state folder"
        if self.order.standing == "older" and not self._allowed:
            return "it is older"
        if not whole:
            return "only a part of it was wanted"
        if not _has_arrived(outcome):
            return "not all of its images have arrived"
        if self._this.edition is None and self._newest is not None and self._newest.edition is not None:
            return "it does not say when it was packed"
        return ""


def _has_arrived(outcome: Outcome) -> bool:
    arrived = [ended.done and ended.error is None for ended in outcome.images]
    ruled = [
        isinstance(ended.error, RefusedByRule) and not isinstance(ended.error, WouldGoBack) for ended in outcome.images
    ]
    return any(arrived) and all(one or other for one, other in zip(arrived, ruled, strict=True))


def _is_new(image: Surveyed) -> bool:
    """Whether it would be copied, other than to mend what the target has already."""
    there = image.at_target is not None and image.at_target.digest == image.digest
    return image.error is None and not image.unchanged and not there


def _is_late(bundle: TakenBundle, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Whether it says that it was packed after this machine's clock."""
    return bundle.edition is not None and bundle.edition.packed.timestamp() > clock.wall_s() + _CLOCK_S
