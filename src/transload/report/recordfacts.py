"""What a transfer record says, as facts for people: names and texts. Whatever it says, it is text of a stranger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transload.report.foundrecord import FoundRecord
from transload.report.texts import count

Fact = tuple[str, str]

_ARRIVED = ("copied", "updated", "unchanged")
_TEXT = 300  # letters of a value
_CHECKS = 20  # lines of checks


def packing_facts(found: FoundRecord, key_flag: str = "--key") -> Iterator[Fact]:
    """Who packed a bundle, when and from where, what was checked, who signed that, and why it does not count."""
    record = found.record
    if record:
        by = f"by {text_of(record.get('recordedBy'))}, " if record.get("recordedBy") else ""
        sources = record.get("sources")
        named = ", ".join(filter(None, map(text_of, sources if isinstance(sources, list) else ())))
        yield "packed", f"{by}{text_of(record.get('startedOn')) or 'nobody says when'}, {run_of(record)}"
        if named:
            yield "from", named[:_TEXT]
        yield from check_facts(record)
    yield "record", signed_by(found, key_flag)
    if found.problem is not None:
        yield "problem", f"the record does not count: {found.problem}"


def facts_of(found: FoundRecord) -> Iterator[Fact]:
    """A record of a run that brought images: when, what, from where, by whom, and what was checked by which side."""
    record = found.record
    if record.get("finishedOn") is None and record.get("startedOn"):  # one that a bundle carries, of its packing
        yield "started", text_of(record.get("startedOn"))
    else:
        yield "finished", text_of(record.get("finishedOn")) or "not known"
    images = record.get("images")
    images = [image for image in (images if isinstance(images, list) else ()) if isinstance(image, dict)]
    if len(images) == 1:
        yield "status", text_of(images[0].get("status"))
        yield "from", text_of(images[0].get("published")) or text_of(images[0].get("source"))
    elif images:
        yield "images", _statuses(images)
        yield from _lacking(images)
    if record.get("target"):
        yield "to", text_of(record.get("target")) + (" (came along with the image)" if found.carried else "")
    if record.get("recordedBy") is not None:
        yield "recorded", f"by {text_of(record.get('recordedBy'))}"
    yield "run", run_of(record)
    yield from check_facts(record)
    if isinstance(bundle := record.get("bundle"), dict):
        yield from _bundle_facts(bundle)
    yield "signed", signed_by(found, "--public-key").removeprefix("signed ")
    if found.problem is not None:
        yield "problem", found.problem


def short_facts(found: FoundRecord) -> Iterator[str]:
    """A record on one line: when, what, from where, by whom, who signed it, and why it does not count."""
    record = found.record
    yield text_of(record.get("finishedOn")) or text_of(record.get("startedOn")) or "nobody says when"
    images = record.get("images")
    for image in images if isinstance(images, list) and len(images) == 1 else ():
        if isinstance(image, dict):
            yield text_of(image.get("status")) or "without a status"
            yield f"from {text_of(image.get('published')) or text_of(image.get('source')) or 'nobody says where'}"
    if record.get("recordedBy") is not None:
        yield f"by {text_of(record.get('recordedBy'))}"
    if found.carried:
        yield f"came along from {text_of(record.get('target')) or 'elsewhere'}"
    yield signed_by(found, "--public-key")
    if found.problem is not None:
        yield f"it does not count: {found.problem}"


def gate_facts(found: FoundRecord) -> Iterator[Fact]:
    """What a gate said of an image: which program, when, and whether it looked for this place or another one."""
    said = found.record
    program = said.get("gate")
    named = text_of(program.get("program")) if isinstance(program, dict) else ""
    yield "gate", f"{named or 'a program without a name'}: {text_of(said.get('result')) or 'nobody says what'}"
    yield "finished", text_of(said.get("finishedOn")) or "not known"
    yield "to", f"{text_of(said.get('target')) or 'nobody says where'} ({_side_of(found)})"
    yield "signed", signed_by(found, "--public-key").removeprefix("signed ")
    if found.problem is not None:
        yield "problem", found.problem


def _side_of(found: FoundRecord) -> str:
    """Whose check it was. That it was made here is proved by a key only: another target can have the same name."""
    if found.carried:
        return "came along with the image, no check of this side"
    return "a check of this side" if found.verified else "a check of this side by its own words only"


def _statuses(images: Sequence[Mapping[str, Any]]) -> str:
    numbers = Counter(text_of(image.get("status")) or "without a status" for image in images)
    return ", ".join(f"{number} {status}" for status, number in list(numbers.items())[:_CHECKS])


def _lacking(images: Sequence[Mapping[str, Any]]) -> Iterator[Fact]:
    """The images that did not arrive, and why."""
    lacking = [image for image in images if text_of(image.get("status")) not in _ARRIVED]
    for image in lacking[:_CHECKS]:
        why = f", {text_of(image.get('problem'))}" if image.get("problem") else ""
        yield "lacking", f"{text_of(image.get('name'))}: {text_of(image.get('status')) or 'without a status'}{why}"
    if len(lacking) > _CHECKS:
        yield "lacking", f"and {len(lacking) - _CHECKS} more"


def _bundle_facts(bundle: Mapping[str, Any]) -> Iterator[Fact]:
    """The bundle that a run pushed, and what its own record said: of the side that packed it, not of this one."""
    yield "bundle", f"{text_of(bundle.get('name'))}, {_digest_of(bundle)}"
    packed = bundle.get("record")
    if not isinstance(packed, dict):
        return
    by = f"by {text_of(packed.get('recordedBy'))}, " if packed.get("recordedBy") else ""
    yield "packed", f"{by}{text_of(packed.get('startedOn')) or 'nobody says when'}, {run_of(packed)}"
    for name, said in check_facts(packed):
        yield name, f"{said} (said by who packed it)"
    keys = packed.get("signedBy")
    named = ", ".join(map(text_of, keys if isinstance(keys, list) else ())) or "nobody"
    how = {"passed": "this was verified when it was pushed", "failed": "this did not hold when it was pushed"}
    told = how.get(text_of(packed.get("signature")), "nobody verified this when it was pushed")
    yield "packing", f"signed by {named} ({told})"


def _digest_of(named: Mapping[str, Any]) -> str:
    digests = named.get("digest")
    pairs = digests.items() if isinstance(digests, dict) else ()
    return ", ".join(f"{algorithm[:20]}:{text_of(encoded)}" for algorithm, encoded in list(pairs)[:2])


def check_facts(record: Mapping[str, Any]) -> Iterator[Fact]:
    """What was checked: alike checks of several images as one."""
    checks = record.get("checks")
    entries = [check for check in (checks if isinstance(checks, list) else ()) if isinstance(check, dict)]
    numbers = Counter(_check(entry) for entry in entries)
    images = {_check(entry) for entry in entries if entry.get("image")}
    for shown, (said, number) in enumerate(numbers.items()):
        if shown == _CHECKS:
            yield "checked", f"and {len(numbers) - shown} more"
            return
        yield "checked", f"{said} ({count(number, 'image')})" if said in images and number > 1 else said


def _check(entry: Mapping[str, Any]) -> str:
    by = f", {text_of(entry.get('by'))}" if entry.get("by") else ""
    return f"{text_of(entry.get('name'))}: {text_of(entry.get('result'))}{by}"


def run_of(record: Mapping[str, Any]) -> str:
    """The run that a record is of, and the tool that did it."""
    tool = record.get("tool")
    version = f", transload {text_of(tool.get('version'))}" if isinstance(tool, dict) else ""
    return f"run {text_of(record.get('runId')) or 'without a name'}{version}"


def signed_by(found: FoundRecord, key_flag: str) -> str:
    """Who signed a record, and whether that was verified."""
    if not found.signed_by:
        return "not signed: anybody can have written it"
    by = f"signed by {', '.join(key[:_TEXT] or 'a key without a name' for key in found.signed_by)}"
    if found.verified is None:
        return f"{by} (not verified, give the key with {key_flag})"
    return f"{by} ({'verified' if found.verified else 'this does not hold'})"


def text_of(value: Any) -> str:
    """A value of a record as text; nobody knows yet whether it is one."""
    return value[:_TEXT] if isinstance(value, str) else ""
