"""Every bound on what comes from outside, in one place, each with its reason (docs/reference/limits.md shows them).

They are chosen so that no answer of a registry and no medium costs more than some 256 MiB of memory, and no single
answer more than a second of processor time. A mirror of 10,000 images for two platforms, or of repositories with
100,000 tags, still works. Going over a bound is an ordinary error that names it.
"""

from __future__ import annotations

# --- JSON of any kind

# Values are counted together with their keys, and with the lists and objects around them.

JSON_DEPTH = 64
"""Nesting of any JSON. Manifests are four deep, plans five. Recursive readers and writers can handle hundreds."""

SMALL_JSON_BYTES = 64 << 10
"""`oci-layout`, signatures: honest ones have a hundred bytes."""

SMALL_JSON_VALUES = 1000
"""Values in one of those."""

ENVELOPE_BYTES = 16 << 20
"""A DSSE envelope: a large SBOM as an attestation has a few MiB."""

ENVELOPE_SIGNATURES = 32
"""Its signatures. Real ones have one or two."""

NOTATION_BYTES = 1 << 20
"""An envelope of notation, JWS or COSE. Real ones have some 2 KiB, with a time stamp and a long chain 20 KiB."""

NOTATION_VALUES = 1000
"""Values in one that is JSON: honest ones have some twenty."""

NOTATION_CERTIFICATES = 10
"""Certificates in its chain, or in its time stamp. Real chains have three or four."""

TRUST_STORE_BYTES = 4 << 20
"""A file of certificates that a policy trusts. The file of all public authorities has 250 KiB."""

TRUST_STORE_CERTIFICATES = 1000
"""Certificates in one. The file of all public authorities has 150."""

CRL_BYTES = 8 << 20
"""A file with lists of revoked certificates. Public authorities publish some of several MB."""

REVOCATION_LISTS = 100
"""Lists in one."""

# --- manifests

MANIFEST_BYTES = 4 << 20
"""One manifest or index: what registries accept at most (distribution specification, "Pushing Manifests")."""

MANIFEST_VALUES = 400_000
"""Values in one manifest. An index of `MANIFEST_ENTRIES` entries has some 200,000; 4 MiB could hold two million."""

MANIFEST_ENTRIES = 10_000
"""Layers of an image, or entries of an index. Real ones have a hundred at most."""

CONFIG_BYTES = 8 << 20
"""The config of an image. It is read only for its platform, and for the layers of docker's archives."""

CONFIG_VALUES = 200_000
"""Values in it: long histories and labels have thousands."""

INDEX_DEPTH = 8
"""Indexes within indexes. Real ones are one deep; deeper ones than this are an attack."""

IMAGE_MANIFESTS = 20_000
"""Manifests of one image, each counted once: more than the largest allowed index has, with attestations."""

IMAGE_MANIFESTS_BYTES = 32 << 20
"""The memory for all of them. The largest known images take 300 KiB."""

RUN_MANIFESTS_BYTES = 144 << 20
"""Memory for the manifests of a run, which are all kept until it ends. An image of five layers takes 7 KiB, one for two
platforms 15 KiB: this is enough for 20,000 or 10,000 of them in one run."""

REFERRERS_BYTES = 48 << 20
"""Memory for the referrers in a layout, an archive or a bundle. A signature takes 2 KiB."""

# --- headers that are parsed

HEADER_LENGTH = 16 << 10
"""Characters of a `WWW-Authenticate` or `Link`; several with one name count together. Real ones have a few hundred."""

# --- lists that a registry sends

LIST_PAGE_BYTES = 8 << 20
"""One page of tags or repositories. Some registries send all in one page: 100,000 tags of 50 letters are 5 MiB."""

LIST_PAGE_VALUES = 250_000
"""Values in one page. Some registries send all tags of a repository in one page."""

LIST_PAGES = 4000
"""Pages of one list: 100,000 tags are 2000 pages where a registry sends 50 of them at a time."""

