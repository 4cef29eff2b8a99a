"""The flags --to and --via of commands that copy to several targets."""

from __future__ import annotations

from transload.cli import completion
from transload.cli.declaring import option, stacked
from transload.cli.kinds import StoreName

each = stacked(
    option(
        "--to",
        metavar="STORE",
        type=StoreName(),
        multiple=True,
        shell_complete=completion.stores,
        help="The target: HOST[:PORT][/PREFIX] or oci:DIR. Repeat it for several: each blob is read once.",
    ),
    option(
        "--via",
        metavar="STORE=STORE",
        type=StoreName(),
        multiple=True,
        help="Feed a target from another one: --via SITE-B=SITE-A copies to SITE-A, then from there to SITE-B.",
    ),
)
