"""Giving carried images to an engine of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Unpack

from transload.app.detect import carried_place, open_carried
from transload.app.loading import Loaded, LoadedImage, LoadWish, load_carried
from transload.app.loadnames import check_carried, check_under
from transload.app.nodeengine import EngineChoice, open_engine
from transload.app.settings import read_environment
from transload.app.stores import Carried
from transload.engines.address import KINDS
from transload.errors import UsageError
from transload.oci import Platform
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def load(
    bundle: str | Path,
    *,
    engine: str | None = None,
    engine_address: str | None = None,
    namespace: str | None = None,
    images: Iterable[str] | None = None,
    platform: str | Platform | None = None,
    all_platforms: bool = False,
    under: str | None = None,
    key: str | Path | None = None,
    volumes: str | Path | Iterable[str | Path] = (),
    tell: Callable[[LoadedImage], None] = lambda _image: None,
    **options: Unpack[Options],
) -> Loaded:
    """Load carried images into an engine of this machine, straight from a bundle: `transload load`.

    `engine` is `docker`, `podman` or `containerd`; without it, the only one that answers is taken. `engine_address` is
    its socket (`unix:///path`), `namespace` containerd's (default: `k8s.io`, that of pods). Images get the names that
    they were published under, or with `under` (`HOST[/PREFIX]`) those at a private registry. `platform` is that of the
    engine unless it is given; with `all_platforms`, containerd gets every platform that is carried. `tell` hears of
    each image as it ends; `key`, `volumes` and `images` are those of `push`.

    The result has each image with its status (`loaded`, `updated`, `present`, `left-out`, `failed`); `result.good` is
    whether all are there that an engine can hold. What fails with one image is not raised, but in the result. Raises
    what concerns the whole: `UsageError`, `Unreachable` if no engine answers, `PermissionRefused`, `SelectionEmpty`,
    `ImageUnknown`, `TargetConflict`, `BundleUnsigned` and its kind, `LocalError`.
    """
    kind = next((known for known in KINDS if known == engine), None)
    if engine is not None and kind is None:
        raise UsageError(f"{engine!r} is no engine that is known", hint=f"there are {', '.join(KINDS)}")
    carried = Carried(arguments.paths("volumes", volumes), arguments.path_if_any("key", key))
    wanted = arguments.platforms(() if platform is None else platform)
    if len(wanted) > 1:
        raise UsageError("an engine runs one platform", hint="name one, or take all_platforms")
    wish = LoadWish(
        images=arguments.images(images),
        platform=wanted[0] if wanted else None,
        whole=all_platforms,
        under=check_under(arguments.store("under", under)) if under is not None else None,
    )
    wish.check()
    choice = EngineChoice(kind=kind, address=engine_address, namespace=namespace)
    choice.check()
    place = check_carried(carried_place(str(arguments.path("bundle", bundle)), carried))
    means = Means.of(options, key=carried.key, volumes=carried.folders)
    with at_work(means) as work:
        environment = means.environment or read_environment()
        opened = open_engine(choice, environment, work.cancellation.check, whole=all_platforms)
        store = open_carried(place, work.stores)
        return load_carried(store, wish, opened, work.stores, work.cancellation, tell)
