"""Is the machine ours just now? Other guests of it come and go, by the second, and what shares a core's units with one of them
takes longer, the more the better it used them: two programs side by side are not slowed down alike. So a round begins when a
loop of arithmetic (bench_quiet) is as fast as it gets, and if it no longer is at the end, the round is played again. All
contenders are treated alike. On a machine that is never quiet, patience ends, and then what is measured is what it is."""

import subprocess
import time

SLOWER = 1.25  # than the least: somebody is there
TRIES = 4  # of a round
LONG_S = 5  # such rounds see the one and the other, and are not played again
PATIENCE_S = 480


class Quiet:
    def __init__(self, program):
        self.program = program
        self.left_s = PATIENCE_S
        self.again = 0
        self.least = float("inf")
        for _ in range(20):
            self.is_now()

    def is_now(self):
        told = subprocess.run([self.program], capture_output=True, check=True).stdout.decode()
        value = float(told.split("\t")[1])
        self.least = min(self.least, value)
        return value <= SLOWER * self.least

    def wait(self):
        began = time.monotonic()
        while self.left_s > 0 and not self.is_now():
            now = time.monotonic()
            self.left_s -= now - began
            began = now

    def played(self, play):
        """What `play` returns, of a quiet round if there is one."""
        for _ in range(TRIES):
            self.wait()
            began = time.monotonic()
            what = play()
            took = time.monotonic() - began
            if took > LONG_S or self.left_s <= 0 or self.is_now():
                break
            self.left_s -= took
            self.again += 1
        return what

    def told(self):
        return f"{self.again} rounds were played again, as others used the cores" + \
            (", until patience ended" if self.left_s <= 0 else "")
