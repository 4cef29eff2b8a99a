"""Where images were, and where clusters find them now: as single images, and as the fewest rules for prefixes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from transload.login import Login
from transload.oci import Digest, Reference
from transload.values import define, frozen


@frozen(kw_only=True)
class MovedImage:
    """An image: `source` as pods ask for it, `target` at the registry that clusters read from.

    `digest` is what `target` stands for, None where it is not known. It differs from the published one if an index was
    narrowed.
    """

    source: Reference
    target: Reference
    digest: Digest | None = None

    @property
    def source_repository(self) -> str:
        """The repository as pods ask for it, with its registry."""
        return f"{self.source.registry}/{self.source.name.repository}"

    @property
    def target_repository(self) -> str:
        """The repository that clusters read from, with its registry."""
        return f"{self.target.registry}/{self.target.name.repository}"

    @property
    def is_renamed_tag(self) -> bool:
        """Whether the target has another tag: no rule for prefixes can say that."""
        return self.source.name.tag != self.target.name.tag and self.target.name.tag is not None


@frozen(order=True)
class PrefixRule:
    """Everything below `source` lies below `target`. Both are `HOST[:PORT]` with or without a path, or a repository.

    >>> PrefixRule("quay.io", "registry.local/mirror").of("quay.io/prometheus/node-exporter")
    'registry.local/mirror/prometheus/node-exporter'
    """

    source: str
    target: str

    def covers(self, repository: str) -> bool:
        """Whether a repository with its registry is `source`, or below it."""
        return f"{repository}/".startswith(f"{self.source}/")

    def of(self, repository: str) -> str:
        """Where this repository, which the rule covers, is at the target."""
        return self.target + repository[len(self.source) :]


@frozen(kw_only=True)
class Reach:
    """How nodes reach the registry that they read from.

    `ca_file` is where its certificate authority lies on the nodes, `ca` is its content (PEM). `login` is None unless
    the caller asked for files with a secret in them.
    """

    plain_http: bool = False
    insecure_tls: bool = False
    ca_file: str | None = None
    ca: bytes | None = None
    login: Login | None = None


@define(frozen=True, slots=False, kw_only=True)
class Relocation:
    """The images of a release, and how the registry is reached where they are now.

    `registry` is `HOST[:PORT]` as clusters name it; all targets are there. `images` may be empty for kinds that tell of
    the registry alone. `notes` say what was left out, such as images whose source is not known.
    """

    registry: str
    images: tuple[MovedImage, ...] = ()
    reach: Reach = Reach()
    notes: tuple[str, ...] = ()

    @cached_property
    def rules(self) -> tuple[PrefixRule, ...]:
        """The fewest and widest rules that lead every repository to where it lies; the longest source wins."""
        return widest_rules((image.source_repository, image.target_repository) for image in self.images)

    @cached_property
    def close_rules(self) -> tuple[PrefixRule, ...]:
        """The same, but as close around the images as can be, so that nothing else of a registry is touched."""
        return closest_rules(self.rules, [image.source_repository for image in self.images])

    @cached_property
    def renamed_tags(self) -> tuple[MovedImage, ...]:
        """Images with another tag at the target: rules for prefixes do not lead there."""
        return tuple(image for image in self.images if image.is_renamed_tag)


def widest_rules(moves: Iterable[tuple[str, str]]) -> tuple[PrefixRule, ...]:
    """The rules for pairs of repositories, each with its registry: where it was, and where it is.

    Where a shorter rule would lead a repository elsewhere, a longer one stands for it.

    >>> widest_rules([("quay.io/a/x", "r.local/m/a/x"), ("quay.io/a/y", "r.local/m/a/y")])
    (PrefixRule(source='quay.io', target='r.local/m'),)
    """
    by_registry: dict[str, dict[str, str]] = defaultdict(dict)
    for source, target in moves:
        by_registry[source.partition("/")[0]][source] = target
    rules = tuple(rule for registry in sorted(by_registry) for rule in _below(registry, by_registry[registry], None))
    led = _led(rules, (source for sources in by_registry.values() for source in sources))
    return tuple(rule for rule in rules if rule in led)


def _led(rules: Iterable[PrefixRule], repositories: Iterable[str]) -> dict[PrefixRule, list[str]]:
    """Which repositories each rule leads, the longest source before others; rules that lead none are left out."""
    by_source = {rule.source: rule for rule in rules}
    led: dict[PrefixRule, list[str]] = defaultdict(list)
    for repository in repositories:
        above = repository
        while above and above not in by_source:
            above = above.rpartition("/")[0]
        if above:
            led[by_source[above]].append(repository)
    return led


def _below(prefix: str, moves: dict[str, str], inherited: str | None) -> Iterator[PrefixRule]:
    """The rules for these moves, all of whose sources are at or below `prefix`; `inherited` is where it leads so far.

    Where most sources lead becomes a rule; where one of them is elsewhere, the same is asked one step further down,
    with all that is there: a rule for the others must not lead those away that are right already. A repository that is
    `prefix` itself decides, because a rule for it holds for all below it.
    """
    roots = {source: _root(prefix, source, target) for source, target in moves.items()}
    votes = Counter(root for root in roots.values() if root is not None)
    best = moves.get(prefix) or _most(votes, inherited)
    if best is not None and best != inherited:
        yield PrefixRule(prefix, best)
    below: dict[str, dict[str, str]] = defaultdict(dict)
    for source, target in moves.items():
        if source != prefix:
            below[f"{prefix}/{source[len(prefix) + 1 :].partition('/')[0]}"][source] = target
    for further in sorted(below):
        if best is None or any(roots[source] != best for source in below[further]):
            yield from _below(further, below[further], None if best is None else best + further[len(prefix) :])


def _most(votes: Mapping[str, int], inherited: str | None) -> str | None:
    """The root with the most votes, the one that holds already before others, else the first by its name."""
    if not votes or max(votes.values()) == votes.get(inherited or "", 0):
        return inherited
    return min(root for root, number in votes.items() if number == max(votes.values()))


def _root(prefix: str, source: str, target: str) -> str | None:
    """Where `prefix` would have to lead, so that `source` leads to `target`; None if no prefix can do that."""
    tail = source[len(prefix) :]
    root = target[: len(target) - len(tail)] if tail else target
    return root if target.endswith(tail) and "/" not in root[:1] and root else None


def closest_rules(rules: Sequence[PrefixRule], repositories: Iterable[str]) -> tuple[PrefixRule, ...]:
    """The same rules, each as long as the repositories that it leads allow; the path of a folder is the longest.

    >>> closest_rules([PrefixRule("quay.io", "r.local/m")], ["quay.io/a/x", "quay.io/a/y"])
    (PrefixRule(source='quay.io/a', target='r.local/m/a'),)
    """
    led = _led(rules, repositories)
    common = {rule: _common_folder(led[rule], rule.source) if rule in led else rule.source for rule in rules}
    return tuple(PrefixRule(common[rule], rule.of(common[rule])) for rule in rules)


def _common_folder(repositories: Sequence[str], least: str) -> str:
    """The longest path that all have in common; of a single one the path above it, but never shorter than `least`."""
    parts = [repository.split("/")[:-1] for repository in repositories]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    folder = "/".join(common)
    return folder if len(folder) > len(least) else least
