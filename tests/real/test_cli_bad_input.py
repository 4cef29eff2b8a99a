"""What is wrong is told in one sentence, with a hint and the right exit code, and leaves nothing half at the target."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import IMAGES, NEW, Ran, Shell, held, publish, push
from transload.memory import MemoryStore
from transload.oci import Digest
from transload.server import serve
from transload.testing.faults import ALWAYS, Fault, FaultyStore, corrupts
from transload.testing.images import Built, fill, image, multi_platform
from transload.testing.layers import layer

SAMPLE = image("sample", (1000, 200_000))


def errors_in(ran: Ran) -> list[str]:
    """The sentences told, each once, in their order."""
    return list(dict.fromkeys(line.strip() for line in ran.told.splitlines() if line.strip().startswith("error: ")))


@contextlib.contextmanager
def serving(built: Built, *script: Fault) -> Iterator[str]:
    """A reference to an image at a source with faults."""
    memory = MemoryStore()
    fill(memory, built, "app/image", "v1")
    with serve(FaultyStore(memory, script)) as served:
        yield f"{served.host_port}/app/image:v1"


# --- what is written on the command line, or in a file


@pytest.mark.parametrize(
    ("words", "code", "sentence", "hint"),
    [
        ("mirror arcdat --to {target}", 4, "no built-in catalog is called 'arcdat'", "did you mean arcdata?"),
        ("mirror arcdata --tag 9.99 {from_vendor}", 4, "arcdata has no release '9.99'", "the newest are: v1."),
        ("mirror arcdata --tag 1.4 {from_vendor}", 4, "'1.4' could be", "write one of them in full"),
        ("mirror arcdata --tag 1.41 {from_vendor}", 4, "/arcdata has no image of arcdata v1.41.0", NEW),
        ("mirror arcdata --tag 1.40..1.39 {from_vendor}", 2, "the range 1.40..1.39 is empty", "1.39..1.40"),
        ("mirror arcdata --image arc-contoller {from_vendor}", 4, "lists no image 'arc-contoller'", "arc-controller"),
        ("mirror arcdata --source-registry {empty} --to {target}", 4, "has no arcdata/arc-controller", "check the"),
        ("mirror a.example/BIG:v1 --to {target}", 2, "repository 'BIG' has capital letters", "lower case: big"),
        ("mirror a.example/x:v 1 --to {target}", 4, "no built-in catalog is called '1'", "arcdata"),
        ("mirror a.example/x@sha256:1234 --to {target}", 2, "sha256:1234", ""),
        ("mirror {vendor}/arcdata/none:v1 --to {target}", 4, "{vendor} has no arcdata/none:v1", ""),
        ("mirror {vendor}/arcdata/arc-dns --to {target}", 4, "{vendor} has no arcdata/arc-dns:latest", ""),
        ("mirror {vendor}/a:v1 --tag v2 --to {target}", 2, "a release tag was given, but", "into the references"),
        ("mirror broken.yaml --to {target}", 2, "broken.yaml:3:", ""),
        ("mirror typo.yaml --to {target}", 2, "typo.yaml:3: imagse: unknown key", "did you mean images?"),
        ("mirror twice.yaml --to {target}", 2, "app:v1 is wanted twice at the target", "another target name"),
        ("mirror absent.yaml --to {target}", 8, "there is no file absent.yaml", "a catalog is a bare name"),
        ("mirror . --to {target}", 8, ". is a folder", "--from oci:."),
        ("mirror .\\absent --to {target}", 8, "there is no file .\\absent", ""),
        ("mirror arcdata --to https://{target}", 2, "is not a store", "leave https:// out"),
        ("mirror arcdata --to registry", 2, "'registry' names no registry", "write host/prefix"),
        ("mirror arcdata --to {target}/UP", 2, "repository 'bad-words/UP' has capital letters", "up"),
        ("mirror arcdata --platform linux {from_vendor}", 2, "'linux' is not a platform", "linux/amd64"),
        ("mirror arcdata --report r.pdf --to {target}", 2, "a report named 'r.pdf'", ".json, .md or .html"),
        ("mirror arcdata --report no/r.md --to {target}", 8, "no folder", ""),
        ("mirror --to {target}", 2, "nothing says which images are wanted", "transload mirror arcdata --to"),
        ("mirror --from oci:absent --to {target}", 8, "there is no folder absent", "check the path"),
        ("mirror arcdata --from oci:x --source-registry y --to {target}", 2, "--from and --source-registry both", ""),
        ("mirror arcdata --source-username u {from_vendor}", 2, "user 'u' at the source", "SOURCE_DOCKER_PASSWORD"),
        ("mirror arcdata --ca-file absent.pem {from_vendor}", 8, "there is no file absent.pem", "check --ca-file"),
        ("mirror x {both_passwords} --to {target}", 2, "only one password", "TRANSLOAD_SOURCE_PASSWORD"),
        ("apply broken.yaml", 2, "the plan cannot be read as JSON", "transload plan"),
        ("apply absent.json", 8, "there is no file absent.json", ""),
        ("plan arcdata {from_vendor} -o no/such/plan.json", 8, "no/such", ""),
        ("verify oci:absent", 8, "there is no folder absent", "check the path"),
        ("releases image.example/x", 4, "no built-in catalog is called", "built in are: arcdata, bdc"),
    ],
)  # fmt: skip
def test_what_was_written_wrong(
    shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path, words: str, code: int, sentence: str, hint: str
) -> None:
    target = f"{registry.host}/bad-words"
    (tmp_path / "broken.yaml").write_text("images:\n  - a\n b: [\n")
    (tmp_path / "typo.yaml").write_text("kind: ImageSet\nversion: 1\nimagse:\n  - a.example/b:c\n")
    (tmp_path / "twice.yaml").write_text(
        "kind: ImageSet\nversion: 1\nimages:\n"
        f"  - {{source: '{vendor.host}/arcdata/arc-dns:{NEW}', target: 'app:v1'}}\n"
        f"  - {{source: '{vendor.host}/arcdata/arc-sqlmi:{NEW}', target: 'app:v1'}}\n"
    )
    known = {
        "vendor": vendor.host,
        "target": target,
        "empty": registry.host,
        "both_passwords": "--source-password-stdin --target-password-stdin",
        "from_vendor": f"--source-registry {vendor.host} --to {target}",
    }
    ran = shell(*words.format(**known).split(" "))
    assert ran.code == code, ran.told
    told = errors_in(ran)
    assert len(told) == 1, ran.told
    assert sentence.format(**known) in told[0]
    assert "hint: " in ran.told or not hint
    assert hint in ran.told
    assert held(registry, "bad-words") == set()


def test_a_flag_or_a_command_that_is_mistyped(shell: Shell) -> None:
    assert "there is no command 'mirorr'; did you mean 'mirror'?" in shell("mirorr").err
    ran = shell("mirror", "--targt-tag", "x")
    assert (ran.code, "--target-tag" in ran.err) == (2, True)


# --- who is let in


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("kind", ["htpasswd", "token"])
def test_a_wrong_password(
    shell: Shell,
    vendor: Registry,
    registry: Registry,
    htpasswd_registry: Registry,
    token_registry: Registry,
    side: str,
    kind: str,
) -> None:
    guarded = {"htpasswd": htpasswd_registry, "token": token_registry}[kind]
    assert guarded.user
    source, target = (guarded, registry) if side == "source" else (vendor, guarded)
    shell.set(**{f"TRANSLOAD_{side.upper()}_PASSWORD": "not the password"})
    ran = shell(
        *("mirror", "arcdata", "--source-registry", source.host, "--tag", NEW, "--to", f"{target.host}/wrong"),
        *(f"--{side}-username", guarded.user.name),
    )
    assert ran.code == 3
    assert errors_in(ran) == [f"error: {guarded.host} does not accept the credentials of {guarded.user.name}"]
    assert "they may have expired" in ran.told
    assert "not the password" not in ran.told


def test_no_login_for_a_target_that_wants_one_reads_nothing_at_the_source(
    shell: Shell, vendor: Registry, htpasswd_registry: Registry
) -> None:
    words = (f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"{htpasswd_registry.host}/nobody")
    before = len(vendor.all_requests())
    ran = shell("mirror", *words)
    assert ran.code == 3
    assert f"docker login {htpasswd_registry.host}" in ran.err
    assert len(errors_in(ran)) == 1
    assert len(vendor.all_requests()) == before


def test_a_user_who_may_only_pull(shell: Shell, vendor: Registry, token_registry: Registry) -> None:
    reader = token_registry.reader
    assert reader
    shell.set(TRANSLOAD_TARGET_PASSWORD=reader.password)
    ran = shell(
        *("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"{token_registry.host}/read-only"),
        *("--target-username", reader.name),
    )
    assert ran.code == 3
    assert f"the login for {token_registry.host} lacks this right" in ran.told
    assert held(token_registry, "read-only", token_registry.user) == set()


# --- who cannot be reached


def test_a_proxy_that_is_not_there(shell: Shell) -> None:
    shell.set(HTTPS_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
    ran = shell("mirror", "quay.example/a:v1", "--to", "registry.example/x")
    assert ran.code == 5
    assert "the proxy cannot be used: Failed to establish a new connection" in ran.err
    assert "hint: check the proxy URL" in ran.err


def test_a_state_folder_that_cannot_be_used_fails_no_run(
    shell: Shell, vendor: Registry, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    shell.set(TRANSLOAD_STATE_DIR=tmp_path / "file" / "state")
    ran = shell("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"{registry.host}/stateless")
    assert ran.code == 0, ran.told


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize(
    ("host", "sentence", "hint"),
    [
        ("127.0.0.1:1", "127.0.0.1:1 refuses connections", "check host and port"),
        ("nohost.invalid", "the host name nohost.invalid is not known", "check the spelling"),
    ],
)
def test_a_host_that_cannot_be_reached(
    shell: Shell, vendor: Registry, registry: Registry, side: str, host: str, sentence: str, hint: str
) -> None:
    source, target = (host, registry.host) if side == "source" else (vendor.host, host)
    ran = shell("mirror", "arcdata", "--source-registry", source, "--to", f"{target}/away")
    assert ran.code == 5
    assert len(errors_in(ran)) == 1
    assert sentence in ran.told
    assert hint in ran.told
    assert side in ran.told


def test_a_certificate_nobody_vouches_for(shell: Shell, vendor: Registry, tls_registry: Registry) -> None:
    words = (f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"{tls_registry.host}/tls")
    ran = shell("mirror", *words)
    assert ran.code == 5
    assert f"the certificate of {tls_registry.host} is not trusted" in ran.told
    assert "name the authority with --ca-file FILE" in ran.told
    assert f"skip the check for this host with --insecure-tls {tls_registry.host}" in ran.told
    assert held(tls_registry, "tls") == set()
    assert shell("mirror", *words, "--ca-file", tls_registry.ca_file).code == 0


def test_what_answers_is_no_registry(shell: Shell, vendor: Registry) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><title>Please log in</title></html>")

        do_HEAD = do_POST = do_GET  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_address[1]}"
        ran = shell("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"{host}/x")
        assert ran.code == 5
        assert f"what answers at {host} does not look like a registry" in ran.told
        ran = shell("mirror", f"{host}/x:v1", "--to", "oci:x")
        assert ran.code == 5
        assert "a login page or a proxy may stand in the way" in ran.told
        server.shutdown()


# --- a target that does not take it


def test_a_read_only_target(shell: Shell, vendor: Registry, start_registry: StartRegistry) -> None:
    target = start_registry(storage={"maintenance": {"readonly": {"enabled": True}}})
    ran = shell("mirror", "arcdata", "--source-registry", vendor.host, "--tag", NEW, "--to", f"{target.host}/ro")
    assert ran.code == 7
    assert 1 <= len(errors_in(ran)) <= 10, ran.told  # of what was under way when it was first told; the rest not tried
    assert "read-only, perhaps for maintenance" in ran.told
    assert held(target) == set()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_target_that_is_full(shell: Shell, registry: Registry, start_registry: StartRegistry, tiny: Path) -> None:
    target = start_registry(storage={"filesystem": {"rootdirectory": str(tiny)}})
    large = push(registry, image("large", [layer("large", 3_000_000)]), "full/large", "v1")
    ran = shell("mirror", large, "--to", target.host)
    assert ran.code == 7
    assert f"the disk of {target.host} is full" in ran.told
    assert f"free some space on {target.host}" in ran.told
    assert held(target) == set()


def test_a_folder_that_is_full(shell: Shell, registry: Registry, tiny: Path) -> None:
    large = push(registry, image("large", [layer("large", 3_000_000)]), "full/large", "v1")
    ran = shell("mirror", large, "--to", f"oci:{tiny / 'store'}")
    assert ran.code == 8
    assert "the folder needs 2.9 MiB more" in ran.told
    assert "make room for" in ran.told
    assert not (tiny / "store").exists()


def test_a_folder_with_other_things_in_it(shell: Shell, vendor: Registry, tmp_path: Path) -> None:
    (tmp_path / "home.txt").write_text("mine")
    ran = shell("mirror", f"{vendor.host}/arcdata/arc-dns:{NEW}", "--to", f"oci:{tmp_path}")
    assert ran.code == 7
    assert "is not an OCI layout and not empty" in ran.told
    assert "name a new or an empty folder" in ran.told


# --- a source that lies


OTHER = Digest.of(b"something else")
MANY = multi_platform("many")


class Liar(ThreadingHTTPServer):
    """A registry that answers with what it was told to: path → body and headers. It checks nothing."""

    def __init__(self, built: Built) -> None:
        super().__init__(("127.0.0.1", 0), _Said)
        self.said: dict[str, tuple[bytes, dict[str, str]]] = {"/v2/": (b"{}", {})}
        for each in built.walk():
            self.say(f"manifests/{each.digest}", each.manifest.raw, each.manifest.media_type, each.digest)
        for digest, raw in built.blobs.items():
            self.say(f"blobs/{digest}", raw, "application/octet-stream", digest)
        self.say("manifests/v1", built.manifest.raw, built.manifest.media_type, built.digest)
        self.reference = f"127.0.0.1:{self.server_address[1]}/app:v1"

    def say(self, path: str, body: bytes, media_type: str, digest: str) -> None:
        """Answer so to HEAD and GET."""
        self.said[f"/v2/app/{path}"] = (body, {"Content-Type": media_type, "Docker-Content-Digest": digest})


class _Said(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body, headers = self.server.said.get(self.path, (b"{}", {}))  # type: ignore[attr-defined]
        self.send_response(200 if self.path in self.server.said else 404)  # type: ignore[attr-defined]
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Silence."""