REFERRER_PAGES = 400
"""Pages of the referrers of one manifest, which is asked for each image: 10,000 are 400 pages of 25."""

LIST_IDLE_PAGES = 100
"""Pages of a list in a row with nothing new. Some registries leave out what a user may not see, page by page."""

LIST_ENTRIES = 250_000
"""Names in one list. The largest known repositories have some 100,000 tags."""

LIST_LINK_LENGTH = 8192
"""Characters of the address of the next page: servers accept request lines of this length."""

REFERRERS = 10_000
"""Manifests that refer to one manifest."""

COMPANIONS = 1000
"""Referrers and tags of cosign that are brought with one image: each costs requests. Real images have a few, or some
dozens where scanners add a report each day."""

COMPANION_TAGS = 10_000
"""Tags of a repository that are read to find cosign's; in a longer list they are asked for one by one."""

# --- layouts and archives

INDEX_BYTES = 32 << 20
"""The `index.json` of a layout: 100,000 entries are 25 MiB."""

INDEX_ENTRIES = 100_000
"""Its entries."""

INDEX_VALUES = 1_000_000
"""Values in it, ten per entry."""

KNOWN_MANIFESTS = 200_000
"""Manifests of a layout or archive that are read to find referrers."""

ARCHIVE_MEMBERS = 200_000
"""Members of another tool's archive, with extended headers: four per layer in docker's oldest format."""

ARCHIVE_HEADERS_BYTES = 64 << 20
"""All extended headers (pax, long names) of an archive together; honest ones have some hundred bytes per member."""

SAVED_BYTES = 32 << 20
"""The `manifest.json` of a docker archive."""

SAVED_VALUES = 100_000
"""Values in it: 2000 images of some 40 layers."""

# --- bundles

VOLUMES = 9999
"""Volumes of a bundle. With recovery volumes, `SYMBOLS` is the limit."""

SYMBOLS = 255
"""Volumes and recovery volumes of a bundle together: the elements of GF(2⁸) but one."""

LEDGER_BYTES = 64 << 20
"""The ledger of a bundle: 10,000 images with 91,000 blobs are 25 MiB."""

LEDGER_VALUES = 3_000_000
"""Values in it: those images and blobs are 1,460,000, and checking them takes four seconds."""

LEDGER_PIECE_VALUES = 600_000
"""Values in what is parsed at once: some hundred entries, or one of an image that needs very many blobs."""

EDITION_NAMES = 1_000
"""Releases, or names of sets, in a ledger: which edition of which sets the bundle is."""

RECOVERY_SUMS_BYTES = 16 << 20
"""The block sums in a recovery volume: 512 GiB in blocks of 1 MiB, or 2 TiB in blocks of 4 MiB, with the
recovery volumes."""

# --- signatures of images

SIGNATURES = 100
"""Signatures and attestations of one image that are looked at, as notation does. Real images have a handful."""

SIGNATURES_BYTES = 32 << 20
"""All of them together, with their manifests. A signature has 3 KiB, a large bill of materials as an attestation a few
MiB."""

STATEMENT_VALUES = 400_000
"""Values in the JSON of a signed statement: a large bill of materials."""

TRUSTED_ROOT_BYTES = 1 << 20
"""A `trusted_root.json`: the public one has 7 KB."""

TRUSTED_ROOT_VALUES = 20_000
"""Values in it."""

TRUST_HINTS = 100
"""Files of trust material that a bundle carries as hints. Real policies name a handful."""

TRUST_HINTS_BYTES = 16 << 20
"""All of them together."""

IDENTITY_LENGTH = 1024
"""Characters of an identity that is compared, or of the regular expression for it. Addresses of workflows have 150."""

POLICY_RULES = 1000
"""Rules of a policy. Each image is compared with the prefix of each of them."""

POLICY_AUTHORITIES = 1000
"""Keys, identities and trust stores of all its rules together."""

RULE_AUTHORITIES = 32
"""Those of one rule: each of them judges each signature of an image."""

