"""What `configure` writes for nodes, read by real engines: they pull by the vendor's names from a site's registry."""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.engines import Engine, asked, needs, running
from tests.real.servers import Registry
from tests.real.vendor import Shell, push, store_at
from transload.app.configuring import write_configuration
from transload.configuration import MovedImage, Reach, Relocation, Wishes
from transload.configuration.kinds import kind_named
from transload.layout import LayoutStore
from transload.login import Login
from transload.oci import Digest, Reference
from transload.testing.images import fill, image

VENDOR = "mcr.microsoft.com/arcdata"
NAMES = ("arc-sqlmi", "arc-monitor")
TAG = "v1.40.0"
PREFIX = "site-nodes/mirror"
SET = "kind: ImageSet\nversion: 1\nimages:\n" + "".join(f"  - {VENDOR}/{name}:{TAG}\n" for name in NAMES)
Configure = Callable[..., Path]


class Trap(socketserver.StreamRequestHandler):
    """A proxy for every address that is not on loopback, which refuses everything and remembers what was asked."""

    def handle(self) -> None:
        """Note the first line, and refuse."""
        self.server.asked.append(self.rfile.readline(1000))  # type: ignore[attr-defined]
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


@pytest.fixture
def outside(shell: Shell) -> Iterator[list[bytes]]:
    """What programs that are started in the test ask for anywhere else than on loopback, which Go leaves out."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trap) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        shell.set(HTTPS_PROXY=address, HTTP_PROXY=address, NO_PROXY="")
        try:
            yield server.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def images(shell: Shell, tls_registry: Registry) -> dict[str, Digest]:
    """Images of the vendor, in the site's registry below a prefix, as `mirror` puts them there."""
    store = LayoutStore(shell.home / "vendor", create=True)
    built = {name: image(f"nodes {name}", (3000,)) for name in NAMES}
    for name in NAMES:
        fill(store, built[name], f"arcdata/{name}", TAG)
    target = ["--to", f"{tls_registry.host}/{PREFIX}", "--ca-file", tls_registry.ca_file]
    done = shell("mirror", "--from", f"oci:{shell.home}/vendor", *target, "--quiet")
    assert done.code == 0, done.told
    return {f"{VENDOR}/{name}:{TAG}": made.descriptor.digest for name, made in built.items()}


@pytest.fixture
def configure(shell: Shell, tls_registry: Registry) -> Configure:
    """`transload configure KIND` for the site's registry, into a folder."""

    def written(kind: str, *more: object, to: str = f"{tls_registry.host}/{PREFIX}", text: str = SET) -> Path:
        (shell.home / "set.yaml").write_text(text)
        folder = shell.home / kind
        done = shell("configure", kind, shell.home / "set.yaml", "--to", to, "-o", folder, *more)
        assert done.code == 0, done.told
        return folder

    return written


@contextlib.contextmanager
def containerd(certs_d: Path) -> Iterator[tuple[Engine, Path]]:
    """containerd with its CRI plugin, which reads `certs_d`: its client, and its socket."""
    client = needs("ctr")
    with tempfile.TemporaryDirectory(prefix="containerd") as path:
        folder = Path(path)
        cri = 'plugins."io.containerd.grpc.v1.cri"'
        lines = [
            "version = 2",
            f'root = "{path}/root"',
            f'state = "{path}/state"',
            f'grpc = {{ address = "{path}/s" }}',
        ]
        lines += [f"[{cri}]", 'stream_server_address = "127.0.0.1"', 'stream_server_port = "0"']
        lines += [f"[{cri}.containerd]", 'snapshotter = "native"']
        lines += [f"[{cri}.registry]", f'config_path = "{certs_d}"', ""]
        (folder / "config.toml").write_text("\n".join(lines))
        command = [needs("containerd"), "-c", str(folder / "config.toml")]
        (folder / "empty").write_bytes(bytes(5))  # a message of gRPC with nothing in it
        ready = f"{' '.join(_grpc(folder / 's', 'ListImages', folder / 'empty'))} 2>&1 | grep -q 'grpc-status: 0'"
        with running(command, folder, ["sh", "-c", ready]):
            yield lambda *words: asked([client, "-a", f"{path}/s", "-n", "k8s.io", *map(str, words)]), folder / "s"