@contextlib.contextmanager
def lying(built: Built) -> Iterator[Liar]:
    """A registry with `built` that can be made to lie."""
    with Liar(built) as liar:
        threading.Thread(target=liar.serve_forever, daemon=True).start()
        yield liar
        liar.shutdown()


def another_digest(liar: Liar) -> None:
    liar.say("manifests/v1", SAMPLE.manifest.raw, SAMPLE.manifest.media_type, OTHER)


def another_manifest(liar: Liar) -> None:
    child = MANY.children[0]
    liar.say(f"manifests/{child.digest}", SAMPLE.manifest.raw, SAMPLE.manifest.media_type, child.digest)


def a_longer_blob(liar: Liar) -> None:
    blob = SAMPLE.manifest.layers[1]
    liar.say(f"blobs/{blob.digest}", SAMPLE.blobs[blob.digest] + b"more", "application/octet-stream", blob.digest)


def a_shorter_blob(liar: Liar) -> None:
    blob = SAMPLE.manifest.layers[1]
    liar.say(f"blobs/{blob.digest}", SAMPLE.blobs[blob.digest][:-4], "application/octet-stream", blob.digest)


def another_blob(liar: Liar) -> None:
    blob = SAMPLE.manifest.layers[1]
    liar.say(f"blobs/{blob.digest}", b"x" * blob.size, "application/octet-stream", blob.digest)


