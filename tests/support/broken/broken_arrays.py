"""Broken ``.npy`` and ``.npz`` files: headers that contradict the content."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
from broken import MIB, NAMED_TENSOR, TENSOR, Broken, content, cut, lying, refused, sound, spoilt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


PAIRS = np.arange(20.0).reshape(10, 2)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Write an array as numpy does."""
    written = io.BytesIO()
    np.lib.format.write_array(written, array)
    return written.getvalue()


def promising(shape: str, dtype: str = "'<f8'", *, fortran: bool = False, held: int = 64) -> bytes:
    """Write a header with any claim, and a few bytes after it."""
    header = f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(held)


def archive(*members: tuple[str, bytes]) -> Callable[[Path], object]:
    """Write a compressed archive."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members:
                file.writestr(name, data)

    return write


def archived_zeros(shape: str, size: int, *, fortran: bool = False) -> Callable[[Path], object]:
    """Write an archive with an array of so many bytes of zeros."""

    def write(path: Path) -> None:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
            file.open("x.npy", "w", force_zip64=True) as member,
        ):
            member.write(promising(shape, fortran=fortran, held=0))
            for _ in range(size // (4 * MIB)):
                member.write(bytes(4 * MIB))

    return write


def with_flag(place: int, in_directory: int, value: int) -> Callable[[bytes], bytes]:
    """Set a byte of a zip member's header, and the same in the directory."""

    def spoil(data: bytes) -> bytes:
        spoilt_data = bytearray(data)
        spoilt_data[place] = value
        spoilt_data[data.rindex(b"PK\1\2") + in_directory] = value
        return bytes(spoilt_data)

    return spoil


class _Pickled:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def pickled(path: Path) -> None:
    """Write an array of an object that runs code when it is loaded."""
    np.save(path, np.array([_Pickled()], dtype=object), allow_pickle=True)


def tensor(*parts: bytes) -> dict[str, Any]:
    """Expect a verdict on a ``.npy`` file of these bytes, under a contract of one tensor."""
    return {"file": "b.npy", "make": content(*parts), "contract": TENSOR}


ARRAYS = {
    "an empty array file": refused(**tensor(), says="a file of zero bytes"),
    "half an array": refused(**tensor(npy(PAIRS)[:-80]), says="promises 160 bytes where 80"),
    "half a header": refused(**tensor(npy(PAIRS)[:20]), says="no whole array file"),
    "two arrays in one file": refused(**tensor(npy(PAIRS) * 2), says="promises 160 bytes"),
    "a trillion rows": refused(**tensor(promising("(10**12, 2)")), says="no whole array file"),
    "a trillion rows, in digits": refused(
        **tensor(promising("(1000000000000, 2)")), says="promises 16,000,000,000,000 bytes"
    ),
    "more rows than any machine counts": refused(
        **tensor(promising("(99999999999999999999999, 2)")), says="promises"
    ),
    "a trillion rows of nothing": refused(
        **tensor(promising("(1000000000000, 0)", held=0)), says="promises 1,000,000,000,000 rows"
    ),
    "a negative shape": refused(**tensor(promising("(-5, 2)")), says="a shape of (-5, 2)"),
    "a shape of truth values": refused(**tensor(promising("(True, 2)", held=16)), says="a shape"),
    "a header that ends too soon": refused(**tensor(promising("(1, 2")), says="no whole array"),
    "an unknown dtype": refused(**tensor(promising("(5, 2)", "'<zz'")), says="no whole array file"),
    "records of several fields": Broken(
        "b.npy",
        content(npy(np.zeros(5, [("a", "f8"), ("n", "i8")]))),
        ("nested_mismatch",),
        "where",
        contract=TENSOR,
    ),
    "a single number": Broken(
        "b.npy",
        content(npy(np.array(3.0))),
        ("shape_mismatch",),
        "of shape ()",
        contract=TENSOR,
    ),
    "columns first": sound(**tensor(npy(np.asfortranarray(PAIRS))), rows=10),
    "the other byte order": sound(**tensor(npy(PAIRS.astype(">f8"))), rows=10),
    "pickled objects": refused("b.npy", pickled, "never loaded", contract=TENSOR),
    "pickled objects in an archive": refused(
        "b.npz",
        archive(("x.npy", promising("(1,)", "'|O'") + b"cos\nmkdir\n(S'unpickled'\ntR.")),
        "never loaded",
        contract=NAMED_TENSOR,
    ),
    "an encrypted archive": refused(
        "b.npz",
        spoilt(archive(("x.npy", npy(PAIRS))), with_flag(6, 8, 1)),
        "encrypted",
        contract=NAMED_TENSOR,
    ),
    "an archive packed by an unknown method": refused(
        "b.npz",
        spoilt(archive(("x.npy", npy(PAIRS))), with_flag(8, 10, 97)),
        "no whole array file",
        contract=NAMED_TENSOR,
    ),
    "half an archive": refused(
        "b.npz", spoilt(archive(("x.npy", npy(PAIRS))), cut(0.5)), "no whole array file"
    ),
    "an archive of text": refused("b.npz", archive(("x.txt", b"hello")), "no whole array file"),
    "an archive of nothing": refused("b.npz", archive(), "none at all", "shape_mismatch"),
    "an archive that names an array twice": refused(
        "b.npz", archive(("x.npy", npy(PAIRS)), ("x", npy(PAIRS))), "several arrays of one name"
    ),
    "an archived trillion rows": refused(
        "b.npz", archive(("x.npy", promising("(1000000000000, 2)"))), "promises"
    ),
    "an archived array that breaks off": lying(
        "b.npz",
        spoilt(
            archive(("x.npy", npy(np.random.default_rng(0).random((10_000, 2))))),
            lambda data: data[:9_000] + bytes(1_000) + data[10_000:],
        ),
        contract=NAMED_TENSOR,
    ),
    "an archive of 5,000 arrays": refused(
        "b.npz",
        archive(*((f"c{i}.npy", npy(PAIRS[:, 0])) for i in range(5_000))),
        "no such column",
        "missing_column",
        contract=NAMED_TENSOR,
    ),
    "an archive that unpacks into 1.2 GB": sound(
        "b.npz", archived_zeros(f"({75 * MIB}, 2)", 1_200 * MIB), 75 * MIB, contract=NAMED_TENSOR
    ),
    "an archive of columns that unpacks into 512 MiB": refused(
        "b.npz", archived_zeros(f"({32 * MIB}, 2)", 512 * MIB, fortran=True), "Fortran order"
    ),
    "an archive of rows of 256 MiB": refused(
        "b.npz", archived_zeros(f"(2, {32 * MIB})", 512 * MIB), "rows of 256 MiB each"
    ),
}
