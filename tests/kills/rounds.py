"""One round: a run is killed at a moment from the seed, the same command is run again, and all is proved."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import field, frozen

from tests.kills import scenes
from tests.kills.child import running
from tests.kills.fuse import Extent, Fuse, Moment
from tests.kills.scenes import TOTAL, Place, World
from transload.testing.laboratory import Tally

_REAL_STARTS = 10  # one of so many rounds starts an interpreter of its own


@frozen
class Passed:
    """What a round came to. Bytes are counted over all its runs: those that the source sent, those that the target got.

    `share` is how much of the release had passed when the kill came; None: the run had ended before.
    """

    scene: str
    seed: str
    moment: str
    share: float | None
    fetched: int
    received: int
    halves: tuple[int, ...]
    """Bytes of each blob that had begun to arrive, and was not finished, when the kill came."""
    begun: tuple[int, ...]
    """Bytes that the source had sent of each of those that were not finished."""

    @property
    def read_ratio(self) -> float:
        """Bytes that the source sent, per byte of the release."""
        return self.fetched / TOTAL

    @property
    def sent_ratio(self) -> float:
        """Bytes that the target got, per byte of the release."""
        return self.received / TOTAL

    @property
    def told(self) -> dict[str, object]:
        """What the table at the end is made from."""
        return {"scene": self.scene, "share": self.share, "read": self.read_ratio, "sent": self.sent_ratio}

    @property
    def sent_again(self) -> int:
        """Bytes that the target got twice."""
        return max(0, self.received - TOTAL)

    @property
    def read_again(self) -> int:
        """Bytes that the source sent twice."""
        return max(0, self.fetched - TOTAL)


@frozen
class Rounds:
    """Runs rounds of the scenes in folders of their own."""

    world: World
    folder: Path
    extents: dict[str, Extent] = field(factory=dict)

    def extent(self, scene: str) -> Extent:
        """How many requests and bytes an undisturbed run has: measured once."""
        if scene not in self.extents:
            with self._opened(scene, "undisturbed", Fuse()) as (place, fuse):
                self._run(place, fuse, started=False)  # the first fork has to load the program
                place.prove()
            with self._opened(scene, "undisturbed", Fuse()) as (place, fuse):
                began_s = time.monotonic()
                code = self._run(place, fuse, started=False)
                assert code == 0, f"an undisturbed run of {scene} ended with {code}:\n{self._said()}"
                seconds = time.monotonic() - began_s
            self.extents[scene] = Extent(fuse.requests, fuse.bytes, seconds)
        return self.extents[scene]

    def killed(self, scene: str, seed: str, number: int = signal.SIGKILL, rate: float | None = None) -> Passed:
        """A kill, then a run to the end. What must hold for any kill is asserted."""
        dice = random.Random(seed)  # noqa: S311 - a moment, not a secret
        moment = self.extent(scene).moment(dice, number)
        started = dice.randrange(_REAL_STARTS) == 0
        with self._opened(scene, f"r{dice.getrandbits(40):x}", Fuse(moment), rate) as (place, fuse):
            try:
                return self._killed(scene, seed, moment, place, fuse, started=started)
            except AssertionError as error:
                raise AssertionError(f"{scene}, seed {seed}, {moment}: {error}\n{self._said()}") from error

    def _killed(self, scene: str, seed: str, moment: Moment, place: Place, fuse: Fuse, *, started: bool) -> Passed:
        code = self._run(place, fuse, started=started)
        ended = {0, 130} if moment.number != signal.SIGKILL else {0, -signal.SIGKILL}
        assert code in ended, f"the first run ended with {code}"
        place.wait_until_quiet()
        place.check_tags()
        finished = place.finished()
        before = place.count_anew()
        share = None if code == 0 else min(1.0, fuse.bytes / self.extent(scene).bytes)
        assert self._run(place, fuse, started=started) == 0, "the next run has failed"
        place.wait_until_quiet()
        place.prove()
        assert not list((self.folder / "tmp").iterdir()), "files are left in the folder for temporary files"
        assert not list((self.folder / "state").glob("journal/*.jsonl")), "a journal is left"
        after = place.count_anew()
        _nothing_finished_again(finished, after)
        return Passed(
            scene,
            seed,
            str(moment),
            share,
            fetched=before[0].bytes_fetched + after[0].bytes_fetched,
            received=before[1].bytes_received + after[1].bytes_received,
            halves=_halves(finished, before),
            begun=tuple(size for digest, size in before[0].fetched.items() if digest not in finished),
        )

    def _run(self, place: Place, fuse: Fuse, *, started: bool) -> int:
        variables = {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "TRANSLOAD_STATE_DIR": str(self.folder / "state"),
        }
        with running(place.words, variables, self.folder / "said", started=started) as child:
            fuse.watch(child.pid)
            code = child.end()
            fuse.end()
        return code

    @contextlib.contextmanager
    def _opened(self, scene: str, name: str, fuse: Fuse, rate: float | None = None) -> Iterator[tuple[Place, Fuse]]:
        inside = self.folder / name
        for made in (inside, self.folder / "tmp"):
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        (self.folder / "said").unlink(missing_ok=True)
        try:
            with scenes.opened(scene, self.world, inside, fuse, rate) as place:
                yield place, fuse
        finally:
            shutil.rmtree(inside, ignore_errors=True)
            shutil.rmtree(self.world.registry.root / "docker/registry/v2/repositories" / name, ignore_errors=True)

    def _said(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "said").read_text(errors="replace")[-3000:]
        return ""


def _nothing_finished_again(finished: set[str], tallies: tuple[Tally, Tally]) -> None:
    """What was complete at the target is not fetched and not sent again."""
    for tally in tallies:
        again = {digest for digest in finished if tally.fetched[digest] or tally.uploaded()[digest]}
        assert not again, f"finished, but moved again: {again}"


def _halves(finished: set[str], tallies: tuple[Tally, Tally]) -> tuple[int, ...]:
    """How much had come of each blob that was not finished: by uploads where there are some, else by what was read."""
    source, target = tallies
    if target.requests:
        unfinished = (size for session, size in target.received.items() if target.uploads.get(session) not in finished)
        return tuple(size for size in unfinished if size)
    return tuple(size for digest, size in source.fetched.items() if digest not in finished)
