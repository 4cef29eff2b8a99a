"""Container images moved between registries, folders and bundles: complete, unchanged, provably so.

What a program needs is named here and loaded when it is used, so that `import transload` itself costs nothing. What
changes between versions is in CHANGELOG.md; modules below, where they are not named here, may change without notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transload.version import __version__ as __version__

if TYPE_CHECKING:
    from transload.app.settings import Environment
    from transload.app.stores import Network
    from transload.app.verify import Verification
    from transload.archive import ArchiveStore
    from transload.bundle import BundleStore
    from transload.errors import ImagesFailed, TransloadError
    from transload.events import Event
    from transload.layout import LayoutStore
    from transload.login import Login, Secret
    from transload.memory import MemoryStore
    from transload.net.http import Http
    from transload.net.settings import NetSettings
    from transload.oci import Descriptor, Digest, Manifest, Name, Platform, Reference
    from transload.planning import Item, Narrowing, Plan, Request, make_plan
    from transload.ports import Source, Target
    from transload.registry.credentials import DockerConfig
    from transload.registry.store import RegistryStore
    from transload.report.result import Result
    from transload.threads import Cancellation
    from transload.transfer import Journal, Outcome, run
    from transload.transfer.proof import Proof, compare
    from transload.verbs.bundles import PackResult, pack, push
    from transload.verbs.checking import verify
    from transload.verbs.copying import copy, mirror

__all__ = [
    "ArchiveStore",
    "BundleStore",
    "Cancellation",
    "Descriptor",
    "Digest",
    "DockerConfig",
    "Environment",
    "Event",
    "Http",
    "ImagesFailed",
    "Item",
    "Journal",
    "LayoutStore",
    "Login",
    "Manifest",
    "MemoryStore",
    "Name",
    "Narrowing",
    "NetSettings",
    "Network",
    "Outcome",
    "PackResult",
    "Plan",
    "Platform",
    "Proof",
    "Reference",
    "RegistryStore",
    "Request",
    "Result",
    "Secret",
    "Source",
    "Target",
    "TransloadError",
    "Verification",
    "compare",
    "copy",
    "make_plan",
    "mirror",
    "pack",
    "push",
    "run",
    "verify",
]

# The same as the imports above, for the time when the program runs; a test holds them together.
_HOMES = {
    "transload.verbs.copying": (
        "copy",
        "mirror",
    ),
    "transload.verbs.bundles": (
        "PackResult",
        "pack",
        "push",
    ),
    "transload.verbs.checking": ("verify",),
    "transload.report.result": ("Result",),
    "transload.app.verify": ("Verification",),
    "transload.app.stores": ("Network",),
    "transload.app.settings": ("Environment",),
    "transload.archive": ("ArchiveStore",),
    "transload.bundle": ("BundleStore",),
    "transload.errors": ("ImagesFailed", "TransloadError"),
    "transload.events": ("Event",),
    "transload.layout": ("LayoutStore",),
    "transload.memory": ("MemoryStore",),
    "transload.net.http": ("Http",),
    "transload.net.settings": ("NetSettings",),
    "transload.threads": ("Cancellation",),
    "transload.oci": ("Descriptor", "Digest", "Manifest", "Name", "Platform", "Reference"),
    "transload.planning": ("Item", "Narrowing", "Plan", "Request", "make_plan"),
    "transload.ports": ("Source", "Target"),
    "transload.registry.credentials": ("DockerConfig",),
    "transload.login": ("Login", "Secret"),
    "transload.registry.store": ("RegistryStore",),
    "transload.transfer": ("Journal", "Outcome", "run"),
    "transload.transfer.proof": ("Proof", "compare"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives (PEP 562)."""
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = globals()[name] = getattr(import_module(module), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
