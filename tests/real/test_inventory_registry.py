"""The inventory of a real registry: complete, at the price that is documented, and as good as asking it."""

from tests.real.servers import StartRegistry
from transload.inventory.file import dump_inventory, load_inventory
from transload.inventory.inventory import InventoryTarget
from transload.inventory.take import take_inventory
from transload.memory import MemoryStore
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.planning import Item, Request, make_plan
from transload.registry.store import RegistryStore
from transload.testing.images import fill, image, multi_platform
from transload.testing.layers import layer
from transload.transfer import run

SHARED = layer("shared", 20_000)
ONE, TWO, MANY = image("one", (SHARED, 100)), image("two", (SHARED, 200)), multi_platform("many", (300,))


def test_a_registry_is_asked_once_for_each_thing_and_the_plan_is_the_same(start_registry: StartRegistry) -> None:
    registry = start_registry()
    target = RegistryStore(registry.host, Http(NetSettings()))
    for built, name, tags in ((ONE, "one", ("1", "latest")), (MANY, "many", ("1",)), (ONE, "copy", ("1",))):
        for tag in tags:
            fill(target, built, f"shop/{name}", tag)
    before = len(registry.requests())

    asking = RegistryStore(registry.host, Http(NetSettings()))
    inventory = take_inventory(asking, "shop")
    asked = [line for line, _ in registry.requests()[before:] if line != "GET /v2/"]
    lists, resolved, children = 1 + 3, 4, len(MANY.children)
    assert len(asked) == lists + resolved + children, asked
    assert set(inventory.repositories) == {"one", "many", "copy"}
    assert inventory.notes == ()

    source = MemoryStore("memory:source")
    wanted = Name("shop/two", "1")
    fill(source, TWO, wanted.repository, wanted.tag)
    request = Request((Item(source.locator, wanted, wanted),))
    stand_in = InventoryTarget(load_inventory(dump_inventory(inventory)), target.request_costs)
    foretold = make_plan(request, {source.locator: source}, stand_in, elsewhere=inventory.holders)
    real = make_plan(request, {source.locator: source}, target, elsewhere=inventory.holders)
    assert foretold == real
    assert (real.copied.blobs, real.mounted.blobs) == (2, 1)
    outcome = run(real, {source.locator: source}, target)
    assert [each.error for each in outcome.images] == [None]
    assert any("mount=" in line and status == 201 for line, status in registry.requests())
