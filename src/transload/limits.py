"""Every bound on what comes from outside, in one place, each with its reason (docs/reference/limits.md shows them).

What they are chosen for: no answer of a registry and no medium that somebody brings costs more than some 256 MiB of
memory, and no single answer more than a second of processor time, while a mirror of 10,000 images for two platforms,
or of repositories with 100,000 tags, still passes. A bound that is exceeded is an ordinary error that says which one.
"""

from __future__ import annotations

# --- JSON of any kind

# Values are counted with their keys, and with the lists and objects that hold them.

JSON_DEPTH = 64
"""Nesting of any JSON. Manifests are four deep, plans five; what reads and writes JSON recursively bears hundreds."""

SMALL_JSON_BYTES = 64 << 10
"""`oci-layout`, signatures: honest ones have a hundred bytes."""

SMALL_JSON_VALUES = 1000
"""Values in one of those."""

# --- manifests

MANIFEST_BYTES = 4 << 20
"""One manifest or index: what registries accept at most (distribution specification, "Pushing Manifests")."""

MANIFEST_VALUES = 400_000
"""Values in one manifest. An index of `MANIFEST_ENTRIES` entries has some 200,000; 4 MiB could hold two million."""

MANIFEST_ENTRIES = 10_000
"""Layers of an image, or entries of an index. Real ones have a hundred at most."""

CONFIG_BYTES = 8 << 20
"""The config of an image, where it is read at all (for its platform, and for the layers of docker's archives)."""

CONFIG_VALUES = 200_000
"""Values in it: long histories and labels have thousands."""

INDEX_DEPTH = 8
"""Indexes within indexes. Real ones are one deep; what is deeper than this was made to hurt."""

IMAGE_MANIFESTS = 20_000
"""Manifests of one image, each counted once: more than the largest index that may be, with attestations."""

IMAGE_MANIFESTS_BYTES = 32 << 20
"""What they take in memory together. The largest images known take 300 KiB."""

RUN_MANIFESTS_BYTES = 144 << 20
"""Memory for the manifests of a run, which are all kept until it ends. An image of five layers takes 7 KiB, one for two
platforms 15 KiB: 20,000 or 10,000 of them in one run."""

REFERRERS_BYTES = 48 << 20
"""Memory for what refers to the manifests of a layout, an archive or a bundle. A signature takes 2 KiB."""

# --- headers that are taken apart

HEADER_LENGTH = 16 << 10
"""Letters of a `WWW-Authenticate` or a `Link`, several of one name together. Real ones have a few hundred."""

# --- lists that a registry sends

LIST_PAGE_BYTES = 8 << 20
"""One page of tags or repositories. Some registries send all of them in one: 100,000 tags of 50 letters are 5 MiB."""

LIST_PAGE_VALUES = 250_000
"""Values in one page. Some registries send all tags of a repository in one."""

LIST_PAGES = 4000
"""Pages of one list: 100,000 tags are 2000 pages where a registry sends 50 of them at a time."""

LIST_IDLE_PAGES = 100
"""Pages of a list in a row that bring nothing new. Some registries leave out what one may not see, page by page."""

LIST_ENTRIES = 250_000
"""Names in one list. The largest repositories known have some 100,000 tags."""

LIST_LINK_LENGTH = 8192
"""The address of the next page: what servers take as a request line."""

REFERRERS = 10_000
"""Manifests that refer to one manifest."""

# --- layouts and archives

INDEX_BYTES = 32 << 20
"""The `index.json` of a layout: 100,000 entries are 25 MiB."""

INDEX_ENTRIES = 100_000
"""Its entries."""

INDEX_VALUES = 1_000_000
"""Values in it, ten per entry."""

KNOWN_MANIFESTS = 200_000
"""Manifests of a layout or archive that are looked at to find out which refers to which."""

ARCHIVE_MEMBERS = 200_000
"""Members of another tool's archive, extended headers counted too: four per layer in docker's oldest format."""

ARCHIVE_HEADERS_BYTES = 64 << 20
"""All extended headers (pax, long names) of an archive together; honest ones have some hundred bytes per member."""

SAVED_BYTES = 32 << 20
"""The `manifest.json` of a docker archive."""

SAVED_VALUES = 100_000
"""Values in it: 2000 images of some 40 layers."""

# --- bundles

LEDGER_BYTES = 32 << 20
"""The ledger of a bundle: 10,000 images with 40,000 blobs are 11 MiB."""

LEDGER_VALUES = 600_000
"""Values in it: those images and blobs are 580,000, and checking them takes a second."""

# --- files that people give

PLAN_BYTES = 20 << 20
"""A plan file. A run without one has no such limit."""

PLAN_VALUES = 1_000_000
"""Values in it: 3500 images, or 1200 for two platforms with attestations, none of which are at the target yet."""

INVENTORY_BYTES = 20 << 20
"""An inventory file."""

INVENTORY_VALUES = 1_000_000
"""Values in it: 20,000 images of four blobs that no other has."""

YAML_BYTES = 1 << 20
"""A catalog, an image set, the configuration file."""

YAML_VALUES = 200_000
"""Values in it, aliases written out."""

YAML_DEPTH = 24
"""Nesting of it."""

PATTERN_LENGTH = 200
"""A catalog's `tag_pattern`, in characters."""

PATTERN_WORK = 20_000
"""In how many ways it may match one tag at most: two open ends such as `.*` in the middle are 16,000."""

LOGINS_BYTES = 4 << 20
"""docker's or podman's file of logins, and what a credential helper writes, after which it is ended."""

LOGINS_VALUES = 100_000
"""Values in it."""

JOURNAL_BYTES = 64 << 20
"""The journal of an unfinished run, of which no more is read: some 500,000 blobs."""

LEARNT_BYTES = 4 << 20
"""What transload itself noted about registries (`registries.json`); a larger file is not read."""

LEARNT_VALUES = 200_000
"""Values in it: ten for each registry."""

# --- other answers

PROBLEM_BYTES = 64 << 10
"""How much is read of an answer that is a refusal."""

PROBLEM_VALUES = 4000
"""Values in it."""

TOKEN_BYTES = 256 << 10
"""The answer of a token server: tokens with many rights have some 20 KiB."""

INFORMATIONAL_ANSWERS = 20
"""Answers like 100 Continue before the real one."""

HEADER_LINE_BYTES = 64 << 10
"""One line of an answer's head, or between the chunks of its body."""

HEADER_LINES = 3000
"""Lines in a row without content: heads of all those answers at their longest, of 100 lines each."""

CHUNK_BYTES = 256
"""What the chunks of a chunked body must hold on average, their own lines not counted: servers send kilobytes …"""

SMALL_CHUNKS = 50_000
"""… but for so many smaller ones, in answers and in what is pushed to a served store. 4 MiB a byte at a time would
cost 40 s here, and 3 s there."""

# --- what is served (docs/guides/serve.md)

SERVED_CONNECTIONS = 512
"""At a time, fewer where the process may open fewer files. When all are taken, the one that waits longest goes."""

SERVED_BODY_BYTES_S = 128
"""What a body must bring on average in each stall period: one that drips a byte at a time holds its place for ever."""

SERVED_UPLOADS = 1000
"""Uploads that have begun and not ended …"""

SERVED_UPLOADS_MEMORY_BYTES = 64 << 20
"""… and what they keep in memory together; what comes then lies in files at once."""

SERVED_TAGS = 100
"""Tags that one manifest is given by one request. The specification wants ten at least."""
