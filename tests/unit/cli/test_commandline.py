"""A run as the command line that does it again: every flag that matters, no secret, quoted for the shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
from attrs import evolve

from transload.app.job import Job
from transload.app.location import Location
from transload.app.network import Network
from transload.app.stores import Logins
from transload.cli.commandline import command_line, command_words, connection_words, retry_command
from transload.cli.main import transload
from transload.login import Login, Secret
from transload.net.rates import RateLimits
from transload.oci import Platform
from transload.planning import Narrowing, Referrers

TO = Location("registry", "r.example", "mirror")
JOB = Job(sets=("arcdata", "my set.yaml"), target=TO)
FULL = Job(
    sets=("arcdata",),
    target=TO,
    origin=Location("registry", "from.example", "p"),
    tag="1.39..1.40",
    target_tag="ours",
    platforms=(Platform.parse("linux/amd64"),),
    narrowing=Narrowing.SPARSE,
    referrers=Referrers.REFRESH,
    foreign_layers=True,
    allow_missing=True,
    discover=True,
    flatten=True,
    bodies=2,
)
NETWORK = Network(
    ca_files=(Path("a b.pem"), Path("c.pem")),
    client_certificate=Path("cert.pem"),
    client_key=Path("key.pem"),
    insecure_tls=("x.example",),
    plain_http=("y.example", "z.example"),
    realms=("t.example",),
    stall_timeout_s=5,
    limit_rate=RateLimits(whole=2e7, source=5e5),
    max_connections=3,
)
LOGINS = Logins(Login("ann", Secret("open")), Login("bob", Secret("sesame")))


def parsed(line: str) -> dict[str, object]:
    """What click makes of a command line; files that the line names need not be there."""
    words = shlex.split(line)
    # The settings of the real program: a command keeps the help option that it was first asked for.
    with click.Context(transload, **transload.context_settings) as context:
        command = transload.get_command(context, words[1])
        assert command is not None
        return command.make_context("x", words[2:], parent=context, resilient_parsing=True).params


def test_a_plain_job_is_a_short_line() -> None:
    assert command_line(["mirror", *command_words(JOB)]) == (
        "transload mirror arcdata 'my set.yaml' --to r.example/mirror"
    )
    assert connection_words(Network(), Logins()) == []


def test_everything_that_was_said_is_said_again() -> None:
    params = parsed(retry_command(FULL, connection_words(NETWORK, LOGINS))(()))
    assert params["sets"] == ("arcdata",)
    assert {key: params[key] for key in ("to", "origin", "tag", "target_tag", "narrow", "jobs")} == {
        "to": ("r.example/mirror",),
        "origin": "from.example/p",
        "tag": "1.39..1.40",
        "target_tag": "ours",
        "narrow": "sparse",
        "jobs": 2,
    }
    assert all(params[flag] for flag in ("referrers", "foreign_layers", "allow_missing", "discover", "flatten"))
    assert params["platform"] == ("linux/amd64",)
    assert params["plain_http"] == ("y.example", "z.example")
    assert (params["stall_timeout_s"], params["realms"]) == (5, ("t.example",))
    assert (params["limit_rate"], params["max_connections"]) == (RateLimits(whole=2e7, source=5e5), 3)
    assert (params["source_username"], params["target_username"]) == ("ann", "bob")


def test_no_secret_is_said() -> None:
    line = retry_command(FULL, connection_words(NETWORK, LOGINS))(())
    assert "open" not in line
    assert "sesame" not in line


def test_only_the_images_that_are_named() -> None:
    retry = retry_command(evolve(JOB, images=("wanted",)))
    names = ("mirror/a/b:v1", "mirror/a/b:v2", "mirror/c@sha256:" + "0" * 64)
    assert parsed(retry(names))["image"] == ("a/b", "c")
    assert parsed(retry(()))["image"] == ("wanted",)
    bare = retry_command(evolve(JOB, target=Location("oci", "folder")))
    assert parsed(bare(("a:v1",)))["image"] == ("a",)
