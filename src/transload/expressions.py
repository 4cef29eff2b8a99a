"""Regular expressions that are compiled when they are first used: half of those of a short run never are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:

    def late(expression: str, flags: int = 0) -> re.Pattern[str]:
        """The expression as `re.compile` gives it, but compiled when a method of it is first called."""
        ...

else:

    class late:  # noqa: N801 - used as `re.compile` is
        """The expression as `re.compile` gives it, but compiled when a method of it is first called."""

        def __init__(self, expression: str, flags: int = 0) -> None:
            self._given = expression, flags

        def __getattr__(self, name: str) -> Any:
            found = getattr(re.compile(*self._given), name)
            self.__dict__[name] = found  # so that the next one finds it without this method
            return found
