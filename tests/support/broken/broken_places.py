"""Inputs that are no files: folders, links, pipes and sockets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from broken import HTML, ROWS, content, misused, refused, sound
from broken_csv import GOOD
from broken_parquet import parquet

if TYPE_CHECKING:
    from collections.abc import Callable


def folder(**files: Callable[[Path], object]) -> Callable[[Path], object]:
    """Make a folder of files; in a keyword ``_`` is the dot before the ending."""

    def write(path: Path) -> None:
        path.mkdir()
        for name, make in files.items():
            stem, _, ending = name.rpartition("_")
            make(path / f"{stem}.{ending}")

    return write


def link_to(target: str) -> Callable[[Path], object]:
    """Make a symbolic link."""
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    """Make a listening socket, by a relative name: socket paths must be short."""
    here = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


PLACES = {
    "a folder named like a file": sound("b.parquet", folder(part_parquet=parquet()), ROWS),
    "an empty folder": refused("batch", folder(), "a folder without files"),
    "a folder of hidden files": refused(
        "batch", lambda path: (path.mkdir(), parquet()(path / ".b.parquet")), "without files"
    ),
    "one broken file among good ones": refused(
        "batch",
        folder(a_parquet=parquet(), b_parquet=content(HTML), c_csv=content(GOOD)),
        "no whole Parquet file",
    ),
    "a folder with a link in a circle": sound(
        "batch",
        folder(a_parquet=parquet(), again_d=lambda path: path.symlink_to(path.parent)),
        ROWS,
    ),
    "a folder with a link to itself": refused(
        "batch", folder(a_parquet=parquet(), b_csv=link_to("b.csv")), "neither a file nor a folder"
    ),
    "a folder with a pipe": refused(
        "batch", folder(a_parquet=parquet(), b_csv=os.mkfifo), "neither a file nor a folder"
    ),
    "a pipe": misused("b.parquet", os.mkfifo, "UnsupportedBatch"),
    "a socket": misused("b.csv", listening, "UnsupportedBatch"),
    "a file without end": misused("b.csv", link_to("/dev/zero"), "UnsupportedBatch"),
    "a link to itself": misused("b.csv", link_to("b.csv"), "BatchNotFound"),
    "a link to nowhere": misused("b.csv", link_to("nowhere"), "BatchNotFound"),
    "a name that promises nothing": misused("b.xlsx", content(b"PK"), "UnsupportedBatch"),
}
