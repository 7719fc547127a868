"""A terminal: a program on a pty, and what a person would see of it. Of what terminals do it knows what the programs under test
make use of; anything else is an error."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

from harness import SANITIZER_REPORT, Failure, check

SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z@])")


class Screen:
    """Rows of characters and a cursor, which wraps as xterm's does: only when something comes behind a full row."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.scrolled = []
        self.rest = ""

    def text(self):
        """All there is, with what has left at the top; without blanks at the ends of lines."""
        return "\n".join(self.scrolled + ["".join(line).rstrip() for line in self.lines]).rstrip("\n")

    def cursor_line(self):
        return "".join(self.lines[self.row]).rstrip()

    def new_row(self):
        if self.row + 1 < self.rows:
            self.row += 1
            return
        self.scrolled.append("".join(self.lines.pop(0)).rstrip())
        self.lines.append([" "] * self.columns)

    def put(self, character):
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.column + width > self.columns:
            self.column = 0
            self.new_row()
        self.lines[self.row][self.column] = character
        if width == 2:
            self.lines[self.row][self.column + 1] = ""
        self.column += width

    def control(self, arguments, letter):
        numbers = [int(n) for n in arguments.split(";") if n.isdigit()]
        number = numbers[0] if numbers else 0
        column, line = min(self.column, self.columns - 1), self.lines[self.row]
        if letter == "A":
            self.row = max(0, self.row - max(1, number))
        elif letter == "C":
            self.column = min(self.columns - 1, column + max(1, number))
        elif letter == "D":
            self.column = max(0, column - max(1, number))
        elif letter == "G":
            self.column = max(1, number) - 1
        elif letter == "K":
            begin, end = ((column, self.columns), (0, column + 1), (0, self.columns))[number]
            line[begin:end] = [" "] * (end - begin)
        elif letter == "J" and number == 0:
            line[column:] = [" "] * (self.columns - column)
            for below in self.lines[self.row + 1:]:
                below[:] = [" "] * self.columns
        elif letter == "P":
            del line[column:column + max(1, number)]
            line += [" "] * (self.columns - len(line))
        elif letter == "@":
            line[column:column] = [" "] * max(1, number)
            del line[self.columns:]
        elif letter not in "mhl":
            raise Failure(f"a terminal's sequence that this one does not know: {arguments}{letter}")

    def write(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            character = text[at]
            found = SEQUENCE.match(text, at)
            if found:
                self.control(found[1], found[2])
                at = found.end()
                continue
            if character == "\x1b" and len(text) - at < 16:
                self.rest = text[at:]
                return
            at += 1
            if character == "\n":
                self.new_row()
            elif character == "\r":
                self.column = 0
            elif character == "\b":
                self.column = max(0, min(self.column, self.columns - 1) - 1)
            elif character >= " ":
                self.put(character)
            elif character != "\a":
                raise Failure(f"a terminal got {character!r}")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, test, argv, env, columns=80, rows=24):
        self.test, self.argv = test, [str(arg) for arg in argv]
        self.screen = Screen(columns, rows)
        self.fd, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.popen = subprocess.Popen(["setsid", "-c", *self.argv], env=env, stdin=inside, stdout=inside, stderr=inside,
                                      cwd=test.dir)
        os.close(inside)
        self.raw = b""
        test.processes.append(self)

    def read(self, deadline):
        """False: that was the end."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
            raise Failure(f"nothing more came in time; the screen:\n{self.screen.text()}\n--- and all that came: {self.raw[-1000:]!r}")
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:  # nobody has the other end any more
            data = b""
        self.raw += data
        whole = data.decode(errors="replace")
        self.screen.write(whole)
        return data != b""

    def until(self, wanted, limit=30):
        """Reads until `wanted` (a text on the screen, or a function) holds."""
        deadline = time.monotonic() + self.test.setup.limit(limit)
        holds = wanted if callable(wanted) else lambda screen: wanted in screen.text()
        while not holds(self.screen):
            check(self.read(deadline), f"it ended before this came: {wanted}; the screen:\n{self.screen.text()}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def finish(self, code=0, limit=30):
        """Reads to the end."""
        deadline = time.monotonic() + self.test.setup.limit(limit)
        while self.read(deadline):
            pass
        status = self.popen.wait(self.test.setup.limit(limit))
        check(not SANITIZER_REPORT.search(self.screen.text()), f"a sanitizer's report:\n{self.screen.text()}")
        check(status == code, f"{' '.join(self.argv)} ended with {status}, not {code}; the screen:\n{self.screen.text()}")
        return self.screen.text()

    def hang_up(self):
        os.close(self.fd)
        self.fd = -1

    def end(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        if self.fd >= 0:
            self.hang_up()
