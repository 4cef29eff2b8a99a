"""The transfer records of all images of a target, for who must know of each image how it came there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transload.app.history import HINT, History, read_history
from transload.app.location import Location, is_image, is_local
from transload.app.whole import names_under, nothing_there
from transload.bundle.format.keys import PublicKey
from transload.errors import CorruptError, HostGivenUp, Interrupted, NotFound, TransloadError, as_result
from transload.events import ActivityListener, Counting, ignore
from transload.oci import Name
from transload.ports import Source
from transload.pruning.held import is_companion
from transload.report.exitcodes import of_run
from transload.report.problem import Problem
from transload.report.texts import count
from transload.threads import Cancellation, in_parallel
from transload.values import field, frozen

_THREADS = 8


@frozen(kw_only=True)
class Histories:
    """The records of all images of a target.

    `without` are images that have none, `unread` the errors of those whose records could not be read.
    """

    target: str
    images: tuple[History, ...]
    without: tuple[str, ...] = ()
    unread: Mapping[str, TransloadError] = field(factory=dict, eq=False)

    def to_json(self) -> dict[str, Any]:
        """The `histories` object of docs/formats/json-output.md."""
        return {
            "target": self.target,
            "images": [history.to_json() for history in self.images],
            "without": list(self.without),
            "unread": {name: Problem.of(error, target=self.target).to_json() for name, error in self.unread.items()},
        }

    @property
    def exit_code(self) -> int:
        """0 if each image has a record that counts; see `of_run`."""
        codes = [0 if history.holds else CorruptError.exit_code for history in self.images]
        codes += [NotFound.exit_code for _ in self.without]
        return of_run([*codes, *(error.exit_code for error in self.unread.values())])


def target_of(text: str, store: Location | None) -> Location | None:
    """The target that `text` names as a whole: `oci:DIR`, or HOST/PREFIX without tag and digest; None for one image.

    Raises `UsageError` for a store that is no target.
    """
    if store is not None or is_image(text) or text.startswith(("docker:", "podman:")):  # images have these names, too
        return None
    if is_local(text) and ":" in text.rpartition("/")[2].removeprefix("oci:"):  # a store and an image in one word
        return None
    location = Location.parse(text)
    location.check_target()
    return location


def histories_of(
    store: Source,
    location: Location,
    key: PublicKey | None = None,
    cancellation: Cancellation | None = None,
    working: ActivityListener = ignore,
) -> Histories:
    """The records of all images at and under the prefix of `location`, by name. Signatures under tags are no images.

    It costs the questions for the tags, and for each image one for its digest, one for what refers to it, and two for
    each record. Raises `NotFound` if no image has a record, `SelectionEmpty` if there is no image, and errors of the
    store as a whole.
    """
    names = sorted(name for name in names_under(store, location.prefix) if not is_companion(name.tag))
    if not names:
        raise nothing_there(store, location)

    def read(name: Name) -> History | TransloadError:
        try:
            return read_history(store, name, key, cancellation, with_gates=False)
        except (Interrupted, HostGivenUp):
            raise
        except TransloadError as error:
            return as_result(error)

    reading = Counting(working, "proving", len(names)).around(read)
    answers = in_parallel(reading, names, _THREADS, cancellation)
    known = [answer for answer in answers if isinstance(answer, History)]
    errors = [(str(name), answer) for name, answer in zip(names, answers, strict=True)]
    found = Histories(
        target=location.locator,
        images=tuple(history for history in known if history.records),
        without=tuple(history.image for history in known if not history.records),
        unread={name: answer for name, answer in errors if isinstance(answer, TransloadError)},
    )
    if len(found.without) == len(names):
        none = "its only image has no" if len(names) == 1 else f"none of its {count(len(names), 'image')} has a"
        raise NotFound(f"{location}: {none} transfer record", subject=str(location), hint=HINT)
    return found
