"""A copy between two registries, each behind a laboratory that spoils what passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.unit.planning.scene import item
from tests.unit.registry.wire import plain_http
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning import Request, make_plan
from transload.registry.store import RegistryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image
from transload.testing.laboratory import Fault, Laboratory
from transload.testing.layers import layer
from transload.transfer import Outcome, run

LARGE = layer("large", 3 << 20)
APP = image("app", [LARGE, 5000])


def copied(
    source_faults: list[Fault],
    target_faults: list[Fault],
    *,
    target_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Outcome, Laboratory, Laboratory]:
    """What came of copying `APP`, to two repositories, from a spoilt registry to a spoilt registry.

    What is said to be copied is there. `settings` are those of `NetSettings`.
    """
    vendor, site = MemoryStore(), MemoryStore()
    fill(vendor, APP, "app", "1")
    with (
        serve(vendor) as served,
        serve(site, ServeSettings(writable=True, **(target_settings or {}))) as written,
        Laboratory(served.host_port, source_faults, seed=8) as before,
        Laboratory(written.host_port, target_faults, seed=8) as behind,
        plain_http(**settings) as net,
    ):
        source, target = RegistryStore(before.host_port, net), RegistryStore(behind.host_port, net)
        wanted = item("app:1", store=source.locator)
        second = item("app:1", "again/app:1", store=source.locator)
        plan = make_plan(Request((wanted, second)), {source.locator: source}, target)
        outcome = run(plan, {source.locator: source}, target)
    if all(each.error is None for each in outcome.images):
        for name in ("app", "again/app"):
            assert site.fetch(Name(name, "1")) == APP.manifest
            assert all(site.exists(name, content.descriptor) for content in APP.walk_contents())
    return outcome, before, behind