CONDITIONS = 32
"""Conditions on an attestation in a rule, and values that one of them lists."""

POLICY_FILES = 200
"""Files that a policy names, such as public keys. Bundles can carry them."""

POLICY_FILES_BYTES = 16 << 20
"""All of them together."""

PUBLIC_KEY_BYTES = 64 << 10
"""A file with a public key. Real ones have some hundred bytes."""

IDENTITY_WORK = 8 << 30
"""In how many ways such an expression may match one text: three open parts such as `.*` are 1025³, and take 0.2 s."""

# --- where charts come from

PROVENANCE_BYTES = 1 << 20
"""The signature beside it: `Chart.yaml` and some hundred bytes."""

CHART_INDEX_BYTES = 32 << 20
"""The `index.yaml` of a chart repository. The largest known ones have 20 MB."""

CHART_INDEX_VALUES = 1_000_000
"""Values in it, if it is JSON. One of YAML is not parsed as a whole."""

CHART_INDEX_CHARTS = 50_000
"""Charts in it. The largest known ones have some hundred."""

CHART_SECTION_BYTES = 8 << 20
"""What an index says of one chart: a thousand versions of 3 KB each are 3 MB."""

CHARTS_KEPT_BYTES = 64 << 20
"""Charts that a run keeps in memory; others are read again when they are needed."""

CHARTS_SEARCHED = 50
"""Versions of a chart that are read to find a part that a saved plan names by its digest only."""

# --- files of the user

METRICS_BYTES = 1 << 20
"""A file of metrics that an earlier run wrote: honest ones have a few thousand bytes."""

OWN_PROGRAM_OUTPUT_BYTES = 64 << 10
"""What the program of `--notify-command` or `--sign-command` may write; it is ended when it writes more."""

GATE_ATTESTED_BYTES = 4 << 20
"""What it wrote, as text in JSON, in the attestation that travels with the image; of more, only the digest travels."""

GATE_OUTPUT_BYTES = 16 << 20
"""What a program of `--gate` may write about one image; when it writes more, it is ended and the image refused."""

STATE_FILE_BYTES = 4 << 20
"""A file in the state folder that a run reads whole: which bundles were taken, and when contents were packed."""

STATE_FILE_VALUES = 100_000
"""Values in it."""

RUN_NOTE_BYTES = 256 << 10
"""The note of a run that goes on or was stopped: its command, how far it is. Real ones have some 3 KiB."""

RUN_NOTES_KEPT = 200
"""Notes of stopped runs that are kept; the oldest go."""

RUN_NOTES = 1000
"""Notes that `status` reads; of more it says that there are more."""

PLAN_BYTES = 128 << 20
"""A plan file. It is read in parts. A run without a plan file does not have this limit."""

PLAN_VALUES = 4_000_000
"""Values in it. 10,000 images of ten blobs, none of them at the target, are 56 MiB and 2 million values."""

PLAN_ITEM_BYTES = 16 << 20
"""One image, step or manifest in it: a manifest of 4 MiB takes at most three times as much as ASCII in a text."""

PLAN_PIECE_VALUES = 600_000
"""Values in what is parsed at once: 256 KiB of items, or a longer one. A manifest has at most 400,000."""

OTHER_PLAN_BYTES = 20 << 20
"""A plan file that is not written in lines as `transload plan` writes it: it is read as a whole."""

OTHER_PLAN_VALUES = 1_000_000
"""Values in it."""

SHARES = 10_000
"""Shares that a plan is cut into (`apply --share`)."""

WORKER_MESSAGE_BYTES = 4 << 20
"""What a worker of Dask tells at a time: 250 steps that all failed have some 200 kB."""

WORKER_MESSAGE_VALUES = 100_000
"""Values in it."""

INVENTORY_BYTES = 20 << 20
"""An inventory file."""

INVENTORY_VALUES = 1_000_000
"""Values in it: 20,000 images with four blobs each that no other image has."""

