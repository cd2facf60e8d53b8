"""Run the command in a process of its own, with a real terminal for stdout, stderr or both."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import NamedTuple

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Shown(NamedTuple):
    """What a command printed.

    Attributes:
        code: Its exit code.
        terminal: What reached the terminal, with what steers it.
        piped: What reached the pipe.
    """

    code: int
    terminal: str
    piped: str

    @property
    def text(self) -> str:
        """The text on the terminal, line by line, without colours and padding."""
        lines = _CONTROL.sub("", self.terminal).replace("\r\n", "\n").splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)


def on_terminal(
    *arguments: str, watching: str = "stdout", columns: int = 80, **environment: str
) -> Shown:
    """Run a command with a terminal of so many columns.

    Args:
        arguments: The arguments, without the program's name.
        watching: ``stdout`` or ``stderr``, which is the terminal; the other one is a pipe.
        columns: Width of the terminal.
        environment: Variables on top.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    hidden = ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "CI")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, watching: theirs}
    with subprocess.Popen(
        [sys.executable, "-m", "signature_gate", *arguments],
        stdin=subprocess.DEVNULL,
        env={**inherited, "TERM": "xterm-256color", **environment},
        **streams,
    ) as process:
        os.close(theirs)
        terminal = _read_all(ours)
        pipe = process.stderr if watching == "stdout" else process.stdout
        assert pipe is not None
        piped = pipe.read().decode()
    return Shown(process.returncode, terminal, piped)


def _read_all(terminal: int) -> str:
    read = bytearray()
    try:
        while piece := os.read(terminal, 65_536):
            read += piece
    except OSError:  # Linux tells so that nobody writes any more
        pass
    finally:
        os.close(terminal)
    return read.decode()
