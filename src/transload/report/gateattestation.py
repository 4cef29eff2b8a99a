"""What a gate said of an image, as in-toto statements that travel with it (docs/formats/gate-attestation.md). Pure.

Of the command only the program's name is in it, since its words may hold paths and secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import ENVELOPE_BYTES, GATE_ATTESTED_BYTES, STATEMENT_VALUES
from transload.oci import Digest
from transload.report.gated import GateResult, OutputFormat
from transload.report.texts import instant
from transload.report.transferrecord import shown
from transload.strictjson import OverLimit, check_size
from transload.trust import statement
from transload.trust.statement import Statement, StatementSubject
from transload.values import frozen
from transload.version import __version__
from transload.wording import in_words

PREDICATE_TYPE = "urn:transload:gate:v1"
"""The type of the predicate that says that a gate let an image pass, and what it wrote."""

ARTIFACT_TYPE = "application/vnd.transload.gate.v1"
"""The artifact type of such a statement where it refers to its image."""

BILL_TYPES: Mapping[OutputFormat, str] = {
    "cyclonedx": "https://cyclonedx.org/bom",
    "spdx": "https://spdx.dev/Document",
}
"""The predicate types under which other tools look for a bill of materials."""

BILL_ARTIFACT_TYPE = "application/vnd.in-toto+json"

_HINT = "let the gate write a smaller one, or leave it as it is: the image is copied all the same"
_STATEMENT_BYTES = ENVELOPE_BYTES // 4 * 3 - (64 << 10)  # an envelope has the statement in base64
_OTHER_VALUES = 1000  # commas and colons of a statement around the output
_MEDIA_TYPES: Mapping[OutputFormat, str] = {
    "sarif": "application/sarif+json",
    "cyclonedx": "application/vnd.cyclonedx+json",
    "spdx": "application/spdx+json",
    "json": "application/json",
    "text": "text/plain",
}


@frozen(kw_only=True)
class Shown:
    """An image as a gate was shown it on its way to `target`, a store; `name` is what it is called there.

    `at_s` is when the gate had ended, in seconds of the clock of the machine.
    """

    name: str
    digest: Digest
    target: str
    at_s: float


def gate_statement(image: Shown, result: GateResult, output: bytes) -> Statement:
    """That a gate let an image pass, with its output if that is text and short enough, else with its digest only."""
    predicate = {
        "gate": {"program": program_of(result.command)},
        "result": "passed" if result.passed else "refused",
        "exitCode": result.exit_code,
        "finishedOn": instant(image.at_s),
        "target": shown(image.target),
        "tool": {"name": "transload", "version": __version__},
        "output": _output(result, output),
    }
    return Statement((_subject(image),), PREDICATE_TYPE, predicate)


def bill_statement(image: Shown, result: GateResult, output: bytes) -> Statement | None:
    """The bill of materials that a gate wrote, as the predicate that other tools read; None if it wrote none.

    Raises `DocumentInvalid` for one that cannot be read, or is too large.
    """
    kind = BILL_TYPES.get(result.output_format)
    if kind is None:
        return None
    what = f"bill of {program_of(result.command)}"
    bill = Value.from_json(output, what, limit=GATE_ATTESTED_BYTES, values=STATEMENT_VALUES, hint=_HINT)
    return Statement((_subject(image),), kind, bill.content)


def check_readable(bill: Statement) -> None:
    """Raises `DocumentInvalid` for a bill of materials that is so large as a statement that readers refuse it."""
    raw = bill.encode()
    if len(raw) > _STATEMENT_BYTES:
        raise DocumentInvalid(f"its bill of materials is a statement of {in_words(len(raw))}", hint=_HINT)
    statement.decode(raw, "bill of materials")


def program_of(command: str) -> str:
    """The name of the program, without its folder.

    >>> program_of("/opt/scan/trivy image --input {image}")
    'trivy'
    """
    return re.split(r"[/\\]", (command.split() or [""])[0])[-1]


def _subject(image: Shown) -> StatementSubject:
    return StatementSubject(image.name, image.digest)


def _output(result: GateResult, output: bytes) -> dict[str, Any]:
    said: dict[str, Any] = {
        "mediaType": _MEDIA_TYPES[result.output_format],
        "digest": {"sha256": result.output_sha256},
        "size": len(output),
    }
    try:
        text = output.decode("utf-8")
        check_size(json.dumps(text).encode("ascii"), GATE_ATTESTED_BYTES, STATEMENT_VALUES - _OTHER_VALUES)
    except UnicodeDecodeError:
        return said | {"mediaType": "application/octet-stream", "leftOut": "it is not UTF-8"}
    except OverLimit as error:
        return said | {"leftOut": str(error)}
    return said | {"text": text}
