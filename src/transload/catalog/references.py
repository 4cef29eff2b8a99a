"""Lists of references: text files with one reference per line, and references on a command line.

A plain reference keeps its repository path under the target's prefix, also Docker's `library/`: `nginx:1.27` is
`docker.io/library/nginx:1.27` and becomes `library/nginx:1.27`. It keeps its tag. With only a digest, it gets no tag;
with both, the digest decides what is copied, and the tag is its name at the target.
"""

from __future__ import annotations

from collections.abc import Iterable

from transload.catalog.selected import Selected, merge
from transload.documents.text import decoded, located
from transload.errors import ReferenceInvalid
from transload.oci import Name, Reference
from transload.oci.reference import check_no_user, named_registry, shown, without_transport

LIST_BYTES = 4 << 20
ARROW = "->"


def wanted(text: str) -> Selected:
    """Reads `reference`, `reference -> repository[:tag]`, or the same without the arrow. Raises `ReferenceInvalid`.

    >>> wanted("quay.io/jetstack/cert-manager-webhook:v1.14.0 -> certs/webhook").place
    'certs/webhook:v1.14.0'
    """
    words = check_no_user(without_transport(text.strip())).split()
    arrows = words.count(ARROW)
    if len(words) == 3 and words[1] == ARROW:
        words.pop(1)
        arrows = 0
    if arrows or not 1 <= len(words) <= 2:
        raise ReferenceInvalid(
            f"{shown(text.strip())[:200]!r} is not a reference", hint="write a reference, or source -> repository[:tag]"
        )
    if len(words) == 2 and (words[0].endswith(":") or words[1].startswith((".", ":", "-", "_"))):
        joined = "".join(words)
        raise ReferenceInvalid(f"{text.strip()[:200]!r} has a blank in it", hint=f"leave the blank out: {joined[:200]}")
    return Selected.of(Reference.parse(words[0]), *words[1:])


def _in_list(text: str) -> Selected:
    """The same for a line of a list, which may also be Hangar's `source target tag`. Raises `ReferenceInvalid`."""
    words = without_transport(text).split()
    if len(words) != 3 or ARROW in words:
        return wanted(text)
    source, target, tag = words
    named = Name.parse(named_registry(source)[1])
    if named.tag or named.digest:
        raise ReferenceInvalid(
            f"{shown(text)[:200]!r} has two tags", hint="three words are: source without a tag, target, tag"
        )
    return wanted(f"{source}:{tag} {named_registry(without_transport(target))[1]}")


def select_references(texts: Iterable[str]) -> tuple[Selected, ...]:
    """The images that the references of a command line name. Raises `ReferenceInvalid`, `TargetConflict`."""
    return merge(map(wanted, texts))


def parse_references(content: bytes | str, file: str) -> tuple[Selected, ...]:
    """The images that a list of references names; `#` at the start of a line or after a blank begins a comment.

    A line may also be Hangar's `source target tag`; of such a target, the registry is left out.

    Raises `DocumentInvalid` with file and line, also for two lines that want one target name.
    """
    selected: list[Selected] = []
    for number, line in enumerate(decoded(content, file, LIST_BYTES).split("\n"), 1):
        text = _without_comment(line)
        if text:
            with located(f"{file}:{number}", file):
                selected.append(_in_list(text))
    with located(file, file):
        return merge(selected)


def _without_comment(line: str) -> str:
    words = line.split()
    comments = (position for position, word in enumerate(words) if word.startswith("#"))
    return " ".join(words[: next(comments, len(words))])
