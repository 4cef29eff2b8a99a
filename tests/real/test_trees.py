"""Trees of targets (`--via`) whose sites demand logins and TLS, or are folders that `transload serve` serves."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.real.servers import Registry, StartRegistry, write_htpasswd
from tests.real.test_counts import digests, fetched
from tests.real.token_server import WRITER, User
from tests.real.vendor import Shell, held, store_at
from transload.layout import LayoutStore
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.releases import fill_release, release

MADE = release("tree", 3, 400_000)
IMAGES = {f"vendor/{name}:{MADE.tag}" for name in MADE.images}
ANN = User("ann", "her own", WRITER.actions)
BOB = User("bob", "his own", WRITER.actions)


def log_in(shell: Shell, *logins: tuple[str, User]) -> None:
    """What `docker login` keeps."""
    auths = {host: {"auth": base64.b64encode(str(user).encode()).decode()} for host, user in logins}
    folder = shell.home / ".docker"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": auths}))


def published(registry: Registry, user: User | None = None) -> Registry:
    with store_at(registry, user) as store:
        fill_release(store, MADE, "vendor")
    return registry


def closed_to_all_but(user: User, registry: Registry) -> Registry:
    """A registry with htpasswd, in which now this user is the only one."""
    write_htpasswd(registry.root.parent / "htpasswd", user)
    return registry


def has_all(folder: Path) -> bool:
    """Whether a served folder has the release, below the prefix of the site."""
    store = LayoutStore(folder)
    found = {name: store.fetch(Name(f"site/vendor/{name}", MADE.tag)).raw for name in MADE.images}
    return found == {name: made.manifest.raw for name, made in MADE.images.items()}


def served_by(user: User, certs: Path | None = None) -> ServeSettings:
    certificate, key = (certs / "server.cert", certs / "server.key") if certs else (None, None)
    users = {user.name: user.password}
    return ServeSettings(writable=True, users=users, tls_certificate=certificate, tls_key=key)


def test_each_site_of_a_tree_is_read_and_written_with_its_own_login(
    shell: Shell, start_registry: StartRegistry
) -> None:
    """The source and its taker have tokens, those behind it htpasswd and TLS."""
    source = published(start_registry("token"), WRITER)
    giver = start_registry("token")
    first = closed_to_all_but(ANN, start_registry("htpasswd", tls=True))
    second = closed_to_all_but(BOB, start_registry("htpasswd", tls=True))
    assert source.reader is not None
    log_in(shell, (source.host, source.reader), (giver.host, WRITER), (first.host, ANN), (second.host, BOB))
    authorities = [word for one in (first, second) for word in ("--ca-file", one.ca_file)]
    tree = ["--via", f"{first.host}={giver.host}", "--via", f"{second.host}={first.host}"]
    targets = [word for one in (giver, first, second) for word in ("--to", one.host)]
    names = (f"{source.host}/{name}" for name in sorted(IMAGES))  # the reader may not list what there is
    ran = shell("mirror", *names, *targets, *tree, *authorities)
    assert ran.code == 0, ran.told
    for site, user in ((giver, WRITER), (first, ANN), (second, BOB)):
        assert held(site, user=user) == IMAGES
    once = dict.fromkeys(digests(MADE), 1)
    assert [fetched(site.all_requests()) for site in (source, giver, first, second)] == [once, once, once, {}]
    for secret in (ANN.password, BOB.password, WRITER.password):
        assert secret not in ran.told


@pytest.mark.parametrize("wrong", ["giver", "taker"])
def test_a_login_that_a_site_of_a_tree_refuses_is_blamed_on_that_site(
    shell: Shell, start_registry: StartRegistry, wrong: str
) -> None:
    source = published(start_registry())
    giver = closed_to_all_but(ANN, start_registry("htpasswd"))
    taker = closed_to_all_but(BOB, start_registry("htpasswd"))
    log_in(shell, (giver.host, BOB if wrong == "giver" else ANN), (taker.host, ANN if wrong == "taker" else BOB))
    report = shell.home / "run.json"
    ran = shell(
        "mirror", "--from", source.host, "--to", giver.host, "--to", taker.host,
        "--via", f"{taker.host}={giver.host}", "--report", report,
    )  # fmt: skip
    told = {target["name"]: target for target in json.loads(report.read_text())["targets"]}
    bad = giver if wrong == "giver" else taker
    assert told[bad.host]["problem"]["code"] == "credentials-rejected", ran.told
    assert ran.code == told[bad.host]["exit_code"]
    assert told[bad.host]["problem"]["subject"] == bad.host
    if wrong == "giver":
        assert told[taker.host]["problem"]["code"] == "site-lacks"
        assert held(taker, user=BOB) == set()
    else:
        assert held(giver, user=ANN) == IMAGES


def test_served_folders_give_and_take_in_a_tree(
    shell: Shell, start_registry: StartRegistry, tls_registry: Registry, tmp_path: Path
) -> None:
    """A served folder feeds a registry, which feeds another served folder; both demand logins, one speaks TLS."""
    source = published(start_registry())
    between = closed_to_all_but(BOB, start_registry("htpasswd"))
    assert tls_registry.certs is not None
    one, two = LayoutStore(tmp_path / "one", create=True), LayoutStore(tmp_path / "two", create=True)
    with (
        serve(one, served_by(ANN, tls_registry.certs)) as giver,
        serve(two, served_by(WRITER)) as last,
    ):
        log_in(shell, (giver.host_port, ANN), (between.host, BOB), (last.host_port, WRITER))
        hosts = [giver.host_port, between.host, last.host_port]
        targets = [word for host in hosts for word in ("--to", f"{host}/site")]
        tree = ["--via", f"{hosts[1]}={hosts[0]}", "--via", f"{hosts[2]}={hosts[1]}"]
        words = ["mirror", "--from", source.host, *targets, *tree, "--ca-file", tls_registry.ca_file]
        ran = shell(*words)
        assert ran.code == 0, ran.told
        again = shell(*words)
        assert again.code == 0, again.told
    once = dict.fromkeys(digests(MADE), 1)
    assert fetched(source.all_requests()) == once
    assert fetched(between.all_requests()) == once
    assert has_all(tmp_path / "one")
    assert has_all(tmp_path / "two")


def test_the_login_of_the_source_is_not_given_to_a_site_that_gives(shell: Shell, start_registry: StartRegistry) -> None:
    source = closed_to_all_but(ANN, published(start_registry("htpasswd"), WRITER))
    giver = closed_to_all_but(BOB, start_registry("htpasswd"))
    taker = start_registry()
    log_in(shell, (giver.host, BOB))
    shell.set(TRANSLOAD_SOURCE_PASSWORD=ANN.password)
    tree = ["--to", giver.host, "--to", taker.host, "--via", f"{taker.host}={giver.host}"]
    ran = shell("mirror", "--from", source.host, "--source-username", ANN.name, *tree)
    assert ran.code == 0, ran.told
    assert held(taker) == IMAGES
    assert fetched(giver.all_requests()) == dict.fromkeys(digests(MADE), 1)
    log = giver.log.read_text(errors="replace")
    assert [f"auth.user.name={user.name}" in log for user in (ANN, BOB)] == [False, True]
