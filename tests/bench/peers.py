"""The runtimes that heddle is measured beside: what each needs, how it is built, how it is called.

Their programs take the name of a case and print figures, as heddle's own do (case.h); `--list` tells which cases they have.
A peer whose libraries or tools are not here is left out, and that is said. `./dev bench --install-peers` gets them."""

import glob
import os
import shutil
import subprocess
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
REGISTRY = "/usr/share/cargo/registry"  # Debian's crates
PYTHON = "/usr/bin/python3"  # the system's: it is the one that has the packages


class Broken(Exception):
    """A peer's program could not be built. Its text is for a person."""


def compiled(compiler, options, libraries):
    """A C or C++ program of one file."""
    def build(source, out):
        main = glob.glob(os.path.join(source, "main.c*"))[0]
        argv = [compiler, *options, "-O2", "-Wall", "-D_GNU_SOURCE", "-I", HERE, "-I", os.path.dirname(source), main, "-o",
                out, *libraries]
        checked(argv)
    return build


def build_go(source, out):
    cache = os.path.abspath(os.path.join(os.path.dirname(out), "cache"))
    checked(["go", "build", "-o", out, os.path.join(source, "main.go")],
            GOCACHE=cache, GOPATH=cache, GOFLAGS="", GOPROXY="off", GO111MODULE="off")


def build_tokio(source, out):
    """From a copy: cargo writes beside the sources."""
    copy = os.path.join(os.path.dirname(out), "package")
    shutil.copytree(source, copy, dirs_exist_ok=True)
    checked(["/usr/bin/cargo", "build", "--release", "--offline", "--manifest-path", os.path.join(copy, "Cargo.toml"),
             "--target-dir", os.path.join(copy, "target"), "--config", 'source.crates-io.replace-with="debian"',
             "--config", f'source.debian.directory="{REGISTRY}"'],
            RUSTC="/usr/bin/rustc", CARGO_HOME=os.path.join(copy, "home"))
    shutil.copy2(os.path.join(copy, "target", "release", "bench_tokio"), out)


def checked(argv, **environment):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    if done.returncode:
        raise Broken(f"{' '.join(argv)}\n{done.stdout.decode(errors='replace')}")


def has_header(compiler, header):
    """Can a program include it?"""
    return lambda: shutil.which(compiler) and subprocess.run(
        [compiler, "-E", "-x", "c++" if compiler == "g++" else "c", "-"], input=f"#include <{header}>\n".encode(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def has_uvloop():
    return os.access(PYTHON, os.X_OK) and subprocess.run(
        [PYTHON, "-c", "import uvloop"], stderr=subprocess.DEVNULL).returncode == 0


def has_aiohttp():
    return os.access(PYTHON, os.X_OK) and subprocess.run(
        [PYTHON, "-c", "import aiohttp"], stderr=subprocess.DEVNULL).returncode == 0


@dataclass(frozen=True)
class Peer:
    name: str
    title: str
    packages: tuple  # of Debian
    present: object  # () -> is all there that it needs?
    build: object = None  # (source folder, program to make); None: a script
    script: tuple = ()  # how the script is called
    folder: str = None  # of its sources; None: its name
    plays: dict = None  # the only cases it is there for, and what it calls them; None: all that it lists
    waits: bool = True  # its tasks can wait for anything; what cannot marks what is possible, and is no runtime to be beaten

    def command(self, out_dir):
        """What to call it with, built if it has to be."""
        source = os.path.join(HERE, "peers", self.folder or self.name)
        if not self.build:
            return [self.script[0], os.path.join(source, self.script[1]), *self.script[2:]]
        out = os.path.join(out_dir, self.folder or self.name, "bench")
        if newest(source, HERE) > mtime(out):
            os.makedirs(os.path.dirname(out), exist_ok=True)
            self.build(source, out)
        return [out]

    def cases(self, command):
        """The cases it has: its name for each by ours."""
        if self.plays is not None:
            return self.plays
        listed = subprocess.run([*command, "--list"], stdout=subprocess.PIPE, check=True, timeout=30).stdout
        return {name: name for name in listed.decode().split()}


def mtime(path):
    return os.stat(path).st_mtime if os.path.exists(path) else 0


def newest(source, shared):
    files = [*glob.glob(os.path.join(source, "**", "*.*"), recursive=True), *glob.glob(os.path.join(shared, "*.h")),
             *glob.glob(os.path.join(shared, "peers", "*.h"))]
    return max(mtime(path) for path in files)


C, CXX = ["-std=gnu17"], ["-std=c++17", "-DNDEBUG"]

PEERS = [
    Peer("tokio", "Tokio", ("cargo", "rustc", "librust-tokio-dev"),
         lambda: os.access("/usr/bin/cargo", os.X_OK) and glob.glob(f"{REGISTRY}/tokio-1*"), build_tokio),
    Peer("tokio_1", "Tokio (current thread)", ("cargo", "rustc", "librust-tokio-dev"),
         lambda: os.access("/usr/bin/cargo", os.X_OK) and glob.glob(f"{REGISTRY}/tokio-1*"), build_tokio,
         folder="tokio", plays={"echo_2": "echo_pinned"}),
    Peer("go", "Go", ("golang-go",), lambda: shutil.which("go"), build_go),
    Peer("boost_fiber", "Boost.Fiber", ("g++", "libboost-fiber-dev"), has_header("g++", "boost/fiber/all.hpp"),
         compiled("g++", CXX, ["-lboost_fiber", "-lboost_context", "-lpthread"])),
    Peer("tbb", "oneTBB", ("g++", "libtbb-dev"), has_header("g++", "oneapi/tbb/task_group.h"),
         compiled("g++", CXX, ["-ltbb"]), waits=False),
    Peer("st", "State Threads", ("gcc", "libst-dev"), has_header("gcc", "st.h"), compiled("gcc", C, ["-lst"])),
    Peer("libuv", "libuv", ("gcc", "libuv1-dev"), has_header("gcc", "uv.h"), compiled("gcc", C, ["-luv"])),
    Peer("libev", "libev by hand", ("gcc", "libev-dev"), has_header("gcc", "ev.h"), compiled("gcc", C, ["-lev"]),
         waits=False),
    Peer("posix", "no runtime", ("gcc",), lambda: shutil.which("gcc"), compiled("gcc", C, ["-lpthread"]), waits=False),
    Peer("asyncio", "asyncio", ("python3",), lambda: os.access(PYTHON, os.X_OK), script=(PYTHON, "main.py")),
    Peer("uvloop", "uvloop", ("python3", "python3-uvloop"), has_uvloop, script=(PYTHON, "main.py", "--uvloop"),
         folder="asyncio"),
    Peer("aiohttp", "aiohttp", ("python3", "python3-aiohttp", "wrk"), has_aiohttp, script=(PYTHON, "main.py"),
         plays={}),  # scripts.py starts it
    Peer("node", "Node.js", (), lambda: shutil.which("node"), script=("node", "main.js")),
]
TITLES = {peer.name: peer.title for peer in PEERS}


def packages():
    return sorted({package for peer in PEERS for package in peer.packages})
