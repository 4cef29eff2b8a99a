"""The command line that repeats a run: flags, variables, the file and answers together, without secrets."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from transload.app.job import BODIES, Job
from transload.app.network import Network
from transload.planning import Narrowing, Referrers

if TYPE_CHECKING:
    from transload.app.stores import Logins
    from transload.transfer.limits import Limits

_SWITCHES = ("foreign_layers", "allow_missing", "discover", "flatten", "recheck")


def command_line(words: Iterable[str]) -> str:
    """`transload` and `words` as one line, quoted as the shell of this system reads it."""
    line = ["transload", *words]
    if os.name == "nt":
        import subprocess  # importing it takes as long as all the commands

        return subprocess.list2cmdline(line)
    return shlex.join(line)


def operand(place: str | Path) -> str:
    """A file or another place as a word of a command line: a name that begins with a dash would be an option."""
    return f"./{place}" if str(place).startswith("-") else str(place)


class _HasWords(Protocol):
    @property
    def words(self) -> list[str]: ...


def all_words(*groups: _HasWords) -> list[str]:
    """The words of several groups of flags."""
    return [word for group in groups for word in group.words]


def command_words(job: Job, more: Iterable[str] = ()) -> list[str]:
    """`job` as the words of a command line. `more` are words that are not in a job, such as `connection_words`."""
    jobs = ["--jobs", str(job.bodies)] if job.bodies != BODIES else []
    to = [] if job.target.kind == "bundle" else ["--to", str(job.target)]
    words = [*job.sets, *more, *jobs, *to]
    named = {
        "--from": str(job.origin) if job.origin else None,
        "--source-registry": job.source_registry,
        "--source-repository": job.source_repository,
        "--tag": job.tag,
        "--target-tag": job.target_tag,
        "--values-folder": job.values_folder,
        "--through": job.through.engine if job.through else None,
    }
    words += _valued(named) + platform_words(job) + job.ages.words
    words += referrers_words(job.referrers)
    words += ["--keep"] if job.through and job.through.keep else []
    return words + [f"--{switch.replace('_', '-')}" for switch in _SWITCHES if getattr(job, switch)]


def referrers_words(referrers: Referrers, usual: Referrers = Referrers.USUAL) -> list[str]:
    """The words for signatures and other referrers, where they are not treated as `usual`."""
    if referrers in {usual, Referrers.UNASKED}:
        return []
    return ["--no-referrers"] if referrers is Referrers.LEFT else ["--referrers", referrers.value]


def platform_words(job: Job) -> list[str]:
    """The words for the platforms, and for what happens to an index."""
    narrowing = ["--narrow", job.narrowing.value] if job.narrowing is not Narrowing.REWRITTEN else []
    return narrowing + [word for platform in job.platforms for word in ("--platform", str(platform))]


def connection_words(network: Network, logins: Logins) -> list[str]:
    """The words for connections and users. Passwords come again from where they came from before."""
    words = _valued(
        {
            "--client-cert": network.client_certificate,
            "--client-key": network.client_key,
            "--stall-timeout": _unless(network.stall_timeout_s, Network().stall_timeout_s),
            "--give-up-after": _unless(network.give_up_after_s, Network().give_up_after_s),
            "--min-rate": _unless(network.min_rate, Network().min_rate),
            "--max-connections": _unless(network.max_connections, Network().max_connections),
            "--source-username": logins.source.username if logins.source else None,
            "--target-username": logins.target.username if logins.target else None,
        }
    )
    repeated = {
        "--ca-file": network.ca_files,
        "--insecure-tls": network.insecure_tls,
        "--plain-http": network.plain_http,
        "--allow-realm": network.realms,
        "--limit-rate": network.limit_rate.texts,
    }
    for flag, values in repeated.items():
        for value in values:
            words += [flag, str(value)]
    return words


def limit_words(limits: Limits) -> list[str]:
    """The words for how much a run may move, and when."""
    return _valued({"--max-bytes": limits.max_bytes, "--between": limits.between})


def _unless(number: float, default: float) -> str | None:
    return None if number == default else f"{number:g}"


def retry_command(job: Job, more: Iterable[str] = ()) -> Callable[[tuple[str, ...]], str]:
    """A function that gives the command line for the named images of `job`; without names, for all."""
    always = ["mirror", *command_words(job, more)]

    def command(names: tuple[str, ...]) -> str:
        prefix = f"{job.target.prefix}/" if job.target.prefix else ""
        images = (name.removeprefix(prefix).partition("@")[0].rpartition(":") for name in names)
        chosen = dict.fromkeys(repository if colon else tag for repository, colon, tag in images)
        restricted = [word for image in chosen or dict.fromkeys(job.images) for word in ("--image", image)]
        return command_line([*always, *restricted])

    return command


def _valued(named: Mapping[str, object]) -> list[str]:
    """Each flag that has a value, followed by it."""
    return [word for flag, value in named.items() if value is not None for word in (flag, str(value))]
