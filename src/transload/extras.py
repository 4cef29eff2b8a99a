"""The extras of transload: groups of packages that only some of its work needs, and what to say when one is missing."""

from __future__ import annotations

import sys
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from zipimport import zipimporter

from transload.errors import PartMissing


class Extra(Enum):
    """An extra, by its name in pyproject.toml."""

    DISTRIBUTED = "distributed"
    HTML = "html"
    SERVE = "serve"
    SIGN = "sign"
    TOOL = "tool"
    TRUST = "trust"
    SIGSTORE = "sigstore"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules of its packages that transload imports itself."""
        return _MODULES[self]

    @property
    def is_installed(self) -> bool:
        """Whether all of its modules can be found; none is imported."""
        return all(find_spec(module) is not None for module in self.modules)

    @property
    def hint(self) -> str:
        """How to get it."""
        if is_executable():
            return f"the native executable comes without it: install transload[{self.value}] with pip"
        if one_file() is not None:  # pip does not know this transload, and would look for another one of that name
            packages = " ".join(module.replace("_", "-") for module in self.modules)
            return f"install it beside the Python that runs this: python3 -m pip install {packages}"
        return f"install it: python3 -m pip install 'transload[{self.value}]'"

    def missing(self, doing: str, package: str) -> PartMissing:
        """The error for a `package` of it that is not installed: `doing` needs it."""
        return PartMissing(f"{doing} needs the package {package}", hint=self.hint)


def is_executable() -> bool:
    """Whether this is the native executable, to which nothing can be added."""
    return bool(getattr(sys, "frozen", False))  # PyInstaller


def one_file() -> Path | None:
    """The file `transload.pyz` that this runs from, if it does."""
    loader = getattr(sys.modules["transload"].__spec__, "loader", None)
    return Path(loader.archive) if isinstance(loader, zipimporter) else None


_MODULES = {
    Extra.DISTRIBUTED: ("distributed",),
    Extra.HTML: ("jinja2",),
    Extra.SERVE: ("aiohttp", "jinja2"),
    Extra.SIGN: ("cryptography",),
    Extra.TOOL: ("aiohttp", "ecdsa", "jinja2"),
    Extra.TRUST: ("cbor2", "cryptography", "rfc3161_client"),
    Extra.SIGSTORE: ("cryptography", "sigstore"),
}