def no_json(liar: Liar) -> None:
    raw = b"{" * 100
    liar.say("manifests/v1", raw, SAMPLE.manifest.media_type, Digest.of(raw))


@pytest.mark.parametrize(
    ("built", "lie"),
    [
        (SAMPLE, another_digest),
        (MANY, another_manifest),
        (SAMPLE, a_longer_blob),
        (SAMPLE, a_shorter_blob),
        (SAMPLE, another_blob),
        (SAMPLE, no_json),
    ],
)
def test_content_that_is_not_what_it_claims_to_be(
    shell: Shell, registry: Registry, built: Built, lie: Callable[[Liar], None]
) -> None:
    prefix = f"lies/{lie.__name__}"
    with lying(built) as liar:
        lie(liar)
        ran = shell("mirror", liar.reference, "--to", f"{registry.host}/{prefix}")
    assert ran.code == 6, ran.told
    assert errors_in(ran)
    assert "where: source" in ran.told
    assert held(registry, prefix) == set()


def test_an_honest_server_of_that_kind_is_believed(shell: Shell, registry: Registry) -> None:
    with lying(MANY) as liar:
        assert shell("mirror", liar.reference, "--to", f"{registry.host}/honest").code == 0


def test_one_bad_image_stops_no_other(shell: Shell, vendor: Registry, registry: Registry) -> None:
    with serving(SAMPLE, corrupts(500, subject=SAMPLE.manifest.layers[1].digest, times=ALWAYS)) as reference:
        good = f"{vendor.host}/arcdata/arc-dns:{NEW}"
        ran = shell("mirror", reference, good, "--to", f"{registry.host}/one-bad")
    assert ran.code == 1
    assert held(registry, "one-bad") == {f"arcdata/arc-dns:{NEW}"}


