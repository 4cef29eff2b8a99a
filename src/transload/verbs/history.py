"""The transfer records of an image at a target."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from transload.app.history import History, history_of, place_of
from transload.bundle.format.keys import load_public_key
from transload.verbs import arguments
from transload.verbs.means import Means, Options, at_work


def history(
    image: str, *, store: str | None = None, public_key: str | Path | None = None, **options: Unpack[Options]
) -> History:
    """The transfer records that refer to an image at a target, oldest first: `transload history`.

    `image` is a reference (`registry.local/tools/app:1`), or with `store` (`oci:DIR`) a name there. With `public_key`
    (a PEM or OpenSSH file), a record that this key did not sign has a `problem`; `History.holds` is whether there is
    none. Without, nothing of what the records say is proved.

    Raises `NotFound` if there is no such image, or it has no record; `ReferenceInvalid`, `KeyInvalid`, `AccessDenied`,
    `Unreachable`, `LimitExceeded`.
    """
    place = arguments.store_if_any("store", store)
    location, name = place_of(arguments.text("image", image), place)
    path = arguments.path_if_any("public_key", public_key)
    key = None if path is None else load_public_key(path)
    with at_work(Means.of(options)) as work:
        return history_of(work.stores.target(location, create=False), name, key, work.cancellation)
