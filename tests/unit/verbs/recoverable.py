"""A bundle with recovery volumes, for tests that damage it."""

from transload import Environment, pack
from transload.layout import LayoutStore
from transload.testing.images import fill, image

NOTHING = Environment()


def pack_recoverable() -> None:
    """In the current folder: two images in `source`, and `b`, three volumes of some 2 MiB with two for recovery."""
    store = LayoutStore("source", create=True)
    fill(store, image("one", layers=(2_500_000, 20)), "a/one", "1")
    fill(store, image("two", layers=(2_400_000, 900_000)), "a/two", "1")
    pack((), "b", origin="oci:source", volume_count=3, recovery=2, environment=NOTHING)
