"""What the end-to-end tests stand on: a private service, the tool, and processes whose output is read as it comes.

Nothing here sleeps to wait for something. The service says that it is ready through sd_notify, jobs tell where they
are through fifos, states are told by the service's own events. Every wait has a limit, after which the test fails.

Everything started here is ended here, by its process id. At the end of a test the service must have left cleanly: exit
status 0, no report of a sanitizer, no socket, no process that carries this test's mark in its environment."""

import collections
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: |Assertion .* failed")
MARK = "HEDDLE_E2E"
ASAN_CALLS = 3
TAKE_A_KIND = (("run",), ("submit",), ("compare",))


class Failure(Exception):
    """A test did not see what it expects. Its text is for a person."""


def check(condition, message):
    if not condition:
        raise Failure(message)


class Setup:
    """The programs under test, and how much of everything suits them."""

    def __init__(self, bin_dir, preset, verbose=False, client=None):
        self.bin = os.path.abspath(bin_dir)
        self.client = os.path.abspath(client) if client else self.bin
        self.preset = preset
        self.ways = collections.Counter()
        self.sanitized = preset in ("asan", "tsan")
        self.verbose = verbose
        # A limit is there to end what hangs, not to measure.
        self.patience = {"asan": 2, "tsan": 4}.get(preset, 1)

    def program(self, name):
        return os.path.join(self.client if name == "heddlectl" and self.preset == "tsan" else self.bin, name)

    def tool(self, args, fails):
        """heddlectl, for such a call. With AddressSanitizer it takes ten times as long: that one looks at the calls that are to
        fail, and at the first few of each way, that is verb, kind and options; ThreadSanitizer, at none."""
        own = args[:args.index("--")] if "--" in args else args
        way = args[:2 if args[:1] in TAKE_A_KIND else 1] + tuple(arg.partition("=")[0] for arg in own[1:] if arg.startswith("-"))
        self.ways[way] += 1
        looked_at = self.preset == "asan" and (fails or self.ways[way] <= ASAN_CALLS)
        return os.path.join(self.bin if looked_at else self.client, "heddlectl")

    def limit(self, seconds):
        return seconds * self.patience

    def scaled(self, release, sanitized):
        return sanitized if self.sanitized else release


def seconds_left(deadline):
    return max(0.0, deadline - time.monotonic())


def until(test, wanted, message, limit=30):
    """Asks again until it holds. For what has no event of its own; a question is a round trip, so this does not spin."""
    deadline = time.monotonic() + test.setup.limit(limit)
    while not wanted():
        check(time.monotonic() < deadline, message() if callable(message) else message)


class Result:
    def __init__(self, argv, code, out, err):
        self.argv, self.code, self.raw, self.err = argv, code, out, err

    @property
    def out(self):
        return self.raw.decode(errors="replace")

    @property
    def lines(self):
        return self.out.splitlines()

    def json(self):
        try:
            return json.loads(self.raw)
        except ValueError as error:
            raise Failure(f"no JSON ({error}):\n{self}") from None

    def jsonl(self):
        try:
            return [json.loads(line) for line in self.lines]
        except ValueError as error:
            raise Failure(f"no JSON lines ({error}):\n{self}") from None

    def __str__(self):
        text = f"$ {' '.join(map(str, self.argv))}\n"
        for name, content in (("stdout", self.out), ("stderr", self.err)):
            if content:
                text += f"--- {name}\n{shorten(content)}\n"
        return text + f"--- ended with {self.code}"