RECEIPT_BYTES = 48 << 20
"""A receipt: the inventory in it, a record of 20,000 images, and what base64 adds to both."""

RECEIPT_VALUES = 1_400_000
"""Values in it: those of an inventory, and of such a record."""

REPORT_BYTES = 64 << 20
"""A JSON report that `report` and `configure` read: 20,000 images with ten layers each, or fewer to several targets."""

REPORT_VALUES = 2_000_000
"""Values in it: an image has some 60, a layer three."""

REPORT_TARGETS = 100
"""Targets in it."""

REPORT_LAYERS = 50_000
"""Layers that a report lists; images that come later have none. 2,000 images have some 10,000 of them."""

REPORT_HALTS = 200
"""Retries and waits that a report lists; it says how many more there were."""

REPORT_STEPS = 1_000
"""Steps of time in its figures of bytes. Those that transload writes have 240 at most."""

KUBERNETES_OBJECT_BYTES = 1_000_000
"""An object that `configure` writes: etcd takes requests of 1.5 MiB, and a Secret or ConfigMap has 1 MiB at most."""

INPUT_FILE_BYTES = 50 << 20
"""A file that `configure` rewrites."""

INPUT_FILES = 10_000
"""Files that `configure` rewrites in one call."""

INPUT_FILES_BYTES = 500 << 20
"""All of them together: they are held in memory until all can be written."""

DAEMON_BYTES = 1 << 20
"""The `daemon.json` of Docker, which `configure docker` adds to."""

DAEMON_VALUES = 10_000
"""Values in it."""

YAML_BYTES = 1 << 20
"""A catalog, an image set, the configuration file."""

YAML_VALUES = 200_000
"""Values in it, with aliases expanded."""

YAML_DEPTH = 24
"""Nesting of it."""

RELEASES_IMAGES = 200_000
"""Images of all releases together that one command looks at. The largest built-in catalog has a thousand."""

STREAM_BYTES = 64 << 20
"""A file with many documents, such as rendered manifests or what a cluster runs: a large cluster's is 50 MB."""

STREAM_DOCUMENT_VALUES = 2_000_000
"""Values in one document of it, or in one item of a long list, if it is JSON."""

STREAM_YAML_VALUES = 500_000
"""The same of YAML, with aliases expanded: values that know their lines take three times the memory."""

STREAM_DOCUMENT_DEPTH = 80
"""How deep it may be nested: the schemas of custom resources that describe pods are 40 deep."""

STREAM_BRACKETS = 8_000_000
"""Lists and objects in such a file, if it is JSON: a dump of 50 MB has two million. Each takes a microsecond."""

STREAM_ITEMS = 500_000
"""Items of a list in it that are read one by one: objects of a cluster, components of a bill of materials."""

STREAM_DOCUMENTS = 300_000
"""Documents of one file, with the items of long lists. Each takes some 50 µs."""

DISCOVERED_PLACES = 250_000
"""Places in all files that name an image, ask a question, or cannot be read: a large cluster has 50,000.
So many, each of another image, take half a GiB."""

DISCOVERED_FILES = 100_000
"""Files in the folders that `transload discover` is given."""

XML_TAG_BYTES = 1 << 20
"""One tag or comment of a bill of materials that is XML."""

FILLED_TEXT_LENGTH = 64 << 10
"""Characters of a text of a Compose file or Dockerfile with its variables filled in, such as the name of an image."""

FILLED_TEXT_DEPTH = 8
"""How deep such variables may be nested: `${A:-${B:-…}}`."""

FILLED_TEXTS_LENGTH = 16 << 20
"""Characters of all variables of one such file together; those after them have no value."""

PURL_LENGTH = 4096
"""Characters of a package URL in a bill of materials."""

CHART_PACKED_BYTES = 32 << 20
"""A chart's `.tgz` (what Helm and registries accept is smaller): real ones have some 100 KiB, with subcharts 2 MiB."""

CHART_BYTES = 100 << 20
"""A chart unpacked, with all the subcharts packed in it: Helm's own limit."""

