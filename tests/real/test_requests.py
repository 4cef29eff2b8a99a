"""The least number of requests, derived by hand in docs/reference/requests.md: what is planned, and what is made.

Each run is counted three times: by the servers, by our own counters, and by the plan before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.real.counted import Counted, Kinds, StartCounted, as_logged, counted_registries
from tests.real.servers import StartRegistry
from tests.real.token_server import WRITER
from tests.real.vendor import Shell
from transload.testing.images import image
from transload.testing.layers import layer
from transload.testing.releases import SeededRelease, release

SMALL = 1 << 20
KINDS = ("distribution", "tokens", "serve")


def small_images(number: int, version: int) -> SeededRelease:
    """Images with a layer that all share, and one of their own, which is new in each version."""
    shared = layer("shared", 3000)
    return SeededRelease(f"v{version}", {f"i{n:03}": image(f"{n}/{version}", [shared, 100]) for n in range(number)})


def one_large(version: int) -> SeededRelease:
    """One image with one layer of 5 MiB."""
    return SeededRelease(f"v{version}", {"model": image(f"large/{version}", [5 << 20])})


SHAPES: dict[str, Callable[[int], SeededRelease]] = {
    "20 images with shared layers": lambda version: release("requests", 20, 24 << 20, version),
    "one image with one large layer": one_large,
    "50 small images": lambda version: small_images(50, version),
    "100 small images": lambda version: small_images(100, version),
    "35 small images": lambda version: small_images(35, version),
    "38 small images": lambda version: small_images(38, version),
}
# With tokens, one repository too many in a token to the target, or one too few, changes the number of tokens of these.
_FOR_TOKENS = {"100 small images", "35 small images", "38 small images"}
CASES = [
    (kind, name)
    for kind in KINDS
    for name in SHAPES
    if name not in (_FOR_TOKENS if kind != "tokens" else {"50 small images"})
]


@pytest.fixture
def start(start_registry: StartRegistry) -> Iterator[StartCounted]:
    with counted_registries(start_registry) as starting:
        yield starting


@frozen
class Route:
    """A source that publishes releases, and a target."""

    shell: Shell
    kind: str
    source: Counted
    target: Counted
    folder: Path

    def run(self, verb: str, made: SeededRelease) -> tuple[list[dict[str, Any]], Kinds, Kinds]:
        """What a command tells, and what it asked the source and the target, as they counted it."""
        listed = self.folder / f"{made.tag}.txt"
        listed.write_text("".join(f"{self.source.host}/vendor/{name}:{made.tag}\n" for name in made.images))
        before = self.source.asked(), self.target.asked()
        ran = self.shell(verb, listed, "--to", f"{self.target.host}/site", "--output", "json")
        assert ran.code == 0, ran.told[-2000:]
        return ran.events, self.source.asked() - before[0], self.target.asked() - before[1]


@pytest.fixture
def route(shell: Shell, start: StartCounted, tmp_path: Path, request: pytest.FixtureRequest) -> Route:
    kind: str = request.param
    source, target = start(kind, files=True), start(kind)
    if source.login:
        for side in ("SOURCE", "TARGET"):
            shell.set(**{f"TRANSLOAD_{side}_USERNAME": WRITER.name, f"TRANSLOAD_{side}_PASSWORD": WRITER.password})
    return Route(shell=shell, kind=kind, source=source, target=target, folder=tmp_path)


# --- the minimum, by hand


@frozen(kw_only=True)
class Shape:
    """What counts of a release: blobs by digest with their sizes, and pairs of repository and blob."""

    images: int
    sizes: dict[str, int]
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, made: SeededRelease) -> Shape:
        sizes, pairs = {}, set()
        for name, built in made.images.items():
            for content in built.walk_contents():
                sizes[str(content.descriptor.digest)] = content.descriptor.size
                pairs.add((name, str(content.descriptor.digest)))
        return cls(images=len(made.images), sizes=sizes, pairs=frozenset(pairs))


def logins(route: Route, times: int) -> Kinds:
    """One refusal that tells where tokens come from, and `times` tokens for each group of repositories that fit."""
    return Kinds({"401": 1, "GET token": times}) if route.kind == "tokens" else Kinds()


@frozen(kw_only=True)
class Tokens:
    """How many tokens each side costs: a token has 3000 bytes for scopes, each of them 70 and the repository's name."""

    source: int = 1
    target: int = 1
    push: int = 1
    push_next: int = 1

    @classmethod
    def of(cls, images: int) -> Tokens:
        """`vendor/i000` takes 81 bytes, 37 of them fit; `site/vendor/i000` takes 86, 34 of them fit.

        Where blobs are mounted from the first repository, its scope is in every token to write: 33 others fit.
        """
        if images < 30:
            return cls()
        return cls(
            source=-(-images // 37), target=-(-images // 34), push=-(-(images - 1) // 33), push_next=-(-images // 34)
        )


def looking(route: Route, images: int) -> Kinds:
    """Signatures: the tags of each repository; one question that says there is no API, or one for each image."""
    return Kinds({"GET tag": images, "GET referrer": images if route.kind == "serve" else 1})


def sending(route: Route, sizes: list[int], mounts: int) -> Kinds:
    """Uploads of blobs and mounts."""
    small, large = sum(size <= SMALL for size in sizes), sum(size > SMALL for size in sizes)
    if route.kind == "serve":  # takes a small blob with the first request, and does not tell mounts apart
        return Kinds({"POST upload": small + large + mounts, "PATCH upload": large, "PUT upload": large})
    return Kinds(
        {"POST upload": small + large, "PATCH upload": large, "PUT upload": small + large, "POST mount": mounts}
    )


def cold(route: Route, new: Shape, tokens: Tokens) -> tuple[Kinds, Kinds]:
    """Source and target, when the target has nothing."""
    source = Kinds({"GET manifest": new.images, "GET blob": len(new.sizes)})
    target = Kinds({"HEAD manifest": new.images, "GET tag": new.images, "PUT manifest": new.images})
    target += sending(route, list(new.sizes.values()), len(new.pairs) - len(new.sizes))
    return source + looking(route, new.images) + logins(route, tokens.source), target + logins(
        route, tokens.target + tokens.push
    )


def unchanged(route: Route, held: Shape, tokens: Tokens) -> tuple[Kinds, Kinds]:
    asked = Kinds({"HEAD manifest": held.images})
    return asked + logins(route, tokens.source), asked + logins(route, tokens.target)


def next_month(route: Route, old: Shape, new: Shape, tokens: Tokens) -> tuple[Kinds, Kinds]:
    """Source and target, when the target has last month's release: it is asked for each blob in its repository."""
    moving = {digest: size for digest, size in new.sizes.items() if digest not in old.sizes}
    lacking = new.pairs - old.pairs
    source = Kinds({"GET manifest": new.images, "GET blob": len(moving)})
    target = Kinds({"HEAD manifest": new.images, "GET tag": new.images, "PUT manifest": new.images})
    target += Kinds({"HEAD blob": len(new.pairs)})
    target += sending(route, list(moving.values()), len(lacking) - len(moving))
    return source + looking(route, new.images) + logins(route, tokens.source), target + logins(
        route, tokens.target + tokens.push_next
    )


def compared(route: Route, made: SeededRelease, least: tuple[Kinds, Kinds], *, exact: bool = True) -> None:
    """Plan and mirror a release: servers, counters and plan must agree with the minimum, for each purpose.

    Many images are not planned before by themselves, which would take long: a run tells its own plan, too.
    """
    before, *surveys = route.run("plan", made) if len(made.images) < 100 else ([], None, None)
    told, *runs = route.run("mirror", made)
    result = told[-1]["result"]
    planned, *again = [event["plan"]["totals"]["requests"] for event in (*before, *told) if event["event"] == "plan"]
    assert all(each == planned for each in again), "planning again costs and predicts the same"
    for side, registry, survey, run, wanted in zip(
        ("source", "target"), (route.source, route.target), surveys, runs, least, strict=True
    ):
        assert run == wanted, side
        assert survey is None or planned["asked"][side] == survey.total(), side
        assert planned["asked"][side] + planned[side] == run.total(), side
        assert as_logged(result["traffic"], registry).total() == run.total(), side
        ours, theirs = _without_mounts(route, as_logged(result["traffic"], registry)), _without_mounts(route, run)
        refused = theirs.pop("401", 0)  # our counters have it under the purpose of what was asked first
        assert (ours - theirs).total() == refused, side
        assert not theirs - ours, side
    assert result["totals"]["requests"] == sum(run.total() for run in runs), result["traffic"]
    assert set(planned["at_least"]) - {"source"} == (set() if exact else {"target"})  # large blobs may come in parts


def _without_mounts(route: Route, kinds: Kinds) -> Kinds:
    if route.kind != "serve":
        return Counter(kinds)
    return Counter({kind: number for kind, number in kinds.items() if kind != "POST mount"}) + Counter(
        {"POST upload": kinds["POST mount"]}
    )


@pytest.mark.parametrize(("route", "name"), CASES, indirect=["route"])
def test_requests_are_the_least_and_those_that_are_planned(route: Route, name: str) -> None:
    first, second = (SHAPES[name](version) for version in (1, 2))
    for made in (first, second):
        route.source.publish(made, "vendor")
    old, new = Shape.of(first), Shape.of(second)
    tokens = Tokens.of(old.images)
    mounts = len(old.pairs) > len(old.sizes)
    compared(route, first, cold(route, old, tokens), exact=not mounts)
    compared(route, first, unchanged(route, old, tokens))
    compared(route, second, next_month(route, old, new, tokens))


@pytest.mark.parametrize("route", ["distribution", "tokens"], indirect=True)
def test_pack_push_and_verify_ask_the_least(route: Route, tmp_path: Path) -> None:
    """A bundle needs what a cold mirror needs of each side; the proof reads manifests, and asks for each blob."""
    made = SHAPES["20 images with shared layers"](1)
    route.source.publish(made, "vendor")
    shape = Shape.of(made)
    source, target = cold(route, shape, Tokens())
    listed, bundle = tmp_path / "images.txt", tmp_path / "bundle"
    listed.write_text("".join(f"{route.source.host}/vendor/{name}:{made.tag}\n" for name in made.images))
    before = route.source.asked()
    packed = route.shell("pack", listed, "--out", bundle, "--output", "json")
    assert packed.code == 0, packed.told[-2000:]
    assert route.source.asked() - before == source
    planned = plan_of(packed.events)["totals"]["requests"]
    assert (planned["asked"]["source"] + planned["source"], planned["target"]) == (source.total(), 0)

    pushed = route.shell("push", bundle, "--to", f"{route.target.host}/site", "--output", "json")
    assert pushed.code == 0, pushed.told[-2000:]
    assert route.target.asked() == target
    planned = plan_of(pushed.events)["totals"]["requests"]
    assert (planned["source"], planned["asked"]["target"] + planned["target"]) == (0, target.total())
    assert planned["at_least"] == ["target"]

    asked_before = route.source.asked(), route.target.asked()
    proved = route.shell("verify", listed, "--to", f"{route.target.host}/site", "--output", "json")
    assert proved.code == 0, proved.told[-2000:]
    assert route.source.asked() - asked_before[0] == unchanged(route, shape, Tokens())[0]
    proof = Kinds({"GET manifest": 20, "HEAD blob": len(shape.pairs)}) + logins(route, 1)
    assert route.target.asked() - asked_before[1] == proof


def plan_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The plan that a run told."""
    (plan,) = (event["plan"] for event in events if event["event"] == "plan")
    found: dict[str, Any] = plan
    return found
