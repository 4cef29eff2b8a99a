"""While a plan is being made: which blobs are certain to be copied already, and to which repository.

A blob is certain if nothing that is still to be learnt can change what the plan does with it. That is so when the
target has none of the wanted repositories (so it holds nothing that could be mounted), and all images before this one
in the request are known (so none of them brings the blob to another repository). Then the plan begins with exactly the
steps that are drafted here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

from transload.oci.cosign import subject_of
from transload.planning.availability import stays_elsewhere
from transload.planning.drafting import Drafting
from transload.planning.expected import is_open_for
from transload.planning.plan import BlobStep
from transload.planning.request import Request
from transload.planning.survey import Surveyed
from transload.planning.targetcontent import TargetContent
from transload.ports import Source, Target

Begin = Callable[[Sequence[BlobStep]], None]
"""Is told of blobs that are certain to be copied, in the order of the plan."""


class Ahead:
    """Drafts the beginning of a plan as its images become known, and tells `begin` of the blobs. Safe for threads."""

    def __init__(self, request: Request, sources: Mapping[str, Source], target: Target, begin: Begin) -> None:
        self._begin = begin
        self._has_begun = False
        self._target = target
        self._items = request.items
        self._unasked = {item.target.repository for item in request.items}
        self._known: dict[int, Surveyed] = {}
        self._next = 0
        self._lock = threading.Lock()
        self._is_over = not _is_plain(request, sources, target)
        holdings = TargetContent(target.blobs_per_repository)
        self._drafting = Drafting(request, holdings, stays_elsewhere(request, sources))

    def fresh(self, repository: str, fresh: bool) -> None:
        """Whether a repository is new to the target."""
        with self._lock:
            self._unasked.discard(repository)
            self._is_over = self._is_over or not fresh
            self._go_on()

    def surveyed(self, number: int, surveyed: Surveyed) -> None:
        """The image at this place in the request is known."""
        with self._lock:
            if not self._is_over:
                self._known[number] = surveyed
                self._go_on()

    def _go_on(self) -> None:
        if self._is_over or self._unasked:
            return
        drafting = self._drafting
        while self._next in self._known:
            before = len(drafting.steps)
            drafting.image(self._known.pop(self._next))
            self._next += 1
            new = [step for step in drafting.steps[before:] if isinstance(step, BlobStep) and step.origin is None]
            certain = [step for step in new if not step.descriptor.is_foreign]
            if certain:
                if not self._has_begun and not is_open_for(self._items, self._target):
                    self._is_over = True  # the plan chooses the logins that serve all of it
                    return
                self._has_begun = True
                self._begin(certain)


def _is_plain(request: Request, sources: Mapping[str, Source], target: Target) -> bool:
    """Whether a plan for this request is laid out in its order, and cannot fail as a whole for what it wants."""
    names = [item.target for item in request.items]
    used = (sources.get(locator) for locator in {item.source_store for item in request.items})
    return (
        target.blobs_per_repository
        and not request.recheck
        and all(source is not None and source.request_costs is not None for source in used)
        and len(set(names)) == len(names)
        and not any(subject_of(name.tag) for name in names)
    )