CHART_FILE_BYTES = 5 << 20
"""One file of a chart that is read for images: Helm's own limit."""

CHART_FILES = 20_000
"""Files of a chart folder, or members of a chart's archive, with those of its subcharts."""

CHART_DEPTH = 8
"""Charts within charts. Real umbrella charts are three deep."""

CHART_VALUES = 400_000
"""The values of a chart and its subcharts; those of a subchart with several aliases count once for each."""

CHART_FINDINGS = 50_000
"""What is read out of one chart: images, questions, and what could not be read."""

CHART_TEXT_BYTES = 20 << 20
"""The templates of a chart and its subcharts together that are searched for images. Real ones have 1 MiB."""

TEMPLATE_STEPS = 1_000_000
"""Steps of the templates of a chart and its subcharts without Helm, each a value, a function or a block: two seconds
of work. A large public chart takes a tenth of them."""

RENDERED_BYTES = 64 << 20
"""What `helm template` may write; a chart that renders to more is ended."""

PATTERN_LENGTH = 200
"""A catalog's `tag_pattern`, in characters."""

PATTERN_WORK = 20_000
"""In how many ways it may match one tag: two open parts such as `.*` in the middle are 16,000."""

LISTED_RULES = 5000
"""Charts, and repositories whose tags a rule chooses, in a list of another tool: each costs a run a list of tags."""

BLOCKED_COMPARISONS = 100_000
"""Blocked names of an `ImageSetConfiguration`, times its images."""

INCLUDE_DEPTH = 8
"""Image sets that include one another, one below the other."""

INCLUDED_FILES = 200
"""Files that one image set includes, with those that these include."""

VARIABLE_LENGTH = 1024
"""Characters of a variable's value in an image set: the longest reference."""

DATED_TAGS = 1000
"""Tags whose images are read for the date when they were made, for the rules of one image set."""

LOGINS_BYTES = 4 << 20
"""docker's or podman's file of logins, and the output of a credential helper; one that writes more is ended."""

LOGINS_VALUES = 100_000
"""Values in it."""

JOURNAL_BYTES = 64 << 20
"""The journal of an unfinished run: some 500,000 blobs. The rest of a longer one is not read."""

JOURNAL_ADDRESS_LENGTH = 4096
"""An upload's address in it, in characters. An upload with a longer one is not continued by a later process."""

LEFT_UPLOADS = 64
"""Unfinished uploads of earlier runs that one run cancels, since nobody went on with them for a day."""

LEARNT_BYTES = 4 << 20
"""What transload has noted about registries (`known-registries.sqlite3`). A larger file is not written."""

LEARNT_VALUES = 200_000
"""Values in the file that versions up to 0.1 wrote instead (`registries.json`): ten for each registry."""

READ_BYTES = 32 << 20
"""A blob that a program reads into memory (`Store.read_blob`), unless it gives a limit of its own."""

# --- other answers

PROBLEM_BYTES = 64 << 10
"""How much of an error answer is read."""

PROBLEM_VALUES = 4000
"""Values in it."""

TOKEN_BYTES = 256 << 10
"""The answer of a token server: tokens with many rights have some 20 KiB."""

INFORMATIONAL_ANSWERS = 20
"""Answers like 100 Continue before the real one."""

HEADER_LINE_BYTES = 64 << 10
"""One line in an answer's head, or between the chunks of its body."""

HEADER_LINES = 3000
"""Lines in a row without content: the longest heads of all those answers, with 100 lines each."""

CHUNK_BYTES = 256
"""What the chunks of a chunked body must hold on average, without their own lines. Servers send kilobytes …"""

SMALL_CHUNKS = 50_000
"""… but so many smaller chunks are allowed, in answers and in what is pushed to a served store. 4 MiB in chunks of one
byte would cost 40 s in an answer, and 3 s in a served store."""

# --- container engines of this machine

