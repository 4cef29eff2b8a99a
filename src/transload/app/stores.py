"""Opens the stores of a run: one HTTP client for all, logins by side, and what earlier runs learnt about registries."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transload.app.location import NOT_THERE, Location
from transload.errors import BundleUnsigned, CredentialsUnavailable, LocalError, NotFound, Side, UsageError
from transload.events import ActivityListener, HostListener, HostTroubled, ignore
from transload.values import evolve, frozen

if TYPE_CHECKING:
    from transload.app.charts.rendering import Helm
    from transload.app.network import Network
    from transload.app.settings import Environment
    from transload.bundle.reading.reader import BundleStore
    from transload.bundle.reading.volumefiles import Ask
    from transload.login import Login
    from transload.net.http import Http
    from transload.net.pace import Meter
    from transload.ports import Source, Target
    from transload.registry.capabilities import Capabilities
    from transload.registry.credentials import DockerConfig
    from transload.registry.foreign import ForeignLayers
    from transload.registry.known import KnownRegistries, Scalar
    from transload.registry.store import RegistryStore
    from transload.threads import Cancellation
    from transload.transfer import Journal


@frozen
class Logins:
    """Logins given for this run, by side. For others, docker's and podman's files are searched."""

    source: Login | None = None
    target: Login | None = None
    source_hosts: frozenset[str] | None = None
    """The registry that the source login is for; None until the selection is known. Until then it is not used."""


@frozen
class Carried:
    """How bundles are read: other folders with volumes, the key that must have signed, `ask` for a missing volume.

    `key_from` says where the key comes from: the flag, the variable, or the configuration file. Only a key from the
    flag is meant for this one command.
    """

    folders: tuple[Path, ...] = ()
    key: Path | None = None
    ask: Ask | None = None
    key_from: str = "--key"

    def demand_signature(self, location: Location | None) -> None:
        """With a key, allow only a bundle: nothing else has a signature. `place` None stands for registries.

        A default key is only for carried stores, so registries stay allowed with it. Raises `BundleUnsigned`.
        """
        if self.key is None or (location is not None and location.kind == "bundle"):
            return
        if self.key_from != "--key" and (location is None or location.is_remote):
            return
        what = f"{location} is" if location else "a registry is"
        raise BundleUnsigned(
            f"{what} not a bundle, so it carries no signature, and {self.key_from} demands one",
            subject=str(location) if location else None,
            hint=f"name a bundle signed with this key; or leave {self.key_from} out, if you trust the source",
        )


NOTHING_SAID = Carried()


@frozen
class Listeners:
    """Listeners for what happens besides copying.

    `notice` gets warnings for people, such as that a file of logins or certificates cannot be read. `working` gets
    what is being done, `hosts` which hosts do not answer.
    """

    notice: Callable[[str], None] = lambda _: None
    working: ActivityListener = ignore
    hosts: HostListener = ignore


NO_LISTENERS = Listeners()


class Stores:
    """Opens each store once. Leaving the block saves what was learnt about registries, and closes the connections."""

    def __init__(
        self,
        environment: Environment,
        network: Network,
        logins: Logins,
        cancellation: Cancellation,
        *,
        carried: Carried | None = None,
        listeners: Listeners = NO_LISTENERS,
    ) -> None:
        self.working = listeners.working
        self.variables = environment.set_variables  # for image sets
        self.tells_mending = True  # that a damaged bundle is read through its recovery volumes
        self._listeners = listeners
        self._carried = carried or NOTHING_SAID
        self._noticed: set[str] = set()
        self._reading = threading.Lock()
        self._kept: DockerConfig | None = None
        self.environment = environment
        self._network = network
        self._logins = logins
        self._cancellation = cancellation
        self._opened: dict[tuple[Side, str], Any] = {}
        self._http: Http | None = None
        self._known: KnownRegistries | None = None
        self._learnt: dict[str, tuple[Mapping[str, Scalar], Capabilities]] = {}
        self._tried: set[Location] = set()
        self._endings = contextlib.ExitStack()
        self._opening = threading.RLock()
        self.asks_sources_once = False  # what they answer about names is kept: several plans are made of it
        self.lists_tags_once = False  # rules choose among the tags of a source, and signatures lie under some
        self.charts: dict[object, Any] = {}  # those chosen for one target are those of the next

    def __enter__(self) -> Stores:
        return self

    def __exit__(self, *_: object) -> None:
        self._endings.close()
        for location in self._tried:
            self._opened["target", location.locator].withdraw()
        for key, (before, capabilities) in self._learnt.items():
            self.known.keep(key, before, capabilities.to_json())
        if self._http is not None:
            self._http.close()

    def at_end(self, call: Callable[[], None]) -> None:
        """Call `call` when the block is left, for whatever reason."""
        self._endings.callback(call)

    @property
    def http(self) -> Http:
        """The HTTP client for all registries, made when it is first needed."""
        if self._http is None:
            from transload.net.http import Http

            settings = self._network.settings(self.environment)
            self._http = Http(
                settings, cancellation=self._cancellation, notice=self._tell_once, listen=self._tell_of_host
            )
        return self._http

    @property
    def helm(self) -> Helm | None:
        """The helm of the user, which renders charts; None if there is none on the PATH."""
        from transload.app.charts.rendering import Helm  # few runs have charts

        return Helm.on_path(self.environment)

    @property
    def most_bodies(self) -> int:
        """How many blobs may move at a time, at most: with a low limit on the rate, each should keep moving."""
        most = self._network.max_connections
        most = max(min(most, 16), most // 2)  # of more, half are for small requests
        return min(most, self._network.limit_rate.bodies or most)

    def pace_of_files(self, sources: Iterable[Source], target: Target) -> Meter | None:
        """The limits on the rate for a copy whose source or target is no registry; None without any."""
        local: list[Side] = [] if any(store.request_costs for store in sources) else ["source"]
        local += [] if target.request_costs else ["target"]
        return self.http.pace.copied(*local) if self._network.limit_rate.lowest else None

    @property
    def patience_s(self) -> float:
        """How long a host may give no useful answer, in seconds."""
        return self._network.give_up_after_s

    def _tell_of_host(self, event: HostTroubled) -> None:
        """Pass the event on, with the host's side if it is only on one side."""
        sides = {side for side, locator in list(self._opened) if locator.partition("/")[0] == event.host}
        self._listeners.hosts(evolve(event, side=sides.pop()) if len(sides) == 1 else event)

    @property
    def used_network(self) -> Http | None:
        """The client, if any store needed it."""
        return self._http

    @property
    def publishers(self) -> ForeignLayers:
        """A reader of foreign layers that the source lacks."""
        from transload.registry.foreign import ForeignLayers

        return ForeignLayers(lambda: self.http)

    def limit_source_login(self, hosts: frozenset[str]) -> None:
        """Set which registries may get the source login, before any request. Raises `UsageError` for several."""
        if self._logins.source is not None and self._logins.source_hosts is None:
            if len(hosts) > 1:
                named = ", ".join(sorted(hosts))
                raise UsageError(
                    f"the source user {self._logins.source.username} is for one registry, but the images come from "
                    f"several registries: {named}",
                    hint="log in with docker login or podman login for each of them instead",
                )
            self._logins = evolve(self._logins, source_hosts=hosts)

    def source(self, location: Location) -> Source:
        """The store to read from. Raises `BundleUnsigned` if a key is given and this is not a bundle."""
        self._carried.demand_signature(location)
        store: Source = self._open("source", location)
        return store

    def target(self, location: Location, *, create: bool = True, kept: bool = False) -> Target:
        """The store to write to. A folder that does not exist is made, unless `create` is False.

        A folder that was made but got no content is removed at the end, unless `kept`. Raises `UsageError` for a bundle
        or an archive, which are written whole or not at all.
        """
        location.check_target()
        store: Target = self._open("target", location, create)
        if location.kind == "oci" and not kept:
            self._tried.add(location)
        return store

    @property
    def state(self) -> Path | None:
        """The folder of this machine for what a later run should know; None if there is none."""
        return self.environment.state

    def notice(self, text: str) -> None:
        """Tell people something that belongs to no image."""
        self._listeners.notice(text)

    def check_login(self, side: Side, location: Location) -> None:
        """Ask a registry's base address whether it accepts the login. Raises `CredentialsRejected`, …"""
        store: RegistryStore = self._open(side, location)
        store.check_login()

    def journal(self, location: Location) -> Journal:
        """The journal of unfinished runs to this target. A folder needs none, since it can be read."""
        from transload.transfer import Journal

        state = self.environment.state
        if location.kind != "registry" or state is None:
            return Journal()
        name = f"{hashlib.sha256(location.locator.encode()).hexdigest()[:16]}.jsonl"
        with contextlib.suppress(LocalError):  # a journal that cannot be read counts as empty
            return Journal(state / "journal" / name)
        return Journal()

    def _open(self, side: Side, location: Location, create: bool = False) -> Any:
        # Two prefixes of a registry are two targets, and each goes on with uploads of its own.
        key = (side, str(location) if side == "target" else location.locator)
        with self._opening:
            if key not in self._opened:
                self._opened[key] = self._opened_now(side, location, create)
            return self._opened[key]

    def _opened_now(self, side: Side, location: Location, create: bool) -> Any:
        store = self._registry(side, location.value) if location.kind == "registry" else self._local(location, create)
        if not (self.asks_sources_once and side == "source" and location.kind == "registry"):
            return store
        from transload.planning.askedonce import AskedOnce

        return AskedOnce(store)

    def bundle(self, location: Location) -> BundleStore:
        """The store of a bundle, with its ledger."""
        store: BundleStore = self._open("source", location)
        return store

    def _local(self, location: Location, create: bool) -> Source:
        if not create:
            location.check_there()
        if location.kind == "oci":
            from transload.layout import LayoutStore

            return LayoutStore(Path(location.value), create=create)
        if location.kind == "archive":
            from transload.archive import ArchiveStore

            return ArchiveStore(Path(location.value))
        if location.is_engine:
            from transload.app.engines import open_images

            return open_images(location, self.environment, self._cancellation.check, self.at_end)
        if location.kind == "charts":
            from transload.charts import open_charts

            return open_charts(location.locator, location.value, lambda: self.http, partial(self.login, "source"))
        from transload.bundle.format.keys import load_public_key
        from transload.bundle.reading.reader import BundleStore

        verifier = load_public_key(self._carried.key) if self._carried.key else None
        try:
            return BundleStore(
                [Path(location.value), *self._carried.folders],
                verifier=verifier,
                ask=self._carried.ask,
                mended=self._tell_once if self.tells_mending else lambda _sentence: None,
            )
        except NotFound as error:
            path = Path(location.value)
            if (path / "manifest.json").is_file() and (path / "version").is_file():
                error.hint = f"it is a folder of skopeo's: skopeo copy dir:{path} oci:DIR:NAME makes a layout of it"
            if path.exists():
                raise
            raise LocalError(error.message, subject=error.subject, hint=NOT_THERE) from error

    def _registry(self, side: Side, host: str) -> RegistryStore:
        from transload.registry.store import RegistryStore

        return RegistryStore(
            host,
            self.http,
            login=self._given_login(side, host),
            logins=partial(self._kept_login, host),
            capabilities=self._capabilities(host),
            side=side,
            keeps_tags=self.lists_tags_once and side == "source",
        )

    def _given_login(self, side: Side, host: str) -> Login | None:
        login = self._logins.target if side == "target" else self._logins.source
        meant = side == "target" or host in (self._logins.source_hosts or ())
        return login if meant else None

    def login_at(self, side: Side, host: str, repository: str) -> tuple[str, str] | None:
        """The user whose login is used there, and where the login comes from, in words; None if there is none.

        Raises `CredentialsUnavailable`.
        """
        given = self._given_login(side, host)
        found = (given, "given for this run") if given else self._kept_logins().find(host, repository)
        return (found[0].username or "a token", found[1]) if found else None

    def login(self, side: Side, host: str, repository: str = "") -> Login | None:
        """The login that is used there, given for this run or kept; None if there is none."""
        return self._given_login(side, host) or self._kept_login(host, repository)

    def _kept_login(self, host: str, repository: str) -> Login | None:
        """What docker's or podman's files have for this repository. Raises `CredentialsUnavailable`."""
        try:
            return self._kept_logins().login(host, repository)
        except CredentialsUnavailable as error:
            self._tell_once(str(error))
            raise

    def _kept_logins(self) -> DockerConfig:
        from transload.registry.credentials import DockerConfig

        environment = self.environment
        with self._reading:
            if self._kept is None:
                self._kept = DockerConfig.load(
                    environment.credential_files,
                    inline=environment.credential_text,
                    helper_path=environment.helper_path,
                    helper_variables=environment.helper_variables,
                )
                for trouble in self._kept.troubles:
                    self._tell_once(str(trouble))
            return self._kept

    def _tell_once(self, text: str) -> None:
        if text not in self._noticed:
            self._noticed.add(text)
            self._listeners.notice(f"warning: {text}")

    # --- what was learnt about registries, kept between runs

    @property
    def known(self) -> KnownRegistries:
        """What earlier runs learnt about registries."""
        if self._known is None:
            from transload.registry.known import KnownRegistries

            self._known = KnownRegistries(self.environment.state)
        return self._known

    def _capabilities(self, host: str) -> Capabilities:
        """What is known about a registry. Both sides of a run share it."""
        from transload.net.address import Origin
        from transload.registry.capabilities import Capabilities
        from transload.registry.known import registry_key

        key = registry_key(host, plain=self.http.settings.permits_plain(Origin.of(f"http://{host}")))
        if key not in self._learnt:
            before = self.known.fresh(key)
            self._learnt[key] = (before, Capabilities.from_json(before))
        return self._learnt[key][1]
