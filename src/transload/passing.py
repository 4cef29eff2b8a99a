"""A source behind which another one stands, for those that answer only some questions in their own way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from transload.oci import Descriptor, Manifest, Name
from transload.ports import Chunk, Refers, RequestCosts, Source


class PassedOn:
    """Answers as `source` does. What that one can do beyond a `Source`, such as `reads_many`, it can do, too."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    @property
    def locator(self) -> str:
        """See `Source`."""
        return self._source.locator

    @property
    def refers(self) -> Refers | None:
        """See `Source`."""
        return self._source.refers

    @property
    def request_costs(self) -> RequestCosts | None:
        """See `Source`."""
        return self._source.request_costs

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`."""
        return self._source.resolve(name)

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`."""
        return self._source.fetch(name)

    def tags(self, repository: str) -> Iterator[str]:
        """See `Resolves`."""
        return self._source.tags(repository)

    def repositories(self) -> Iterator[str]:
        """See `Resolves`."""
        return self._source.repositories()

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        return self._source.exists(repository, descriptor)

    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Iterator[Chunk]]:
        """See `Reads`."""
        return self._source.open(repository, descriptor, offset, length)
