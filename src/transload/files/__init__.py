"""Files of this machine: folders without ways out through links, durable writing, locks, OS errors as our errors."""

from transload.files.arriving import Arrivals, is_plain_name
from transload.files.durable import check_replaceable, create_file, free_bytes, fsync_folder, replace_file, write_all
from transload.files.filesystem import check_file_size, mount_point
from transload.files.flushing import flush_files
from transload.files.folder import Folder, lock
from transload.files.home import expanded
from transload.files.regular import (
    CHUNK_BYTES,
    check_kind,
    chunks_of,
    closed_after,
    exactly,
    open_file,
    read_file,
    read_up_to,
)
from transload.files.trouble import local_error, local_errors

__all__ = [
    "CHUNK_BYTES",
    "Arrivals",
    "Folder",
    "check_file_size",
    "check_kind",
    "check_replaceable",
    "chunks_of",
    "closed_after",
    "create_file",
    "exactly",
    "expanded",
    "flush_files",
    "free_bytes",
    "fsync_folder",
    "is_plain_name",
    "local_error",
    "local_errors",
    "lock",
    "mount_point",
    "open_file",
    "read_file",
    "read_up_to",
    "replace_file",
    "write_all",
]
