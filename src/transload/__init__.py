"""Copies container images between registries, folders and bundles: complete, unchanged, and verified.

The public names are all here. Each is loaded when it is used, so that `import transload` itself costs nothing.
CHANGELOG.md lists changes between versions. Names in modules below that are not listed here may change without notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transload.version import __version__ as __version__

if TYPE_CHECKING:
    from transload.app.charts.reading import ReadChart
    from transload.app.charts.rendering import ChartOptions
    from transload.app.cleaning import Leftover
    from transload.app.converting import Converted
    from transload.app.deleting import PruneResult
    from transload.app.discovering import Discovery
    from transload.app.history import History
    from transload.app.keyfiles import KeyFile, KeyPair
    from transload.app.loading import Loaded as Loaded
    from transload.app.loading import LoadedImage as LoadedImage
    from transload.app.network import Network
    from transload.app.settings import Environment
    from transload.app.verify import Verification
    from transload.archive import ArchiveStore
    from transload.bundle import (
        Blueprint,
        BundledImage,
        BundleStore,
        BundleWriter,
        Contents,
        ExtraFile,
        Prerequisite,
        lay_out,
        parse_volume_size,
    )
    from transload.bundle.format.edition import BundledRelease, Edition
    from transload.bundle.format.entries import LedgerImage, StoredBlob, StoredExtra
    from transload.bundle.format.ledger import Ledger
    from transload.bundle.format.signing import PublicKey, Signer, load_private_key, load_public_key
    from transload.bundle.reading.checking import CheckedPart
    from transload.bundle.repairing.repair import Repaired, RepairedFile
    from transload.catalog.builtin import load_builtin
    from transload.catalog.catalog import Catalog
    from transload.catalog.chartaddress import ChartAddress
    from transload.catalog.chartuse import ChartUse
    from transload.catalog.definition import parse_catalog
    from transload.catalog.difference import Difference
    from transload.catalog.imageset import CatalogUse, ImageSet
    from transload.catalog.lists.taken import ListQuestion
    from transload.catalog.offer import Holding, Offer, ReleaseList
    from transload.catalog.references import parse_references
    from transload.catalog.release import CompanionImage, Release
    from transload.catalog.ruled import RuledImages, RuledPrefix
    from transload.catalog.selected import Selected
    from transload.catalog.setfile import load_set, parse_set
    from transload.catalog.tagrule import TagRule, TagVerdict, judge_tags
    from transload.catalog.versionrange import VersionRange, order_key
    from transload.catalog.words import NEWEST
    from transload.configuration.relocation import MovedImage, PrefixRule, Reach, Relocation
    from transload.configuration.wishes import ConfigFile, Configuration
    from transload.discovery.finding import Place, Sureness, Unread
    from transload.discovery.listing import FoundImage, Listing, OpenQuestion
    from transload.engines.address import EnginePlaces
    from transload.errors import (
        AccessDenied,
        AccessError,
        AgeRefused,
        AlreadyRunning,
        BeyondRepair,
        BlobUnknown,
        BundleExists,
        BundleForeignSignature,
        BundleIncomplete,
        BundleInvalid,
        BundleUnfinished,
        BundleUnsigned,
        Busy,
        CatalogUnknown,
        CertificateUntrusted,
        ContentDiffers,
        CorruptError,
        CredentialsRejected,
        CredentialsUnavailable,
        DigestInvalid,
        DigestMismatch,
        DiskFull,
        DocumentInvalid,
        FileExists,
        FolderUnsafe,
        GateRefused,
        HostGivenUp,
        HostUnknown,
        ImagesFailed,
        ImageUnknown,
        IndexTampered,
        InsecureRefused,
        Interrupted,
        KeyInvalid,
        LedgerTampered,
        LimitExceeded,
        LocalError,
        LocksMissing,
        LoginMissing,
        ManifestInvalid,
        ManifestUnknown,
        MediumDamaged,
        MediumLost,
        MediumWanted,
        MemberDamaged,
        MemberUnsafe,
        NotFound,
        OutOfBytes,
        PartMissing,
        PermissionRefused,
        PlatformInvalid,
        PlatformUnavailable,
        PolicyRefused,
        PrerequisiteMissing,
        ProtocolTrouble,
        ReadOnly,
        ReferenceInvalid,
        Refused,
        RefusedByRule,
        ReleaseUnknown,
        RepositoryUnknown,
        SchemaUnsupported,
        SelectionEmpty,
        ServerTrouble,
        SettingMissing,
        SharesMissing,
        Side,
        SiteLacks,
        SizeMismatch,
        Stalled,
        StorageFull,
        TargetConflict,
        TargetsFailed,
        TooLarge,
        TooManyRequests,
        TooSlow,
        TransloadError,
        Truncated,
        Unreachable,
        UsageError,
        VolumeDamaged,
        VolumeForeign,
        VolumeMissing,
        VolumeSwapped,
        VolumeTruncated,
        WouldGoBack,
    )
    from transload.events import (
        Activity,
        ActivityListener,
        Allowance,
        Event,
        HostListener,
        HostState,
        HostTroubled,
        How,
        ImageDone,
        Listener,
        Progressed,
        RunFinished,
        RunPaused,
        RunResumed,
        RunStarted,
        StepDone,
        StepFailed,
        StepMoved,
        StepRetried,
        StepStarted,
        TargetEvent,
    )
    from transload.inventory.file import dump_inventory, load_inventory
    from transload.inventory.inventory import Inventory, InventoryTarget, RepositoryContent
    from transload.inventory.take import take_inventory
    from transload.layout import LayoutStore
    from transload.login import Login, Secret
    from transload.memory import MemoryStore
    from transload.net.http import Http
    from transload.net.rates import RateLimits
    from transload.net.settings import NetSettings
    from transload.oci import Descriptor, Digest, Manifest, Name, Platform, Reference
    from transload.planning import (
        BlobStep,
        Item,
        ManifestStep,
        Narrowing,
        Plan,
        PlannedImage,
        Referrers,
        Request,
        make_plan,
    )
    from transload.planning.additions import Addition, ReleaseNames, additions
    from transload.planning.plan import Requests, Share, Step
    from transload.planning.planfile import dump_plan, load_plan
    from transload.planning.shares import ShareNumber
    from transload.ports import Ingest, RequestCosts, Source, Target
    from transload.pruning.plan import GoingName, LeftName, PoolPlan, PrunePlan
    from transload.registry.credentials import DockerConfig
    from transload.registry.known import Finding
    from transload.registry.store import RegistryStore
    from transload.report.bundleorder import BundleFacts, BundleOrder
    from transload.report.checkup import CheckPoint, Checkup
    from transload.report.foundrecord import FoundRecord
    from transload.report.gated import GateResult, GatesAttached
    from transload.report.hosttotals import HostTotals
    from transload.report.insight import ImageInsight, Insight, ReportLayer, RunCourse, RunHalt
    from transload.report.problem import Problem
    from transload.report.result import ImageResult, ReleaseResult, Result
    from transload.report.several import Results
    from transload.report.trusted import ImageSigner, Trusted
    from transload.server import Served, ServedTotals, ServeSettings, serve
    from transload.threads import Cancellation
    from transload.transfer import Attachments, ImageOutcome, Journal, Limits, Outcome, run
    from transload.transfer.hours import Hours
    from transload.transfer.proof import Proof, Verdict, compare
    from transload.verbs.artifacts import ArtifactFiles
    from transload.verbs.bundles import PackResult, pack, push
    from transload.verbs.checking import check
    from transload.verbs.cleaning import clean
    from transload.verbs.configuring import configure
    from transload.verbs.converting import convert
    from transload.verbs.copying import copy, mirror
    from transload.verbs.discovering import discover
    from transload.verbs.figures import write_metrics
    from transload.verbs.history import history
    from transload.verbs.keys import change_passphrase, make_key, read_key
    from transload.verbs.known import forget, known_registries
    from transload.verbs.loading import load as load
    from transload.verbs.means import AnyEvent, Options, Progress
    from transload.verbs.proving import verify
    from transload.verbs.pruning import prune
    from transload.verbs.releases import releases
    from transload.verbs.repairing import repair
    from transload.verbs.single import delete, get_artifact, put_artifact, referrers, tags
    from transload.verbs.stores import Store, StoreOptions, open_store

# --- made by tools/publicnames.py from the imports above
# fmt: off
__all__ = [
    "NEWEST", "AccessDenied", "AccessError", "Activity", "ActivityListener", "Addition", "AgeRefused", "Allowance",
    "AlreadyRunning", "AnyEvent", "ArchiveStore", "ArtifactFiles", "Attachments", "BeyondRepair", "BlobStep",
    "BlobUnknown", "Blueprint", "BundleExists", "BundleFacts", "BundleForeignSignature", "BundleIncomplete",
    "BundleInvalid", "BundleOrder", "BundleStore", "BundleUnfinished", "BundleUnsigned", "BundleWriter", "BundledImage",
    "BundledRelease", "Busy", "Cancellation", "Catalog", "CatalogUnknown", "CatalogUse", "CertificateUntrusted",
    "ChartAddress", "ChartOptions", "ChartUse", "CheckPoint", "CheckedPart", "Checkup", "CompanionImage", "ConfigFile",
    "Configuration", "ContentDiffers", "Contents", "Converted", "CorruptError", "CredentialsRejected",
    "CredentialsUnavailable", "Descriptor", "Difference", "Digest", "DigestInvalid", "DigestMismatch", "Discovery",
    "DiskFull", "DockerConfig", "DocumentInvalid", "Edition", "EnginePlaces", "Environment", "Event", "ExtraFile",
    "FileExists", "Finding", "FolderUnsafe", "FoundImage", "FoundRecord", "GateRefused", "GateResult", "GatesAttached",
    "GoingName", "History", "Holding", "HostGivenUp", "HostListener", "HostState", "HostTotals", "HostTroubled",
    "HostUnknown", "Hours", "How", "Http", "ImageDone", "ImageInsight", "ImageOutcome", "ImageResult", "ImageSet",
    "ImageSigner", "ImageUnknown", "ImagesFailed", "IndexTampered", "Ingest", "InsecureRefused", "Insight",
    "Interrupted", "Inventory", "InventoryTarget", "Item", "Journal", "KeyFile", "KeyInvalid", "KeyPair", "LayoutStore",
    "Ledger", "LedgerImage", "LedgerTampered", "LeftName", "Leftover", "LimitExceeded", "Limits", "ListQuestion",
    "Listener", "Listing", "LoadedImage", "LocalError", "LocksMissing", "Login", "LoginMissing", "Manifest",
    "ManifestInvalid", "ManifestStep", "ManifestUnknown", "MediumDamaged", "MediumLost", "MediumWanted",
    "MemberDamaged", "MemberUnsafe", "MemoryStore", "MovedImage", "Name", "Narrowing", "NetSettings", "Network",
    "NotFound", "Offer", "OpenQuestion", "Options", "OutOfBytes", "Outcome", "PackResult", "PartMissing",
    "PermissionRefused", "Place", "Plan", "PlannedImage", "Platform", "PlatformInvalid", "PlatformUnavailable",
    "PolicyRefused", "PoolPlan", "PrefixRule", "Prerequisite", "PrerequisiteMissing", "Problem", "Progress",
    "Progressed", "Proof", "ProtocolTrouble", "PrunePlan", "PruneResult", "PublicKey", "RateLimits", "Reach",
    "ReadChart", "ReadOnly", "Reference", "ReferenceInvalid", "Referrers", "Refused", "RefusedByRule", "RegistryStore",
    "Release", "ReleaseList", "ReleaseNames", "ReleaseResult", "ReleaseUnknown", "Relocation", "Repaired",
    "RepairedFile", "ReportLayer", "RepositoryContent", "RepositoryUnknown", "Request", "RequestCosts", "Requests",
    "Result", "Results", "RuledImages", "RuledPrefix", "RunCourse", "RunFinished", "RunHalt", "RunPaused", "RunResumed",
    "RunStarted", "SchemaUnsupported", "Secret", "Selected", "SelectionEmpty", "ServeSettings", "Served",
    "ServedTotals", "ServerTrouble", "SettingMissing", "Share", "ShareNumber", "SharesMissing", "Side", "Signer",
    "SiteLacks", "SizeMismatch", "Source", "Stalled", "Step", "StepDone", "StepFailed", "StepMoved", "StepRetried",
    "StepStarted", "StorageFull", "Store", "StoreOptions", "StoredBlob", "StoredExtra", "Sureness", "TagRule",
    "TagVerdict", "Target", "TargetConflict", "TargetEvent", "TargetsFailed", "TooLarge", "TooManyRequests", "TooSlow",
    "TransloadError", "Truncated", "Trusted", "Unreachable", "Unread", "UsageError", "Verdict", "Verification",
    "VersionRange", "VolumeDamaged", "VolumeForeign", "VolumeMissing", "VolumeSwapped", "VolumeTruncated",
    "WouldGoBack", "additions", "change_passphrase", "check", "clean", "compare", "configure", "convert", "copy",
    "delete", "discover", "dump_inventory", "dump_plan", "forget", "get_artifact", "history", "judge_tags",
    "known_registries", "lay_out", "load", "load_builtin", "load_inventory", "load_plan", "load_private_key",
    "load_public_key", "load_set", "make_key", "make_plan", "mirror", "open_store", "order_key", "pack",
    "parse_catalog", "parse_references", "parse_set", "parse_volume_size", "prune", "push", "put_artifact", "read_key",
    "referrers", "releases", "repair", "run", "serve", "tags", "take_inventory", "verify", "write_metrics",
]

_HOMES = {
    "transload.app.charts.reading": ("ReadChart",),
    "transload.app.charts.rendering": ("ChartOptions",),
    "transload.app.cleaning": ("Leftover",),
    "transload.app.converting": ("Converted",),
    "transload.app.deleting": ("PruneResult",),
    "transload.app.discovering": ("Discovery",),
    "transload.app.history": ("History",),
    "transload.app.keyfiles": ("KeyFile", "KeyPair"),
    "transload.app.loading": ("LoadedImage",),
    "transload.app.network": ("Network",),
    "transload.app.settings": ("Environment",),
    "transload.app.verify": ("Verification",),
    "transload.archive": ("ArchiveStore",),
    "transload.bundle": (
        "Blueprint", "BundledImage", "BundleStore", "BundleWriter", "Contents", "ExtraFile", "Prerequisite", "lay_out",
        "parse_volume_size",
    ),
    "transload.bundle.format.edition": ("BundledRelease", "Edition"),
    "transload.bundle.format.entries": ("LedgerImage", "StoredBlob", "StoredExtra"),
    "transload.bundle.format.ledger": ("Ledger",),
    "transload.bundle.format.signing": ("PublicKey", "Signer", "load_private_key", "load_public_key"),
    "transload.bundle.reading.checking": ("CheckedPart",),
    "transload.bundle.repairing.repair": ("Repaired", "RepairedFile"),
    "transload.catalog.builtin": ("load_builtin",),
    "transload.catalog.catalog": ("Catalog",),
    "transload.catalog.chartaddress": ("ChartAddress",),
    "transload.catalog.chartuse": ("ChartUse",),
    "transload.catalog.definition": ("parse_catalog",),
    "transload.catalog.difference": ("Difference",),
    "transload.catalog.imageset": ("CatalogUse", "ImageSet"),
    "transload.catalog.lists.taken": ("ListQuestion",),
    "transload.catalog.offer": ("Holding", "Offer", "ReleaseList"),
    "transload.catalog.references": ("parse_references",),
    "transload.catalog.release": ("CompanionImage", "Release"),
    "transload.catalog.ruled": ("RuledImages", "RuledPrefix"),
    "transload.catalog.selected": ("Selected",),
    "transload.catalog.setfile": ("load_set", "parse_set"),
    "transload.catalog.tagrule": ("TagRule", "TagVerdict", "judge_tags"),
    "transload.catalog.versionrange": ("VersionRange", "order_key"),
    "transload.catalog.words": ("NEWEST",),
    "transload.configuration.relocation": ("MovedImage", "PrefixRule", "Reach", "Relocation"),
    "transload.configuration.wishes": ("ConfigFile", "Configuration"),
    "transload.discovery.finding": ("Place", "Sureness", "Unread"),
    "transload.discovery.listing": ("FoundImage", "Listing", "OpenQuestion"),
    "transload.engines.address": ("EnginePlaces",),
    "transload.errors": (
        "AccessDenied", "AccessError", "AgeRefused", "AlreadyRunning", "BeyondRepair", "BlobUnknown", "BundleExists",
        "BundleForeignSignature", "BundleIncomplete", "BundleInvalid", "BundleUnfinished", "BundleUnsigned", "Busy",
        "CatalogUnknown", "CertificateUntrusted", "ContentDiffers", "CorruptError", "CredentialsRejected",
        "CredentialsUnavailable", "DigestInvalid", "DigestMismatch", "DiskFull", "DocumentInvalid", "FileExists",
        "FolderUnsafe", "GateRefused", "HostGivenUp", "HostUnknown", "ImagesFailed", "ImageUnknown", "IndexTampered",
        "InsecureRefused", "Interrupted", "KeyInvalid", "LedgerTampered", "LimitExceeded", "LocalError", "LocksMissing",
        "LoginMissing", "ManifestInvalid", "ManifestUnknown", "MediumDamaged", "MediumLost", "MediumWanted",
        "MemberDamaged", "MemberUnsafe", "NotFound", "OutOfBytes", "PartMissing", "PermissionRefused",
        "PlatformInvalid", "PlatformUnavailable", "PolicyRefused", "PrerequisiteMissing", "ProtocolTrouble", "ReadOnly",
        "ReferenceInvalid", "Refused", "RefusedByRule", "ReleaseUnknown", "RepositoryUnknown", "SchemaUnsupported",
        "SelectionEmpty", "ServerTrouble", "SettingMissing", "SharesMissing", "Side", "SiteLacks", "SizeMismatch",
        "Stalled", "StorageFull", "TargetConflict", "TargetsFailed", "TooLarge", "TooManyRequests", "TooSlow",
        "TransloadError", "Truncated", "Unreachable", "UsageError", "VolumeDamaged", "VolumeForeign", "VolumeMissing",
        "VolumeSwapped", "VolumeTruncated", "WouldGoBack",
    ),
    "transload.events": (
        "Activity", "ActivityListener", "Allowance", "Event", "HostListener", "HostState", "HostTroubled", "How",
        "ImageDone", "Listener", "Progressed", "RunFinished", "RunPaused", "RunResumed", "RunStarted", "StepDone",
        "StepFailed", "StepMoved", "StepRetried", "StepStarted", "TargetEvent",
    ),
    "transload.inventory.file": ("dump_inventory", "load_inventory"),
    "transload.inventory.inventory": ("Inventory", "InventoryTarget", "RepositoryContent"),
    "transload.inventory.take": ("take_inventory",),
    "transload.layout": ("LayoutStore",),
    "transload.login": ("Login", "Secret"),
    "transload.memory": ("MemoryStore",),
    "transload.net.http": ("Http",),
    "transload.net.rates": ("RateLimits",),
    "transload.net.settings": ("NetSettings",),
    "transload.oci": ("Descriptor", "Digest", "Manifest", "Name", "Platform", "Reference"),
    "transload.planning": (
        "BlobStep", "Item", "ManifestStep", "Narrowing", "Plan", "PlannedImage", "Referrers", "Request", "make_plan",
    ),
    "transload.planning.additions": ("Addition", "ReleaseNames", "additions"),
    "transload.planning.plan": ("Requests", "Share", "Step"),
    "transload.planning.planfile": ("dump_plan", "load_plan"),
    "transload.planning.shares": ("ShareNumber",),
    "transload.ports": ("Ingest", "RequestCosts", "Source", "Target"),
    "transload.pruning.plan": ("GoingName", "LeftName", "PoolPlan", "PrunePlan"),
    "transload.registry.credentials": ("DockerConfig",),
    "transload.registry.known": ("Finding",),
    "transload.registry.store": ("RegistryStore",),
    "transload.report.bundleorder": ("BundleFacts", "BundleOrder"),
    "transload.report.checkup": ("CheckPoint", "Checkup"),
    "transload.report.foundrecord": ("FoundRecord",),
    "transload.report.gated": ("GateResult", "GatesAttached"),
    "transload.report.hosttotals": ("HostTotals",),
    "transload.report.insight": ("ImageInsight", "Insight", "ReportLayer", "RunCourse", "RunHalt"),
    "transload.report.problem": ("Problem",),
    "transload.report.result": ("ImageResult", "ReleaseResult", "Result"),
    "transload.report.several": ("Results",),
    "transload.report.trusted": ("ImageSigner", "Trusted"),
    "transload.server": ("Served", "ServedTotals", "ServeSettings", "serve"),
    "transload.threads": ("Cancellation",),
    "transload.transfer": ("Attachments", "ImageOutcome", "Journal", "Limits", "Outcome", "run"),
    "transload.transfer.hours": ("Hours",),
    "transload.transfer.proof": ("Proof", "Verdict", "compare"),
    "transload.verbs.artifacts": ("ArtifactFiles",),
    "transload.verbs.bundles": ("PackResult", "pack", "push"),
    "transload.verbs.checking": ("check",),
    "transload.verbs.cleaning": ("clean",),
    "transload.verbs.configuring": ("configure",),
    "transload.verbs.converting": ("convert",),
    "transload.verbs.copying": ("copy", "mirror"),
    "transload.verbs.discovering": ("discover",),
    "transload.verbs.figures": ("write_metrics",),
    "transload.verbs.history": ("history",),
    "transload.verbs.keys": ("change_passphrase", "make_key", "read_key"),
    "transload.verbs.known": ("forget", "known_registries"),
    "transload.verbs.loading": ("load",),
    "transload.verbs.means": ("AnyEvent", "Options", "Progress"),
    "transload.verbs.proving": ("verify",),
    "transload.verbs.pruning": ("prune",),
    "transload.verbs.releases": ("releases",),
    "transload.verbs.repairing": ("repair",),
    "transload.verbs.single": ("delete", "get_artifact", "put_artifact", "referrers", "tags"),
    "transload.verbs.stores": ("Store", "StoreOptions", "open_store"),
}
# fmt: on


def __getattr__(name: str) -> Any:
    """Load a public name from its module (PEP 562)."""
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            value = globals()[name] = getattr(import_module(module), name)
            if isinstance(value, type):
                _make_types_known(value)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _make_types_known(kind: type) -> None:
    """Let `typing.get_type_hints` find public types that modules import for type checkers only, which starts faster."""
    import re
    import sys

    for base in kind.__mro__:
        if base.__module__.startswith("transload."):
            names = vars(sys.modules[base.__module__])
            for annotation in vars(base).get("__annotations__", {}).values():
                for word in set(re.findall(r"\w+", str(annotation))) & set(__all__) - names.keys():
                    names[word] = globals().get(word) or __getattr__(word)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