def _grpc(socket_path: Path, method: str, message: object) -> list[str]:
    """The command that sends one message to the CRI's image service (runtime.v1), and prints headers and trailers."""
    command = [needs("curl"), "-sS", "--http2-prior-knowledge", "--unix-socket", str(socket_path), "-D", "/dev/stderr"]
    command += ["-o", "/dev/null", "-H", "content-type:application/grpc", "-H", "te:trailers"]
    return [*command, "--data-binary", f"@{message}", f"http://localhost/runtime.v1.ImageService/{method}"]


def cri_pull(socket_path: Path, reference: str) -> str:
    """Pull as the kubelet does it; what went wrong, or nothing."""
    name = reference.encode()
    spec = b"\x0a" + bytes([len(name)]) + name  # ImageSpec.image
    request = b"\x0a" + bytes([len(spec)]) + spec  # PullImageRequest.image
    message = b"\0" + len(request).to_bytes(4, "big") + request
    command = _grpc(socket_path, "PullImage", "-")
    done = subprocess.run(command, input=message, capture_output=True, timeout=240, check=False)
    status = done.stderr.decode()
    return "" if "grpc-status: 0" in status else status


@pytest.fixture(params=["--ca-file", "--insecure-tls"])
def trust(request: pytest.FixtureRequest, tls_registry: Registry) -> list[object]:
    """How nodes are told to trust the site's registry, whose authority is its own."""
    return [request.param, tls_registry.ca_file if request.param == "--ca-file" else tls_registry.host]


def test_containerd_through_ctr_and_cri(
    configure: Configure, images: dict[str, Digest], tls_registry: Registry, outside: list[bytes], trust: list[object]
) -> None:
    certs_d = configure("containerd", *trust) / "certs.d"
    with containerd(certs_d) as (ctr, socket_path):
        for name, digest in images.items():
            ctr("images", "pull", "--snapshotter", "native", "--hosts-dir", certs_d, name)
            assert f" {digest} " in ctr("images", "ls", f"name=={name}")
            ctr("images", "rm", name)
            assert cri_pull(socket_path, name) == ""
            assert f" {digest} " in ctr("images", "ls", f"name=={name}")
        direct = f"{tls_registry.host}/{PREFIX}/arcdata/{NAMES[0]}:{TAG}"
        assert cri_pull(socket_path, direct) == ""  # by its own name, with the authority of its own file
        assert outside == []
        assert "grpc-status: " in cri_pull(socket_path, f"{VENDOR}/not-mirrored:1")
        assert b"CONNECT mcr.microsoft.com:443 HTTP/1.1\r\n" in outside  # what the registry does not have