def test_a_catalogue_that_errors_for_some_repositories(
    shell: Shell, registry: Registry, start_registry: StartRegistry
) -> None:
    source = start_registry()
    publish(source, (NEW,), images=IMAGES)
    hidden = source.root / "docker/registry/v2/repositories/arcdata/arc-dns/_manifests/tags"
    hidden.rename(hidden.with_name("not-tags"))  # as MCR lists repositories whose tags it will not tell
    words = ("mirror", "arcdata", "--source-registry", source.host, "--tag", NEW, "--discover")
    ran = shell(*words, "--to", f"{registry.host}/some")
    assert ran.code in {0, 1}, ran.told
    assert held(registry, "some") == {f"{name}:{NEW}" for name in IMAGES if name != "arc-dns"}


# --- one name, two contents


def test_one_target_name_for_two_releases_is_refused_before_anything_moves(
    shell: Shell, vendor: Registry, registry: Registry
) -> None:
    ran = shell(
        *("mirror", "arcdata", "--source-registry", vendor.host, "--tag", "1.39..1.40", "--target-tag", "both"),
        *("--to", f"{registry.host}/conflict"),
    )
    assert ran.code == 2
    assert "is wanted twice" in ran.err
    assert "another target name or tag" in ran.err
    assert held(registry, "conflict") == set()


def test_paths_that_fall_together_when_flattened(shell: Shell, registry: Registry) -> None:
    one = push(registry, image("one"), "a/same", "v1")
    two = push(registry, image("two"), "b/same", "v1")
    ran = shell("mirror", one, two, "--flatten", "--to", f"{registry.host}/falls-together")
    assert ran.code == 2
    assert "falls-together/same:v1 is wanted twice with different content" in ran.err
    assert held(registry, "falls-together") == set()
