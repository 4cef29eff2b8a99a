"""Repositories of which a rule chooses the tags, and what it chose. Values; `transload.app.choosing` asks sources."""

from __future__ import annotations

from collections.abc import Iterable

from transload.catalog.selected import Selected, join
from transload.catalog.tagrule import TagRule, TagVerdict
from transload.oci import Name, Platform, Reference
from transload.values import frozen
from transload.wording import number_of


@frozen(kw_only=True)
class RuledImages:
    """The images of one repository whose tags a rule chooses. `source` has neither tag nor digest.

    `target` is the repository under the target's prefix, the source's path if empty. With `optional`, it is no
    failure if the source has no such tag. `where` is its position in the file, for errors.
    """

    source: Reference
    rule: TagRule
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    optional: bool = False
    where: str = ""

    def select(self, tags: Iterable[str]) -> tuple[Selected, ...]:
        """The images of these tags."""
        repository = self.source.name.repository
        return tuple(
            Selected(
                Reference(self.source.registry, Name(repository, tag)),
                self.target or repository,
                tag,
                optional=self.optional,
                platforms=self.platforms,
            )
            for tag in tags
        )


@frozen(kw_only=True)
class RuledPrefix:
    """The repositories at and under a prefix, of which a rule chooses the tags. An empty prefix is a whole registry.

    `deny` are paths under the prefix that are left out, with all that is under them. `target` replaces the prefix at
    the target. With `optional`, it is no failure if no tag is taken. `where` is its position in the file, for errors.
    """

    registry: str
    prefix: str = ""
    rule: TagRule
    deny: tuple[str, ...] = ()
    target: str = ""
    platforms: tuple[Platform, ...] = ()
    optional: bool = False
    where: str = ""

    def repositories(self, listed: Iterable[str]) -> tuple[RuledImages, ...]:
        """The wanted ones among the repositories that the registry lists. Each of them may have no tag to take."""
        return tuple(self._images(repository) for repository in dict.fromkeys(listed) if self._wants(repository))

    def _wants(self, repository: str) -> bool:
        denied = (join(self.prefix, path) for path in self.deny)
        return _is_under(repository, self.prefix) and not any(_is_under(repository, path) for path in denied)

    def _images(self, repository: str) -> RuledImages:
        below = repository.removeprefix(self.prefix).removeprefix("/") if self.target else repository
        return RuledImages(
            source=Reference(self.registry, Name(repository)),
            rule=self.rule,
            target=join(self.target, below),
            platforms=self.platforms,
            optional=True,
            where=self.where,
        )

    def __str__(self) -> str:
        return f"{self.registry}/{self.prefix}" if self.prefix else self.registry


def _is_under(repository: str, prefix: str) -> bool:
    return not prefix or f"{repository}/".startswith(f"{prefix}/")


@frozen(kw_only=True)
class Choice:
    """The verdicts of a rule on every tag that the source has, newest first, and on the tags that the rule names.

    `prefix` is the prefix of the set under which the repository was found; None for one that the set names.
    """

    ruled: RuledImages
    verdicts: tuple[TagVerdict, ...]
    prefix: RuledPrefix | None = None

    @property
    def taken(self) -> tuple[str, ...]:
        """The tags that the rule takes."""
        return tuple(verdict.tag for verdict in self.verdicts if verdict.taken)

    @property
    def repository(self) -> str:
        """The repository with its registry, as people write it."""
        return f"{self.ruled.source.registry}/{self.ruled.source.name.repository}"

    def select(self) -> tuple[Selected, ...]:
        """The images that the rule takes."""
        return self.ruled.select(self.taken)

    def __str__(self) -> str:
        """`12 of 140 tags of quay.io/jetstack/cert-manager-webhook: >=1.40 <2, newest 3`."""
        return f"{len(self.taken)} of {number_of(len(self.verdicts), 'tag')} of {self.repository}: {self.ruled.rule}"