def test_containerd_with_a_login_and_no_way_back(
    shell: Shell, htpasswd_registry: Registry, outside: list[bytes]
) -> None:
    """The header of hosts.toml is the login, for manifests and for blobs; the vendor is never asked."""
    user, host = htpasswd_registry.user, htpasswd_registry.host
    assert user is not None
    built = image("nodes login", (3000,))
    with store_at(htpasswd_registry, user) as store:
        fill(store, built, "site-nodes/arcdata/arc-sqlmi", TAG)
    (shell.home / "set.yaml").write_text(SET)
    auth = base64.b64encode(f"{user}".encode()).decode()
    (shell.home / ".docker").mkdir()
    (shell.home / ".docker" / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    written = shell.home / "nodes"
    done = shell(
        "configure", "containerd", shell.home / "set.yaml", "--to", f"{host}/site-nodes", "--plain-http", host,
        "--no-fallback", "--with-login", "-o", written,
    )  # fmt: skip
    assert done.code == 0, done.told
    assert {file.stat().st_mode & 0o777 for file in written.rglob("hosts.toml")} == {0o600}
    with containerd(written / "certs.d") as (ctr, socket_path):
        name = f"{VENDOR}/arc-sqlmi:{TAG}"
        assert cri_pull(socket_path, name) == ""
        assert f" {built.descriptor.digest} " in ctr("images", "ls", f"name=={name}")
        assert "grpc-status: " in cri_pull(socket_path, f"{VENDOR}/not-mirrored:1")
        assert outside == []


def test_containerd_tries_prefixes_in_turn(shell: Shell, registry: Registry, outside: list[bytes]) -> None:
    places = {"arcdata/one": "site-nodes-a", "arcdata/two": "site-nodes-a", "arcdata/three": "site-nodes-b"}
    built = {path: image(f"nodes turn {path}", (3000,)) for path in places}
    for path, prefix in places.items():
        push(registry, built[path], f"{prefix}/{path}", TAG)
    images = [
        MovedImage(
            source=Reference.parse(f"mcr.microsoft.com/{path}:{TAG}"),
            target=Reference.parse(f"{registry.host}/{prefix}/{path}:{TAG}"),
        )
        for path, prefix in places.items()
    ]
    made = Relocation(registry=registry.host, images=tuple(images), reach=Reach(plain_http=True))
    write_configuration(kind_named("containerd").write(made, Wishes()), shell.home / "nodes")
    with containerd(shell.home / "nodes" / "certs.d") as (ctr, socket_path):
        for path in places:
            assert cri_pull(socket_path, f"mcr.microsoft.com/{path}:{TAG}") == ""
            assert f" {built[path].descriptor.digest} " in ctr("images", "ls")
    assert outside == []


def test_podman_reads_renamed_repositories_and_a_login(
    shell: Shell, htpasswd_registry: Registry, podman: Engine, outside: list[bytes]
) -> None:
    user, host = htpasswd_registry.user, htpasswd_registry.host
    assert user is not None
    places = {"team/app": "site-nodes-x/team/app", "team/tool": "site-nodes-x/renamed"}
    built = {path: image(f"nodes renamed {path}", (3000,)) for path in places}
    with store_at(htpasswd_registry, user) as store:
        for path, there in places.items():
            fill(store, built[path], there, TAG)
    images = [
        MovedImage(source=Reference.parse(f"quay.io/{path}:{TAG}"), target=Reference.parse(f"{host}/{there}:{TAG}"))
        for path, there in places.items()
    ]
    reach = Reach(plain_http=True, login=Login(user.name, user.password))
    made = Relocation(registry=host, images=tuple(images), reach=reach)
    folder = shell.home / ".config" / "containers"
    for no_fallback in (False, True):
        configuration = kind_named("podman").write(made, Wishes(no_fallback=no_fallback))
        write_configuration(configuration, folder, replace=True)
        shell.set(REGISTRY_AUTH_FILE=folder / "auth.json")
        for path, one in built.items():
            name = f"quay.io/{path}:{TAG}"
            podman("pull", "--quiet", name)
            assert podman("image", "inspect", "-f", "{{.Digest}}", name).strip() == one.descriptor.digest
            podman("rmi", name)
    assert outside == []


def test_podman_and_buildah(
    configure: Configure, images: dict[str, Digest], trust: list[object], outside: list[bytes], shell: Shell,
    podman: Engine, buildah: Engine,
) -> None:  # fmt: skip
    written = configure("podman", *trust)
    (shell.home / ".config").mkdir(exist_ok=True)
    written.rename(shell.home / ".config" / "containers")
    for name, digest in images.items():
        for engine in (podman, buildah):
            engine("pull", "--quiet", name)
        assert podman("image", "inspect", "-f", "{{.Digest}}", name).strip() == digest
        assert digest in buildah("images", "--digests", name)
    assert outside == []


def test_docker(configure: Configure, registry: Registry, outside: list[bytes], shell: Shell, tmp_path: Path) -> None:
    built = image("nodes hub", (3000,))
    push(registry, built, "library/site-nodes-hub", "1")
    given = shell.home / "daemon.json"
    given.write_text('{"labels": ["site=one"], "max-concurrent-downloads": 2}')
    written = configure(
        "docker", "--plain-http", registry.host, "--rewrite", given, to=registry.host,
        text="kind: ImageSet\nversion: 1\nimages:\n  - docker.io/library/site-nodes-hub:1\n",
    )  # fmt: skip
    client, address = needs("docker"), f"unix://{tmp_path}/s"
    command = [needs("dockerd"), "--config-file", str(written / "daemon.json"), "-H", address]
    command += ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
    command += [f"--{what}={tmp_path / what}" for what in ("data-root", "exec-root", "pidfile")]
    with running(command, tmp_path, [client, "-H", address, "version"]):
        asked([client, "-H", address, "pull", "-q", "site-nodes-hub:1"])
        told = asked([client, "-H", address, "image", "inspect", "-f", "{{.RepoDigests}}", "site-nodes-hub:1"])
        info = asked([client, "-H", address, "info", "-f", "{{.Labels}} {{.RegistryConfig.Mirrors}}"])
        assert info.strip() == f"[site=one] [http://{registry.host}/]"
        assert told.strip() == f"[site-nodes-hub@{built.descriptor.digest}]"
        assert outside == []
