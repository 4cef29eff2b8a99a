"""The releases of a catalog, and how much of each a target holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Unpack

from transload.app.location import Location
from transload.app.naming import load_catalog
from transload.app.offers import Question, list_releases
from transload.catalog.catalog import Catalog
from transload.catalog.offer import ReleaseList
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def releases(
    catalog: str | os.PathLike[str] | Catalog,
    *,
    to: str | None = None,
    tag: str | None = None,
    images: Iterable[str] | None = None,
    source_registry: str | None = None,
    source_repository: str | None = None,
    known: bool = False,
    digests: bool = False,
    flatten: bool = False,
    **options: Unpack[Options],
) -> ReleaseList:
    """The releases of a catalog, newest first: `transload releases` of the command line.

    `catalog` is the name of a built-in one (`arcdata`), the file of a catalog or of an image set with releases, or a
    `Catalog`. The source is asked for the
    tags of one image; with `known`, it is not asked, and the list has what the catalog knows. `tag` keeps one release
    or a range `FROM..TO`. `source_registry` and `source_repository` say where to look instead.

    With `to`, each release has its `holding`: which images the target has, by their names, and `is_new`. The target is
    asked once for the tags of each image. `images` are the only ones that count. `digests` compares what is there
    with the source, at two requests for each image. `flatten`: the target has only the last part of each path. What
    could not be asked is in `result.troubles`; it counts as `unclear`, never as absent.

    Raises `CatalogUnknown`, `ReleaseUnknown`, `ImageUnknown`, `DocumentInvalid`, `UsageError`; the source's errors if
    it could not be asked for its releases, the target's if it could be asked for nothing.
    """
    with at_work(Means.of(options)) as work:
        if isinstance(catalog, Catalog):
            asked = catalog
        else:
            asked = load_catalog(str(arguments.path("catalog", catalog)), work.stores.variables)
        registry = arguments.text_if_any("source_registry", source_registry) or asked.registry
        prefix = asked.repository
        if source_repository is not None:
            prefix = arguments.string("source_repository", source_repository)
        question = Question(
            catalog=asked,
            origin=Location("registry", registry, prefix),
            target=arguments.store_if_any("to", to),
            releases=arguments.text_if_any("tag", tag),
            images=arguments.images(images),
            known=known,
            digests=digests,
            flatten=flatten,
        )
        return list_releases(question, work.stores, work.cancellation)