ENGINE_ANSWER_BYTES = 32 << 20
"""One answer of an engine: the list of 20,000 images."""

ENGINE_ANSWER_VALUES = 1_000_000
"""Values in it."""

ENGINE_EVENT_BYTES = 1 << 20
"""One line of an answer that comes bit by bit, such as the progress of a load."""

ENGINE_EVENTS = 10_000_000
"""Such lines in one answer: an engine that pulls 50 layers for a day sends four million."""

# --- what is served (docs/guides/serve.md)

SERVED_CONNECTIONS = 512
"""At a time; fewer if the process may open fewer files. When all are taken, the one that waits longest is closed."""

SERVED_BODY_BYTES_S = 128
"""What a body must bring on average in each stall period: a byte at a time would take up a connection for ever."""

SERVED_UPLOADS = 1000
"""Uploads that have begun and not yet ended. The one that waits longest makes room, if it waits for over a minute."""

SERVED_UPLOAD_IDLE_S = 24 * 3600
"""Seconds that an upload to a folder waits for its client, over restarts of the server. Other stores keep none over a
restart; there it is an hour."""

SERVED_UPLOADS_MEMORY_BYTES = 16 << 20
"""The memory that uploads use together. Above it, they go to files at once."""

SERVED_TAGS = 100
"""Tags that one request may give to one manifest. The specification requires at least ten."""

PULLS_FOLLOWED = 4096
"""Pulls that `--log-pulls` follows at a time, and lines that wait to be written; of more, the number is told."""

PULL_PARTS = 2000
"""Manifests and blobs of one pull that are known as its own. Real images have a hundred or two."""

# --- the pages of what is served (docs/guides/serve.md)

PAGE_CONFIG_BYTES = 2 << 20
"""The config of an image that a page shows. The largest known ones have 200 KiB."""

PAGE_CONFIG_VALUES = 50_000
"""Values in it."""

PAGE_DOCUMENT_BYTES = 16 << 20
"""A bill of materials or an attestation that a page shows: for 10,000 components it has some 10 MiB. One is read at a
time, which takes up to ten times its size in memory; a larger one can be downloaded."""

PAGE_DOCUMENT_VALUES = 1_000_000
"""Values in it: a bill that lists files as well as packages has hundreds of thousands."""

PAGE_LOOK_BYTES = 1 << 20
"""An attestation that is read only to say what it is, where nothing else tells: one of 1,000 components has so much."""

PAGE_COMPONENTS = 20_000
"""Components of a bill of materials that a page can list and search."""

PAGE_ROWS = 500
"""Layers, steps of a history or labels that one page shows. Real images have a hundred at most."""

PAGE_NAMES = 100_000
"""Repositories, or tags of a repository, that pages list. They take 10 MiB, and searching them a tenth of a second."""

PAGES_AT_A_TIME = 4
"""Pages that are made at a time; more wait, so that pulls keep their threads."""

PAGE_IMAGES_KNOWN = 20_000
"""Images of which platforms, size and date are remembered, so that a list is not read again."""

# --- blobs that are read on several connections

SEGMENTS_BYTES = 24 << 20
"""Memory for what came before the bytes in front of it, for all blobs of the process. The longer a segment is, the less
a round trip between two of them costs: with eight connections, 6 MiB each, of which half are here on average."""

SEGMENT_BYTES = 16 << 20
"""The longest segment, so that a slow connection does not hold up much …"""

SEGMENT_LEAST_BYTES = 1 << 20
"""… and the shortest, so that the requests cost little."""

READ_IN_PARTS = 1000
"""Blobs of which is noted that they were read so. One that is read again was perhaps wrong, and comes on one
connection."""

# --- several targets in one run

SPOOLED_BYTES = 16 << 30
"""Blobs in temporary files, which some targets have and others still need. At most half of what the disk has free is
used. Above it, a target reads from the source itself."""

SPOOLED_BLOBS = 256
"""Blobs in those files at a time, each of which is open; a quarter of the files that the process may have open, if that
is less."""
