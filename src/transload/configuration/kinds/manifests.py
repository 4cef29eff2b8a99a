"""A rewritten copy of manifests: references lead to the private registry, everything else stays byte for byte.

Files that name no image, or are of no format that is read, are copied as they are, so that the copy is whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from transload.configuration.lookup import Lookup
from transload.configuration.relocation import Relocation
from transload.configuration.rewriting import Left, Rewritten, rewritten
from transload.configuration.wishes import ConfigFile, Configuration, InputFile, Wishes
from transload.errors import SelectionEmpty
from transload.oci.reference import shown
from transload.wording import number_of

_TOLD = 20
_TEXT = 120


def write(relocation: Relocation, wishes: Wishes) -> Configuration:
    """The files with their references replaced; notes tell what stayed as it was.

    Raises `DocumentInvalid` for a file that cannot be read or would change in more than its references,
    `SelectionEmpty` if no file names an image that was moved, or with `strict`, if an image stays as it was.
    """
    lookup = Lookup.of(relocation.images, pin=wishes.pin)
    files = [(file, rewritten(file.content, str(file.name), lookup)) for file in wishes.inputs]
    replaced = sum(file.replaced for _, file in files)
    left = [text for _, file in files for text in file.left]
    if not replaced and not any(file.right for _, file in files):
        raise SelectionEmpty(
            "no file names an image that was moved",
            subject=str(wishes.inputs[0].name),
            hint=_told(left[0]) if left else "name the manifests with --rewrite",
        )
    if left and wishes.strict:
        raise SelectionEmpty(
            f"{number_of(len(left), 'image')} would stay as {_they_are(len(left))}: {_told(left[0])}",
            subject=left[0].place.file,
            hint="mirror them, too, or leave --strict out",
        )
    return Configuration(
        files=tuple(ConfigFile(path=file.name, content=new.content) for file, new in files),
        notes=(_summary(files, replaced), *unread(files), *told(left)),
    )


def _summary(files: Sequence[tuple[InputFile, Rewritten]], replaced: int) -> str:
    changed = sum(bool(new.replaced) for _, new in files)
    right = sum(new.right for _, new in files)
    parts = [f"{number_of(replaced, 'reference')} replaced in {number_of(changed, 'file')}"]
    if right:
        parts.append(f"{right} led there already")
    if len(files) > changed:
        kept = len(files) - changed
        parts.append(f"{number_of(kept, 'file')} copied as {_they_are(kept)}")
    return ", ".join(parts)


def _they_are(number: int) -> str:
    return "it is" if number == 1 else "they are"


def unread(files: Sequence[tuple[InputFile, Rewritten]]) -> list[str]:
    """A note that names the files of no format that is rewritten, if there are any."""
    names = [str(file.name) for file, new in files if not new.is_read]
    more = f", and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
    text = f"of no format that is rewritten, and copied as {_they_are(len(names))}: {', '.join(names[:_TOLD])}{more}"
    return [_harmless(text)] if names else []


def told(left: Sequence[Left]) -> list[str]:
    """What stayed as it was, a sentence for each, up to a bound."""
    notes = [_told(text) for text in left[:_TOLD]]
    if len(left) > _TOLD:
        notes.append(f"and {len(left) - _TOLD} more stayed as they are")
    return notes


def _told(left: Left) -> str:
    told = f"{left.place}: {shown(left.text)[:_TEXT]} stays as it is: {left.reason}"
    return _harmless(told)


def _harmless(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
