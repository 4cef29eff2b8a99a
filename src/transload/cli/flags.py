"""What the flags of a command say, as typed values. Nothing is read, checked or completed yet.

A command that has only some of the flags leaves the defaults, which say nothing.
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class WantedFlags:
    """Which images are wanted, from where and to where: `options.wanted`. Stores, names and platforms are texts."""

    sets: tuple[str, ...] = ()
    to: str | None = None
    origin: str | None = None
    tag: str | None = None
    target_tag: str | None = None
    image: tuple[str, ...] = ()
    platform: tuple[str, ...] = ()
    narrow: str = "rewritten"
    referrers: bool = False
    foreign_layers: bool = False
    foreign_as_held: bool = False
    allow_missing: bool = False
    discover: bool = False
    flatten: bool = False
    source_registry: str | None = None
    source_repository: str | None = None


@frozen(kw_only=True)
class LoginFlags:
    """Users, and whether a password comes from standard input: `options.logins`."""

    source_username: str | None = None
    source_password_stdin: bool = False
    target_username: str | None = None
    target_password_stdin: bool = False