def shorten(text, most=2000, lines=40):
    text = text.rstrip("\n")
    if text.count("\n") >= lines:
        rows = text.split("\n")
        text = "\n".join(rows[:lines // 2] + [f"[... {len(rows) - lines} lines ...]"] + rows[-lines // 2:])
    return text if len(text) <= most else f"{text[:most // 2]}\n[... {len(text) - most} characters ...]\n{text[-most // 2:]}"


class Pipe:
    """Reads a descriptor with time limits; closes it."""

    def __init__(self, fd, what):
        self.fd, self.what, self.buffer = fd, what, bytearray()
        os.set_blocking(fd, False)

    def more(self, deadline):
        """False at the end of the stream."""
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if not poll.poll(1000 * seconds_left(deadline)):
            raise Failure(f"{self.what}: nothing came in time; so far: {bytes(self.buffer[-500:])!r}")
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return True
        self.buffer += data
        return data != b""

    def line(self, limit=30):
        deadline = time.monotonic() + limit
        while b"\n" not in self.buffer:
            if not self.more(deadline):
                raise Failure(f"{self.what}: ended before a whole line came; it had: {bytes(self.buffer)!r}")
        line, _, rest = self.buffer.partition(b"\n")
        self.buffer = rest
        return line.decode(errors="replace")

    def lines_until(self, wanted, limit=30):
        """All lines up to the first for which `wanted` holds."""
        deadline, lines = time.monotonic() + limit, []
        while not lines or not wanted(lines[-1]):
            lines.append(self.line(seconds_left(deadline)))
        return lines

    def rest(self, limit=30):
        deadline = time.monotonic() + limit
        while self.more(deadline):
            pass
        data, self.buffer = bytes(self.buffer), bytearray()
        return data

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Process:
    """A program in the background."""

    def __init__(self, test, argv, env=None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=None):
        self.argv = [str(arg) for arg in argv]
        self.test = test
        self.popen = subprocess.Popen(self.argv, env=env if env is not None else test.env(), stdin=stdin, stdout=stdout,
                                      stderr=subprocess.PIPE, cwd=cwd or test.dir, start_new_session=True)
        self.out = Pipe(self.popen.stdout.fileno(), "stdout of " + self.shown()) if self.popen.stdout else None
        self.err = Pipe(self.popen.stderr.fileno(), "stderr of " + self.shown())
        test.processes.append(self)

    def shown(self):
        return " ".join(self.argv)

    @property
    def pid(self):
        return self.popen.pid

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, limit=30):
        """The exit status; negative after a signal. What was printed stays to be read."""
        try:
            return self.popen.wait(self.test.setup.limit(limit))
        except subprocess.TimeoutExpired:
            raise Failure(f"still running after its time: {self.shown()}") from None

    def finish(self, code=None, limit=30):
        """Reads both streams to their ends, waits, and gives a Result."""
        limit = self.test.setup.limit(limit)
        collected = {}
        threads = [threading.Thread(target=self.collect, args=(name, pipe, limit, collected))
                   for name, pipe in (("out", self.out), ("err", self.err)) if pipe]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status = self.wait(limit)
        self.close()
        for value in collected.values():
            if isinstance(value, Failure):
                raise value
        result = Result(self.argv, status, collected.get("out", b""), collected["err"].decode(errors="replace"))
        check(not SANITIZER_REPORT.search(result.err), f"a sanitizer's report:\n{result}")
        check(code is None or status == code, f"{result}\n--- expected it to end with {code}")
        return result

    @staticmethod
    def collect(name, pipe, limit, collected):
        try:
            collected[name] = pipe.rest(limit)
        except Failure as failure:
            collected[name] = failure

    def end(self):
        """Whatever it is doing."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        self.close()

    def close(self):
        for stream in (self.popen.stdout, self.popen.stderr, self.popen.stdin):
            if stream and not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass


class Notifications:
    """The other end of sd_notify. A thread takes the messages, since a full socket would stop the service."""

    def __init__(self, path):
        self.messages = []
        self.changed = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o777)
        self.thread = threading.Thread(target=self.receive, daemon=True)
        self.thread.start()

    def receive(self):
        while True:
            try:
                data = self.socket.recv(1 << 16)
            except OSError:
                return
            if not data:
                return
            with self.changed:
                self.messages.append(dict(line.split("=", 1) for line in data.decode().splitlines() if "=" in line))
                self.changed.notify_all()

    def wait(self, wanted, limit, start=0, alive=lambda: True):
        """The first message from number `start` on for which `wanted` holds; None when the sender is gone."""
        deadline = time.monotonic() + limit
        with self.changed:
            while True:
                for message in self.messages[start:]:
                    if wanted(message):
                        return message
                if not alive():
                    return None
                if seconds_left(deadline) == 0:
                    raise Failure(f"no such message to sd_notify; there were: {self.messages}")
                self.changed.wait(min(0.1, seconds_left(deadline)))

    def count(self):
        with self.changed:
            return len(self.messages)

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.thread.join(1)


class Service:
    """A heddled of a test's own. `config` is the text of its configuration file."""

    def __init__(self, test, config=None, args=(), env=None, directory=None, state=None, user=None,
                 pass_fds=()):
        self.test, self.setup = test, test.setup
        self.dir = directory or test.subdir("service")
        self.socket_path = os.path.join(self.dir, "heddle.sock")
        self.url = "ipc://" + self.socket_path
        self.state = state or os.path.join(self.dir, "state")
        self.config_path = os.path.join(self.dir, "heddle.conf")
        self.log_path = os.path.join(self.dir, "log")
        self.config, self.args, self.extra_env, self.user = config, list(args), env or {}, user
        self.pass_fds = pass_fds
        self.popen = None
        self.notifications = None
        self.exited = False
        test.services.append(self)

    def argv(self):
        argv = [self.setup.program("heddled"), "--listen", self.url, "--state", self.state]
        if self.config is not None:
            with open(self.config_path, "w") as file:
                file.write(self.config)
            argv += ["--config", self.config_path]
        return self.user_prefix() + argv + self.args

    def user_prefix(self):
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"] if self.user else []

    def launch(self):
        """Starts the program without waiting for anything."""
        path = os.path.join(self.dir, f"notify{len(os.listdir(self.dir))}")
        self.notifications = Notifications(path)
        env = self.test.env(NOTIFY_SOCKET=path, **self.extra_env)
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(self.argv(), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          cwd=self.dir, start_new_session=True, pass_fds=self.pass_fds)
        self.exited = False
        return self

    def start(self):
        self.launch()
        ready = self.notifications.wait(lambda m: m.get("READY") == "1", self.setup.limit(30), alive=self.alive)
        check(ready is not None, f"heddled ended with {self.popen.poll()} before it was ready:\n{self.shown_log()}")
        return self

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def shown_log(self):
        return f"$ {' '.join(map(str, self.argv()))}\n{shorten(self.log(), 6000)}"

    @property
    def pid(self):
        return self.popen.pid

    def wait_exit(self, code=0, limit=60):
        try:
            status = self.popen.wait(self.setup.limit(limit))
        except subprocess.TimeoutExpired:
            raise Failure(f"heddled did not end in time:\n{self.shown_log()}") from None
        self.exited = True
        self.notifications.close()
        check(status == code, f"heddled ended with {status}, expected {code}:\n{self.shown_log()}")

    def stop(self, limit=60):
        """As an operator would who is in a hurry: what still runs is cancelled, then SIGTERM."""
        if not self.exited:
            self.popen.send_signal(signal.SIGTERM)
            self.wait_exit(limit=limit)
        check(not os.path.lexists(self.socket_path), f"the socket is still there: {self.socket_path}")

    def kill(self):
        self.popen.kill()
        self.popen.wait()
        self.exited = True
        self.notifications.close()

    def restart(self):
        if not self.exited:
            self.stop()
        return self.start()

    # -- the tool --

    def env(self, **more):
        return self.test.env(HEDDLE_URL=self.url, **more)

    def tool(self, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=None, cwd=None, user=None, fails=False):
        """heddlectl in the background."""
        prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        return Process(self.test, prefix + [self.setup.tool(tuple(map(str, args)), fails), *args], env=env or self.env(), stdin=stdin,
                       stdout=stdout, cwd=cwd)

    def ctl(self, *args, code=0, input=None, limit=60, **options):
        """heddlectl to its end, with what is expected of its exit status (None: anything)."""
        options["fails"] = code != 0
        if input is not None:
            file = tempfile.TemporaryFile()
            file.write(input.encode() if isinstance(input, str) else input)
            file.seek(0)
            with file:
                return self.tool(*args, stdin=file, **options).finish(code, limit)
        return self.tool(*args, **options).finish(code, limit)

    def json(self, *args, **options):
        return self.ctl(*args, "-o", "json", **options).json()

    def jsonl(self, *args, **options):
        return self.ctl(*args, "-o", "jsonl", **options).jsonl()

    def submit(self, *args, **options):
        """`heddlectl submit -q ...`: the new job's id."""
        result = self.ctl("submit", "-q", *args, **options)
        check(re.fullmatch(r"\d+\n", result.out), f"expected an id alone:\n{result}")
        return int(result.out)

    def show(self, job):
        return self.json("show", str(job))

    def state_of(self, job):
        return self.show(job)["state"]

    def wait(self, *jobs, code=None, limit=60):
        return self.ctl("wait", *map(str, jobs), code=code, limit=limit)

    def outcome(self, job):
        """Waits for a job's end; what `show` then says."""
        self.wait(job)
        return self.show(job)

    def until_event(self, wanted, start=1, limit=30):
        """Follows the service's events until one is wanted; all of them up to that one."""
        follower = self.tool("events", "--from", str(start), "--follow", "-o", "jsonl")
        events = []
        deadline = time.monotonic() + self.setup.limit(limit)
        while not events or not wanted(events[-1]):
            events.append(json.loads(follower.out.line(seconds_left(deadline))))
        follower.end()
        return events

    def until_state(self, job, state, limit=30):
        self.until_event(lambda event: event["id"] == job and event["to"] == state, limit=limit)

    def memory_kib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


class Fifo:
    """Where a job and the test meet: the job writes a line when it is there, or reads one to go on."""

    def __init__(self, test, name):
        self.path = os.path.join(test.dir, name)
        os.mkfifo(self.path, 0o666)
        os.chmod(self.path, 0o666)
        # Opened for both ways, so that neither side waits for the other one's open.
        self.fd = os.open(self.path, os.O_RDWR)
        self.pipe = Pipe(self.fd, "fifo " + name)
        self.limit = test.setup.limit(30)
        test.cleanups.append(self.pipe.close)

    def read_line(self):
        return self.pipe.line(self.limit)

    def write_line(self, text="go"):
        os.write(self.fd, text.encode() + b"\n")

    def __str__(self):
        return self.path


class Test:
    """One test while it runs: its folder, its services and processes."""

    def __init__(self, setup, name):
        self.setup, self.name = setup, name
        # Short: the path of a unix socket has at most 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="hd-e2e-")
        os.chmod(self.dir, 0o755)
        self.mark = os.path.basename(self.dir)
        self.services, self.processes, self.cleanups = [], [], []

    def env(self, **more):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(("HEDDLE_", "XDG_", "NOTIFY_", "WATCHDOG_")) and name not in ("NO_COLOR", "RUNTIME_DIRECTORY")}
        if self.setup.preset == "tsan":  # else each program sleeps for a second at its end
            env["TSAN_OPTIONS"] = env.get("TSAN_OPTIONS", "") + ":atexit_sleep_ms=0"
        env.update({MARK: self.mark}, LC_ALL="C.UTF-8", TERM="xterm-256color")
        env.update({name: str(value) for name, value in more.items()})
        return env

    def subdir(self, name):
        path = os.path.join(self.dir, name)
        number = 1
        while os.path.exists(path):
            number += 1
            path = os.path.join(self.dir, f"{name}{number}")
        os.mkdir(path)
        return path

    def path(self, name):
        return os.path.join(self.dir, name)

    def service(self, *args, **options):
        return Service(self, *args, **options).start()

    def fifo(self, name="fifo"):
        return Fifo(self, name)

    def run(self, *argv, code=0, limit=60, **options):
        return Process(self, argv, **options).finish(code, limit)

    def spawn(self, *argv, **options):
        return Process(self, argv, **options)

    def verify_clean_end(self):
        """What must hold after every test."""
        for service in self.services:
            if not service.exited and service.popen:
                service.stop()
            if os.path.exists(service.log_path):
                check(not SANITIZER_REPORT.search(service.log()), f"a sanitizer's report:\n{service.shown_log()}")
        for process in self.processes:
            process.end()
        left = self.marked_processes()
        check(not left, "processes were left behind:\n" + "\n".join(left))

    def marked_processes(self):
        """Those that carry this test's mark, and are not ours to end."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environ:
                    if wanted not in environ.read().split(b"\0"):
                        continue
                with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                    found.append(f"{pid} {cmdline.read().replace(bytes(1), b' ').decode(errors='replace')}")
            except OSError:
                continue
        return found

    def end(self):
        """Ends all there is, however the test went."""
        for process in self.processes:
            process.end()
        for service in self.services:
            if service.popen and service.popen.poll() is None:
                service.kill()
        for line in self.marked_processes():
            try:
                os.kill(int(line.split()[0]), signal.SIGKILL)
            except ProcessLookupError:
                pass
        for cleanup in self.cleanups:
            cleanup()
        shutil.rmtree(self.dir, ignore_errors=True)


TESTS = []


def test(function):
    """Makes a function with a Test as its argument a test. Its name is a sentence."""
    TESTS.append(function)
    return function


def test_as_root(function):
    """A test that needs to become other users: only there for root."""
    return test(function) if os.geteuid() == 0 else function
