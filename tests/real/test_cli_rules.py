"""Image sets whose rules choose tags, with docker-registry as source and target."""

from __future__ import annotations

from pathlib import Path

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import NEW, OLD, Shell, held, push, store_at
from transload.oci import Name
from transload.testing.images import image

HEAD = "kind: ImageSet\nversion: 1\n"


def test_a_range_of_a_vendor_and_what_is_under_its_prefix(
    shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path
) -> None:
    entries = f"""
defaults: {{registry: "${{VENDOR}}", repository: arcdata}}
images:
  - {{source: arc-dns, tags: {{versions: "^1.39", newest: 1}}}}
repositories:
  - {{prefix: "${{VENDOR}}/arcdata", tags: ["{OLD}"], deny: [arc-dns], target: all}}
"""
    (tmp_path / "set.yaml").write_text(HEAD + entries)
    shell.set(VENDOR=vendor.host)
    ran = shell("mirror", tmp_path / "set.yaml", "--to", f"{registry.host}/ruled")
    assert ran.code == 0, ran.told
    copied = held(registry, "ruled")
    assert f"arc-dns:{NEW}" in copied
    assert f"all/arc-sqlmi:{OLD}" in copied
    assert f"all/arc-dns:{OLD}" not in copied
    assert {name.rpartition(":")[2] for name in copied} == {OLD, NEW}
    assert shell("verify", tmp_path / "set.yaml", "--to", f"{registry.host}/ruled").code == 0


def test_hundreds_of_tags_over_several_pages(shell: Shell, start_registry: StartRegistry, tmp_path: Path) -> None:
    source = start_registry()
    built = image("one", layers=(100,))
    push(source, built, "team/app", "1.0.0")
    with store_at(source) as store:
        for minor in range(1, 250):
            store.put_manifest(Name("team/app", f"1.{minor}.0"), built.manifest)
    (tmp_path / "set.yaml").write_text(
        f"{HEAD}images: [{{source: {source.host}/team/app, tags: {{versions: '>=1.9 <1.200', newest: 2}}}}]\n"
    )
    ran = shell("plan", tmp_path / "set.yaml", "--to", f"oci:{tmp_path / 'target'}", "--explain-tags")
    assert ran.code == 0, ran.told
    assert f"tags:     2 of 250 tags of {source.host}/team/app: >=1.9 <1.200, newest 2\n" in ran.out
    assert [line.split()[1] for line in ran.out.splitlines() if line.startswith("  taken")] == ["1.199.0", "1.198.0"]
    assert sum(line.startswith("  left") for line in ran.out.splitlines()) == 248
