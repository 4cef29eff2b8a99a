"""What a prune deletes, for people, as lines, and for programs, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from transload.errors import TransloadError
from transload.oci import Name
from transload.pruning.held import is_companion
from transload.pruning.plan import GoingName, LeftName, PrunePlan
from transload.report.problem import Problem
from transload.report.styled import Styled, folded
from transload.report.texts import count, digest, shared_folder, size
from transload.wording import first_of

_SHOWN = 4  # repositories that are named in one line


def plan_lines(plan: PrunePlan, width: int | None = None) -> list[Styled]:
    """What goes, tag by tag, each with what it frees; then the sum; then what is left, with the reason."""
    groups: dict[tuple[str, str, bool], list[GoingName]] = {}
    for going in sorted(plan.names, key=lambda going: (is_companion(going.name.tag), going.name.tag or "", going.name)):
        tag = going.name.tag or f"without a tag: {digest(going.digest)}"
        shown = "signatures and the like" if is_companion(tag) else tag
        groups.setdefault((shown, going.why, going.only_name), []).append(going)
    lines = [line for (tag, why, only), names in groups.items() for line in _group(plan, tag, why, only, names, width)]
    unread = [
        line
        for repository, error in plan.unread.items()
        for line in folded(f"not read: {repository or plan.target}: ", f"{error}; nothing of it goes", width, "warn")
    ]
    return [*lines, *unread, *left_lines(plan.left, width), *_sum(plan, width)]


def _sum(plan: PrunePlan, width: int | None) -> list[Styled]:
    return [Styled.of((str(line), "strong")) for line in folded("", total(plan), width)]


def total(plan: PrunePlan) -> str:
    """The sum, in a sentence: names, manifests and bytes."""
    stays = f"{count(plan.stays, 'name')} {'stays' if plan.stays == 1 else 'stay'}"
    if not plan.names:
        what = f"{size(plan.bytes)} that no image needs go" if plan.sizes else "nothing goes"
        return f"{what}; {stays}"
    manifests = sum(len(pool.manifests) for pool in plan.pools)
    repositories = len({going.name.repository for going in plan.names})
    words = f"{count(len(plan.names), 'name')} in {count(repositories, 'repository')}"
    return f"{words} and {count(manifests, 'manifest')} go, {size(plan.bytes)}; {stays}"


def left_lines(left: Iterable[LeftName], width: int | None = None) -> list[Styled]:
    """Names that would go and stay, with what stands in the way; names with the same reason together."""
    groups: dict[str, list[str]] = {}
    for name in left:
        groups.setdefault(name.why, []).append(str(name.name))
    return [
        line
        for why, names in groups.items()
        for line in folded(f"stays: {first_of(names, _SHOWN)}: ", why, width, "warn")
    ]


def _group(
    plan: PrunePlan, tag: str, why: str, only_name: bool, names: list[GoingName], width: int | None
) -> list[Styled]:
    """A tag with what it frees and why it goes, and below it the repositories."""
    frees = "its manifest is needed by what stays" if only_name else f"frees {size(plan.bytes_of(names))}"
    repositories = sorted({going.name.repository or "(no repository)" for going in names})
    folder = shared_folder(repositories)
    where = ", ".join(path.removeprefix(folder) for path in repositories)
    return [
        *folded(f"{tag}  ", f"{frees}; {why}", width, "strong"),
        *folded(f"  in {folder}: " if folder else "  in ", where, width),
    ]


def plan_json(plan: PrunePlan) -> dict[str, Any]:
    """What goes, as in docs/formats/json-output.md."""
    return {
        "target": plan.target,
        "prefix": plan.prefix,
        "names": [_name_json(plan, going) for going in plan.names],
        "repositories": _repositories_json(plan),
        "manifests": sum(len(pool.manifests) for pool in plan.pools),
        "bytes": plan.bytes,
        "stays": plan.stays,
        "emptied": list(plan.emptied),
        "left": left_json(plan.left),
        "unread": [
            {"repository": repository, "error": Problem.of(error).to_json()}
            for repository, error in plan.unread.items()
        ],
    }


def left_json(left: Iterable[LeftName]) -> list[dict[str, str]]:
    """Names that stay, with the reason."""
    return [{"name": str(name.name), "why": name.why} for name in left]


def errors_json(errors: Mapping[Name, TransloadError]) -> list[dict[str, Any]]:
    """What could not be deleted, with the error."""
    return [{"name": str(name), "error": Problem.of(error).to_json()} for name, error in errors.items()]


def _name_json(plan: PrunePlan, going: GoingName) -> dict[str, Any]:
    return {
        "name": str(going.name),
        "digest": going.digest,
        "why": going.why,
        "only_name": going.only_name,
        "bytes": plan.bytes_of([going]),
    }


def _repositories_json(plan: PrunePlan) -> list[dict[str, Any]]:
    by_repository: dict[str, list[GoingName]] = {}
    for going in plan.names:
        by_repository.setdefault(going.name.repository, []).append(going)
    return [
        {"repository": repository, "names": len(names), "bytes": plan.bytes_of(names)}
        for repository, names in by_repository.items()
    ]
