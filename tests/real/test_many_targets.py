"""Twenty docker-registries as targets of one run, of which some are slow, full or gone; the source's log counts."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.real.programs import program
from tests.real.servers import Registry, running_registry
from tests.real.test_counts import digests, fetched
from tests.real.vendor import Shell, held, store_at
from transload.testing.laboratory import ALWAYS, Fault, Laboratory, refuses
from transload.testing.releases import fill_release, release

resource = pytest.importorskip("resource", reason="limits of POSIX")

TWENTY = 20
MADE = release("many", 3, 400_000)
IMAGES = {f"vendor/{name}:{MADE.tag}" for name in MADE.images}
FILES = 256


class Sites:
    """A source, and twenty registries; each test has a prefix of its own there."""

    def __init__(self, source: Registry, registries: list[Registry]) -> None:
        self.source = source
        self.registries = registries
        self.hosts = [registry.host for registry in registries]
        self.prefix = ""
        self._before = 0

    def begin(self, prefix: str) -> None:
        """A new test, with its prefix."""
        self.prefix, self._before = prefix, len(self.source.all_requests())

    def words(self, hosts: list[str]) -> list[str]:
        """The words of a command that copies the release to these hosts."""
        return ["--from", self.source.host, *(word for host in hosts for word in ("--to", f"{host}/{self.prefix}"))]

    def has_all(self, number: int) -> bool:
        """Whether the registry has the whole release."""
        return held(self.registries[number], self.prefix) == IMAGES

    @property
    def fetched(self) -> dict[str, int]:
        """How often each blob was read from the source in this test."""
        return dict(fetched(self.source.all_requests()[self._before :]))


@pytest.fixture(scope="session")
def _sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    path = program("docker-registry")
    folders = [tmp_path_factory.mktemp("many") for _ in range(TWENTY + 1)]
    running = [running_registry(path, folder) for folder in folders]
    with ThreadPoolExecutor(TWENTY) as together:
        started = list(together.map(lambda one: one.__enter__(), running))
        with store_at(started[0]) as store:
            fill_release(store, MADE, "vendor")
        yield Sites(started[0], started[1:])
        list(together.map(lambda one: one.__exit__(None, None, None), running))


@pytest.fixture
def sites(_sites: Sites, request: pytest.FixtureRequest) -> Sites:
    _sites.begin(request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-"))
    return _sites


@pytest.fixture
def running() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def silent(running: contextlib.ExitStack) -> str:
    """A host that takes connections and says nothing."""
    listening = running.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
    return f"127.0.0.1:{listening.getsockname()[1]}"


def gone() -> str:
    """A host where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


def test_each_blob_is_read_once_for_twenty(shell: Shell, sites: Sites) -> None:
    ran = shell("mirror", *sites.words(sites.hosts))
    assert ran.code == 0, ran.told
    assert sites.fetched == dict.fromkeys(digests(MADE), 1)
    assert all(map(sites.has_all, range(TWENTY)))
    before = len(sites.source.all_requests())
    again = shell("mirror", *sites.words(sites.hosts))
    assert again.code == 0, again.told
    assert not fetched(sites.source.all_requests()[before:])


def test_silent_hosts_let_the_others_begin_and_end_where_few_files_may_be_open(
    shell: Shell, sites: Sites, running: contextlib.ExitStack
) -> None:
    """The silent ones are named first and are not given up while the test runs: nobody may wait for them."""
    bad = 7
    hosts = [silent(running) for _ in range(bad)] + sites.hosts[bad:]
    words = [*sites.words(hosts), "--output", "json", "--give-up-after", "900"]
    process = shell.start("mirror", *words, preexec_fn=few_files)
    ended = set[str]()
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "finished":
                ended.add(event["target"])
                if len(ended) == TWENTY - bad:
                    process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert all(map(sites.has_all, range(bad, TWENTY)))
    assert sites.fetched == dict.fromkeys(digests(MADE), 1)


def refusing(running: contextlib.ExitStack, behind: str, *faults: Fault) -> str:
    """The registry `behind` a front that spoils requests."""
    return running.enter_context(Laboratory(behind, faults)).host_port


def test_targets_in_all_kinds_of_trouble_spoil_no_other(
    shell: Shell, sites: Sites, running: contextlib.ExitStack, tmp_path: Path
) -> None:
    hosts = sites.hosts
    bad = [
        *(gone() for _ in range(3)),
        *(silent(running) for _ in range(2)),
        refusing(running, hosts[5], refuses("POST|PATCH|PUT *", 503, times=ALWAYS)),
        refusing(running, hosts[6], refuses("PATCH|PUT upload", 507, times=ALWAYS)),
        refusing(running, hosts[7], refuses("* *", 401, "UNAUTHORIZED", times=ALWAYS)),
        refusing(running, hosts[8], refuses("* *", 503, skip=15, times=ALWAYS)),
    ]
    report = tmp_path / "report.json"
    words = sites.words([*bad, *hosts[len(bad) :]])
    ran = shell("mirror", *words, "--give-up-after", "3", "--report", report)
    assert ran.code == 1, ran.told
    assert all(map(sites.has_all, range(len(bad), TWENTY)))
    assert sites.fetched == dict.fromkeys(digests(MADE), 1)
    told = {target["name"].partition("/")[0]: target for target in json.loads(report.read_text())["targets"]}
    assert [told[host]["exit_code"] for host in hosts[len(bad) :]] == [0] * (TWENTY - len(bad))
    codes = [told[host]["exit_code"] for host in bad]
    assert codes[:5] == [5] * 5
    assert all(codes)
    assert ran.out.splitlines()[0] == f"{TWENTY - len(bad)} of {TWENTY} targets are complete"


def test_a_tree_of_twenty_reads_the_source_once_and_each_site_once(shell: Shell, sites: Sites) -> None:
    """The source feeds two sites; each of them feeds nine others, whose blobs it gives once for all."""
    hosts = sites.hosts
    givers = sites.registries[:2]
    before = [len(giver.all_requests()) for giver in givers]
    via = [word for at, host in enumerate(hosts[2:]) for word in ("--via", f"{host}={hosts[at % 2]}")]
    ran = shell("mirror", *sites.words(hosts), *via)
    assert ran.code == 0, ran.told
    once = dict.fromkeys(digests(MADE), 1)
    assert sites.fetched == once
    assert all(map(sites.has_all, range(TWENTY)))
    for giver, so_far in zip(givers, before, strict=True):
        asked = [(line, status) for line, status in giver.all_requests()[so_far:] if f"/{sites.prefix}/" in line]
        assert fetched(asked) == once
