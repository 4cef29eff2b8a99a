"""What a kind of configuration gets, and what it makes: files below a folder, and words for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from transload.values import field, frozen

if TYPE_CHECKING:
    from transload.discovery.charts import ChartReading, Tree
    from transload.oci import Reference


@frozen(kw_only=True)
class InputFile:
    """A file of the user that is rewritten or read: `name` as the user named it, relative to the folder named."""

    name: PurePosixPath
    content: bytes


@frozen(kw_only=True)
class InputChart:
    """A chart of the user, whose values are written.

    `name` is the chart as Helm's command line names it, `stem` the beginning of the names of files about it. `read`
    reads it with values over its own. `source` and `version` are known if it lies in a registry.
    """

    name: str
    stem: str
    read: Callable[[Sequence[dict[str, Tree]]], ChartReading] = field(eq=False, repr=False)
    source: Reference | None = None
    version: str = ""


@frozen(kw_only=True)
class Wishes:
    """What the user wants of a kind, beside the relocation. A kind that cannot use one refuses it, by its table entry.

    `name` and `namespace` are of the Kubernetes object that is written. `inputs` are manifests, a `control.json`, or
    what else a kind rewrites; `charts` are for kinds that read those. With `pin`, references are written with their
    digests. With `no_fallback`, nodes never ask the registry that pods name. With `strict`, nothing is written if an
    image in the inputs stays as it was.
    """

    name: str | None = None
    namespace: str | None = None
    inputs: tuple[InputFile, ...] = ()
    charts: tuple[InputChart, ...] = ()
    pin: bool = False
    no_fallback: bool = False
    strict: bool = False


@frozen(kw_only=True)
class ConfigFile:
    """One file below the output folder. A `secret` one is readable by its owner only."""

    path: PurePosixPath
    content: bytes
    secret: bool = False


@frozen(kw_only=True)
class Configuration:
    """Files, and `notes`: where they go on the far side, and what they cannot say. Each note is one sentence."""

    files: tuple[ConfigFile, ...]
    notes: tuple[str, ...] = ()
