"""Is the machine ours just now? Other guests of it come and go, by the second, and what shares a core's units with one of them
takes longer, the more the better it used them: two programs side by side are not slowed down alike. So a round begins when a
loop of arithmetic (bench_quiet) is as fast as it gets, and if it no longer is at the end, the round is played again, up to three
times, unless it is a long one: that has seen both. All contenders are treated alike. On a machine that is never quiet patience
ends, and then what is measured is what it is."""

import subprocess
import time

SLOWER = 1.25  # than the least: somebody is there
REPEATS = 3  # of a round
LONG_S = 5
PATIENCE_S = 480  # of a whole run


class Quiet:
    def __init__(self, program, patience_s):
        self.program = program
        self.left_s = patience_s
        self.patient = patience_s > 0
        self.again = 0
        self.least = float("inf")
        for _ in range(20 if self.patient else 0):
            self.is_now()

    def is_now(self):
        try:
            told = subprocess.run([self.program], capture_output=True, check=True, timeout=10).stdout.decode()
            value = float(told.split("\t")[1])
        except (OSError, subprocess.SubprocessError, IndexError, ValueError) as error:
            print(f"bench: whether the machine is quiet cannot be told: {error}", flush=True)
            self.left_s = 0
            return True
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
        for repeats_left in reversed(range(REPEATS + 1)):
            self.wait()
            began = time.monotonic()
            what = play()
            took = time.monotonic() - began
            if not repeats_left or took > LONG_S or self.left_s <= 0 or self.is_now():
                return what
            self.left_s -= took
            self.again += 1

    def told(self):
        if not self.patient:
            return ""
        return f"; {self.again} rounds were played again, as others used the cores" + \
            (", until patience ended" if self.left_s <= 0 else "")
