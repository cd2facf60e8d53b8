"""Files that are wholly there or not at all, also after a power cut."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ...expectations.documents import flush
from ..feed.identity import lexists

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_PATIENCE = 120  # seconds to wait for another process that holds a file


def make_folder(path: Path) -> None:
    """Make a folder and those above it, so that they outlast a power cut."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    flush(path.parent)


def flush_tree(path: Path) -> None:
    """Flush a file, or a folder and everything below it."""
    if path.is_dir() and not path.is_symlink():
        for entry in path.iterdir():
            flush_tree(entry)
    if not path.is_symlink():
        flush(path)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Have a small file that several processes write be one process's, until it is done or dead.

    Raises:
        TimeoutError: Another process has held it for two minutes.
    """
    make_folder(path.parent)
    # Where the disk knows no locks, a marker file of the dead would hold everybody: rather fail.
    lock = FileLock(f"{path}.lock", timeout=_PATIENCE, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        msg = f"another process has held {path} for {_PATIENCE} seconds; end it if it hangs."
        raise TimeoutError(msg) from None
    try:
        yield
    finally:
        lock.release()


def partial_of(path: Path) -> Path:
    """Name the hidden file in which something grows until it is whole."""
    return path.with_name(f".{path.name}.partial")


def atomic_write(path: Path, text: str, *, outlasts: bool = True) -> None:
    """Write a file that nobody ever sees in part, in place of an older one of the same name.

    One that need not outlast a power cut is gone after it, or whole.
    """
    partial = partial_of(path)
    try:
        partial.write_text(text, "utf-8")
        flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    if outlasts:
        flush(path.parent)


def publish_new(path: Path, staged: Path) -> None:
    """Give a flushed file of the same disk its public name; FileExistsError if that is taken."""
    try:
        os.link(staged, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV):
            raise
        # No hard links here. The claim keeps every other worker from this name meanwhile.
        move(staged, path, flushed=True)
    flush(path.parent)


def is_moved(source: Path, destination: Path) -> bool:
    """Whether a move has been made."""
    return lexists(destination) and not lexists(source)


def is_remnant(source: Path, destination: Path) -> bool:
    """Whether a source is what is left of one that was copied to another disk, and then removed."""
    same_disk = source.lstat().st_dev == destination.lstat().st_dev
    return not same_disk and _equal(source, destination)


def move(source: Path, destination: Path, *, flushed: bool = False) -> None:
    """Move a file or a folder to a name that is free.

    Between file systems it is copied under a hidden name first, so that the public name appears
    at once and whole. A move that was interrupted can be made again. FileExistsError: something
    else has the name, and is untouched. FileNotFoundError: there is neither of the two.
    """
    if is_moved(source, destination):
        return
    if lexists(destination):
        _finish_copy(source, destination)
        return
    make_folder(destination.parent)
    if not flushed:
        # What a producer wrote may be in memory only, where a power cut takes it.
        flush_tree(source)
    try:
        source.rename(destination)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_across(source, destination)
    flush(destination.parent)
    flush(source.parent)


def restore(source: Path, destination: Path) -> None:
    """Move a file or folder to a name that somebody else may take at any moment.

    FileExistsError: the name is taken; what stands there is untouched.
    """
    try:
        os.link(source, destination, follow_symlinks=False)
    except FileExistsError:
        # An interrupted move left both names to one file.
        if not source.samefile(destination):
            raise
    except OSError:
        # A folder, or a disk without hard links.
        move(source, destination)
        return
    flush(destination.parent)
    source.unlink()
    flush(source.parent)


def remove(path: Path) -> None:
    """Remove a file or folder of the gate's own, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy_across(source: Path, destination: Path) -> None:
    partial = partial_of(destination)
    remove(partial)
    if source.is_dir():
        shutil.copytree(source, partial, symlinks=True)
    else:
        shutil.copy2(source, partial)
    flush_tree(partial)
    partial.rename(destination)
    flush(destination.parent)
    remove(source)


def _finish_copy(source: Path, destination: Path) -> None:
    if not is_remnant(source, destination):
        taken = "is taken already; nothing is overwritten. Move what stands there elsewhere"
        raise FileExistsError(errno.EEXIST, taken, str(destination))
    remove(source)


def _equal(one: Path, other: Path) -> bool:
    """Whether everything in one is in the other too: an interrupted removal leaves less of it."""
    if not one.is_dir():
        return filecmp.cmp(one, other, shallow=False)
    files = [str(path.relative_to(one)) for path in one.rglob("*") if path.is_file()]
    return filecmp.cmpfiles(one, other, files, shallow=False)[0] == files
