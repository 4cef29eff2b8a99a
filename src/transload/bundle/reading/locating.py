"""Finds the files of a bundle, in one folder or in several: its volumes, joined volumes, recovery volumes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from transload.bundle.format.recovery import recovery_name, split_recovery_name
from transload.bundle.format.volumes import (
    JOURNAL,
    before_copying,
    file_name,
    finished_name,
    is_volume_name,
    spellings,
    split_file_name,
)
from transload.errors import BundleUnfinished, LocalError, NotFound, UsageError, VolumeMissing
from transload.files import local_errors, read_file
from transload.oci.imagelayout import MARKER
from transload.wording import number_of

_COMPARED_BYTES = 32 << 20  # of volumes with a joined file; the ledger is at the beginning
_PIECE_BYTES = 1 << 20
_NAMED = 4  # files in one message
_FINISH = "run the pack command that began it once more, where it was begun: it goes on there, and finishes the bundle"


class Located:
    """Where a bundle is, as the user says: a name, and folders to look in."""

    def __init__(self, paths: Sequence[Path]) -> None:
        if not paths:
            raise UsageError("no bundle was named")
        first = paths[0]
        with local_errors("looking for", first):
            if first.is_dir():
                self.folders, (self.name, number) = [first], (_only_bundle_in(first), None)
            else:
                named = finished_name(first.name) or first.name
                self.folders, (self.name, number) = [first.parent], _split(named)
                if number not in (None, 1) and _begins_a_stream(first):  # not cut: its name only ends in digits
                    self.name, number = first.name[: -len(".tar")], None
            self.folders += [path if path.is_dir() else path.parent for path in paths[1:]]
        self.label = str(self.folders[0] / self.name)
        # The joined file may be beside the volumes. The file that was named counts, else the joined one is simpler.
        self.whole = None if number is not None else self._whole_stream(first)
        if number is not None and self._in_folders([file_name(self.name, None)]):  # the name alone means two bundles
            self.label = str(self.folders[0] / file_name(self.name, number))

    def _whole_stream(self, named: Path) -> Path | None:
        """The file of the whole stream. Raises `UsageError` if volumes of another bundle have the same name."""
        if is_volume_name(named.name) and named.is_file() and split_recovery_name(named.name) is None:
            return named
        whole, volumes = self._in_folders([file_name(self.name, None)]), self._volume_files()
        if whole is None or not volumes or self._is_joined(whole):
            return whole
        volume = min(volumes, key=lambda path: _split(path.name)[1] or 0)
        others = f" (with {number_of(len(volumes) - 1, 'other volume')})" if len(volumes) > 1 else ""
        raise UsageError(
            f"there are two bundles called {self.label}: {whole.name} is one, and {volume.name}{others} another",
            subject=self.label,
            hint=f"name a file of the one that you mean, {whole} or {volume}; best give one of them another name",
        )

    def _is_joined(self, whole: Path) -> bool:
        """Whether a file begins as the volumes do, with the same ledger: then it was joined from them."""
        left, volume = _COMPARED_BYTES, 1
        with local_errors("reading", whole), whole.open("rb") as joined:
            while left > 0 and (path := self._numbered(volume)) is not None:
                with path.open("rb") as file:
                    while left > 0 and (piece := file.read(_PIECE_BYTES)):
                        if joined.read(len(piece)) != piece:
                            return False
                        left -= len(piece)
                volume += 1
        return volume > 1

    def _volume_files(self) -> list[Path]:
        """The files with the names of numbered volumes of this bundle."""
        with local_errors("looking for", self.folders[0]):
            return [
                path
                for folder in self.folders
                if folder.is_dir()
                for path in folder.iterdir()
                if _split(path.name)[0] in {self.name, self.name.upper()} and _split(path.name)[1]
            ]

    def find(self, volume: int) -> Path | None:
        """The file of a volume; None if there is none."""
        if self.whole is not None:
            return self.whole if volume == 1 else None
        return self._numbered(volume)

    def _numbered(self, volume: int) -> Path | None:
        return self._in_folders([file_name(self.name, volume), file_name(self.name, volume, 1000)])

    def _in_folders(self, candidates: list[str]) -> Path | None:
        for folder in self.folders:
            for path in (folder / spelt for candidate in candidates for spelt in spellings(candidate)):
                with local_errors("looking for", path):
                    if path.is_file():
                        return path
        return None

    def find_recovery(self, row: int) -> Path | None:
        """The file of a recovery volume; None if there is none."""
        return self._in_folders([recovery_name(self.name, row)])

    def recovery_files(self) -> list[Path]:
        """All files that are recovery volumes by their names, also those that were not yet given their final names."""
        return [path for path in self.tar_files() if split_recovery_name(_plain(path))]

    def own_recovery_files(self) -> list[Path]:
        """Those that have the name of this bundle."""
        return [path for path in self.recovery_files() if _split(_plain(path))[0] in {self.name, self.name.upper()}]

    def journal(self) -> Path | None:
        """The journal of a run that is writing this bundle, or has not come to its end."""
        files = (folder / f"{self.name}{JOURNAL}" for folder in self.folders)
        return next((file for file in files if file.is_file()), None)

    def tar_files(self) -> list[Path]:
        """All files that may be volumes, whatever their names, also unfinished ones."""
        with local_errors("looking into", self.folders[0]):
            return sorted(
                path
                for folder in dict.fromkeys(self.folders)
                if folder.is_dir()
                for path in folder.iterdir()
                if is_volume_name(finished_name(path.name) or path.name) and path.is_file()
            )

    def hint_for(self, names: Iterable[str]) -> str:
        """A hint about a missing volume, which may have any of these names."""
        wanted = {spelt for name in names for spelt in spellings(name)}
        for folder in filter(Path.is_dir, self.folders):
            for path in folder.iterdir():
                plain = before_copying(path.name)
                if finished_name(path.name) in wanted:
                    return f"{path} is there: the bundle was not finished; {_FINISH}"
                if plain != path.name and plain in wanted:
                    return f"{path} seems to be it under another name: rename it to {plain}"
        return "put it beside the others; push, load, verify, repair, list, extract and serve also take --volumes DIR"

    def first(self) -> Path:
        """The file with the beginning of the stream. Raises `LocalError`, or `VolumeMissing` if only others exist."""
        path = self.find(1)
        if path is not None:
            return path
        if self._volume_files():
            raise VolumeMissing(
                f"{file_name(self.name, 1)} is missing, and it says what is in the other volumes",
                subject=file_name(self.name, 1),
                hint=self.hint_for([file_name(self.name, 1), file_name(self.name, 1, 1000)]),
            )
        unfinished = [path for folder in self.folders for path in _unfinished(folder) if _is_of(path, self.name)]
        if unfinished:
            only = f"there is only {unfinished[0]}"
            raise BundleUnfinished(f"the bundle is not finished: {only}", subject=self.label, hint=_FINISH)
        if recovery := self.own_recovery_files():
            files = ", ".join(path.name for path in recovery[:_NAMED])
            more = f" and {len(recovery) - _NAMED} more" if len(recovery) > _NAMED else ""
            raise VolumeMissing(
                f"no volume of {self.label} is here, only recovery volumes: {files}{more}",
                subject=file_name(self.name, 1),
                hint="put volumes beside them: as many files are needed, of both kinds together, as there are volumes",
            )
        raise LocalError(
            f"there is no bundle {self.label}", subject=self.label, hint="check the path, or mount the medium"
        )


def _plain(path: Path) -> str:
    """The name of a file as it was meant."""
    return before_copying(finished_name(path.name) or path.name)


def _split(text: str) -> tuple[str, int | None]:
    """As `split_file_name`; for a copy that got another name, the parts of its old name. A recovery volume has none."""
    recovery = split_recovery_name(before_copying(text))
    if recovery is not None:
        return recovery[0], None
    plain = split_file_name(before_copying(text))
    return split_file_name(text) if plain[1] is None else plain


def _unfinished(folder: Path) -> list[Path]:
    """The unfinished volumes in a folder, sorted."""
    with local_errors("looking into", folder):
        return sorted(path for path in folder.iterdir() if finished_name(path.name)) if folder.is_dir() else []


def _is_of(path: Path, name: str) -> bool:
    """Whether an unfinished volume belongs to the bundle called `name`."""
    return split_file_name(finished_name(path.name) or "")[0] in {name, name.upper()}


def _begins_a_stream(path: Path) -> bool:
    try:
        return read_file(path, len(MARKER)) == MARKER.encode()
    except FileNotFoundError:
        return False


def _only_bundle_in(folder: Path) -> str:
    split = [_split(path.name) for path in folder.iterdir() if is_volume_name(path.name)]
    with_first_volume = sorted({name for name, number in split if number in (1, None)})
    bundles = with_first_volume or sorted({name for name, _ in split})  # the first volume may be elsewhere, or missing
    if not bundles:
        bundles = sorted({split_file_name(finished_name(path.name) or "")[0] for path in _unfinished(folder)})
    if len(bundles) != 1:
        what = f"several bundles: {', '.join(bundles[:5])}" if bundles else "no bundle"
        raise (UsageError if bundles else NotFound)(
            f"{folder} holds {what}", subject=str(folder), hint=f"write {folder / 'NAME'}" if bundles else None
        )
    return bundles[0]
