"""Writing what nodes and clusters need, so that they pull from the private registry."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from transload.app.configuring import Wanted, make_configuration, write_configuration
from transload.app.relocations import Sources
from transload.configuration import Configuration, Reach, Wishes
from transload.configuration.kinds import kind_named
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def configure(
    kind: str,
    sources: str | Path | Iterable[str | Path] = (),
    *,
    to: str | None = None,
    pull_from: str | None = None,
    source_registry: str | None = None,
    source_repository: str = "",
    tag: str | None = None,
    target_tag: str | None = None,
    flatten: bool = False,
    rewrite: str | Path | Iterable[str | Path] = (),
    name: str | None = None,
    namespace: str | None = None,
    pin: bool = False,
    no_fallback: bool = False,
    strict: bool = False,
    reach: Reach | None = None,
    folder: str | Path | None = None,
    replace: bool = False,
    key: str | Path | None = None,
    **options: Unpack[Options],
) -> Configuration:
    """Make the files that tell nodes and clusters where images are: `transload configure` of the command line.

    `kind` is one of the kinds that the command lists, such as `kustomize`. `sources` are JSON reports of runs, saved
    plans, inventories, bundles, or image sets and catalogs. `to` is where the images were pushed to, which a report
    knows itself; with `pull_from`, clusters read what lies below `to` under that name. `source_registry` and
    `source_repository` say where images were published if the sources do not know that. `tag`, `target_tag` and
    `flatten` are what the run was given, for image sets and catalogs.

    `rewrite` are the files, or folders of files, that a kind rewrites; for `helm-values` packed charts, their folders,
    or addresses (`oci://…`, `https://…`), from which they are fetched. `name` and `namespace` are of the Kubernetes
    object, `pin` writes digests; with `no_fallback`, nodes never ask the registry that pods name; with `strict`,
    nothing is written if an image in `rewrite` stays as it was. `reach` says how nodes reach the registry: certificate
    authority, plain HTTP, and the login, if it is to be in a file. With `folder`, the files are written there: all of
    them, or none; those with a secret are for their owner only. Files with other content are replaced only with
    `replace`. `key` must have signed a bundle. Nothing is applied.

    Returns the files with their content, and notes: where they go, and what they cannot say.

    Raises `UsageError` for what the kind cannot use or cannot say, `SelectionEmpty` if nothing says where an image is,
    `TargetConflict`, `DocumentInvalid`, `FileExists`, `LocalError`, and what opening a bundle or a set raises.
    """
    sought = Sources(
        words=arguments.texts("sources", sources),
        to=arguments.store_if_any("to", to),
        pull_from=arguments.store_if_any("pull_from", pull_from),
        registry=arguments.text_if_any("source_registry", source_registry),
        repository=arguments.string("source_repository", source_repository),
        tag=arguments.text_if_any("tag", tag),
        target_tag=arguments.text_if_any("target_tag", target_tag),
        flatten=flatten,
    )
    wanted = Wanted(
        kind=kind_named(arguments.text("kind", kind)),
        sources=sought,
        wishes=Wishes(
            name=name,
            namespace=namespace,
            pin=pin,
            no_fallback=no_fallback,
            strict=strict,
        ),
        rewrite=arguments.texts("rewrite", rewrite),
        reach=lambda _registry: reach or Reach(),
    )
    place = arguments.path_if_any("folder", folder)
    with at_work(Means.of(options, key=arguments.path_if_any("key", key))) as work:
        configuration = make_configuration(wanted, work.stores, work.cancellation)
    if place is not None:
        write_configuration(configuration, place, replace=replace)
    return configuration
