"""From what a cluster runs to a proved copy: discovered, pinned, mirrored, and verified between real registries."""

from __future__ import annotations

import json
from pathlib import Path

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import Shell, digest_at, held, store_at
from transload.testing.images import fill, image


def test_what_a_cluster_runs_is_found_pinned_copied_and_proved(
    shell: Shell, registry: Registry, start_registry: StartRegistry
) -> None:
    source = start_registry("htpasswd")
    assert source.user
    with store_at(source, source.user) as store:
        for name, tag in (("web", "1"), ("side", "2"), ("debug", "3")):
            fill(store, image(name), f"shop/{name}", tag)
        ran_by_nodes = image("side").digest
        fill(store, image("newer"), "shop/side", "2")  # after the nodes pulled it
    names = {"web": "web:1", "side": "side:2"}
    containers = [{"name": name, "image": f"{source.host}/shop/{text}"} for name, text in names.items()]
    status = {"name": "side", "imageID": f"{source.host}/shop/side@{ran_by_nodes}"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "containers": containers,
            "ephemeralContainers": [{"name": "debug", "image": f"{source.host}/shop/debug:3"}],
        },
        "status": {"containerStatuses": [status]},
    }
    Path("all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod]}))
    shell.set(TRANSLOAD_SOURCE_PASSWORD=source.user.password)
    login = ("--source-username", source.user.name)
    found = shell("discover", "all.json", "--pin", *login, "-o", "set.yaml")
    assert found.code == 0, found.told
    assert ran_by_nodes in found.out
    assert source.user.password not in found.told + Path("set.yaml").read_text()

    target = f"{registry.host}/discovered"
    assert shell("mirror", "set.yaml", "--to", target, *login).code == 0
    assert held(registry, "discovered") == {"shop/web:1", "shop/side:2", "shop/debug:3"}
    assert digest_at(registry, "discovered/shop/side:2") == ran_by_nodes
    assert shell("verify", "set.yaml", "--to", target, *login).code == 0
