"""Clients that nobody here wrote, and some that nobody should have."""

import os
import random
import re
import socket
import struct
import threading

import sp
from harness import REPO, check, test, until


def still_serves(s):
    s.ctl("ping")
    s.ctl("run", "exec", "--", "true")


def proto_fields():
    """Names of the contract's messages to numbers of their fields, from its own text."""
    text = open(os.path.join(REPO, "proto/heddle.proto")).read()
    text = re.sub(r"//.*", "", text)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    fields = {}
    for message in re.finditer(r"message (\w+) \{(?:\}|(.*?)\n\})", text, re.S):
        fields[message[1]] = {name: int(number) for name, number in re.findall(r"(\w+) = (\d+)", message[2] or "")}
    return fields


@test
def connecting_and_closing_never_stops_new_clients(t):
    s = t.service()
    waiting = s.tool("run", "sleep", "1h")
    s.until_state(1, "running")
    for number in range(t.setup.scaled(10_000, 2_000)):
        client = socket.socket(socket.AF_UNIX)
        client.connect(s.socket_path)
        if number % 3 == 1:
            client.send(b"\0SP\0\0\x30\0\0"[:number % 9])
        if number % 3 == 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        if number % 1000 == 0:
            s.ctl("ping")
    still_serves(s)
    descriptors = f"/proc/{s.pid}/fd"
    until(t, lambda: len(os.listdir(descriptors)) < 60, lambda: f"no descriptor is kept: {len(os.listdir(descriptors))}")
    s.ctl("cancel", "1")
    waiting.finish()


@test
def random_bytes_are_dropped(t):
    s = t.service()
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    for number in range(t.setup.scaled(500, 150)):
        with sp.Client(s.socket_path, hello=False) as client:
            try:
                client.send_raw(source.randbytes(source.randrange(1, 5000)))
            except (BrokenPipeError, ConnectionResetError):
                pass
    with sp.Client(s.socket_path) as client:
        check(client, f"seed {seed}")
    still_serves(s)


@test
def a_handshake_that_is_wrong_or_cut_short_is_dropped(t):
    s = t.service()
    half = []
    for hello in (b"", b"\0", b"\0SP", b"\0SP\0\0", b"\0SP\0\0\x30\0", b"\0SP\1\0\x30\0\0", b"\0SP\0\0\x21\0\0", b"HTTP/1.1",
                  b"\0SP\0\0\x31\0\0", b"\0SP\0\0\x30\xff\xff"):
        client = sp.Client(s.socket_path, hello=False)
        client.send_raw(hello)
        half.append(client)
    still_serves(s)
    for client in half:
        client.close()
    still_serves(s)


@test
def a_message_that_claims_to_be_huge_ends_its_connection_only(t):
    s = t.service()
    before = s.memory_kib()
    for size in (4 << 20 | 1, 1 << 32, 1 << 62, (1 << 64) - 1):
        with sp.Client(s.socket_path) as client:
            client.send_raw(sp.FRAME.pack(1, size))
            try:
                client.send_raw(b"x" * 100_000)
            except (BrokenPipeError, ConnectionResetError):
                pass
            check(client.closed_by_service(), f"a header of {size} bytes closes the connection")
    check(s.memory_kib() - before < 64 << 10, f"{s.memory_kib() - before} KiB more")
    with sp.Client(s.socket_path) as client:
        client.send_raw(sp.FRAME.pack(7, 10) + b"0123456789")
        check(client.closed_by_service(), "a frame of an unknown kind closes the connection")
    still_serves(s)


@test
def a_message_that_is_never_finished_holds_nobody(t):
    s = t.service()
    clients = []
    for _ in range(20):
        client = sp.Client(s.socket_path)
        client.send_raw(sp.FRAME.pack(1, 1 << 20) + b"only this")
        clients.append(client)
    still_serves(s)
    for client in clients:
        client.close()
    still_serves(s)


def is_an_error(reply):
    """A reply with a code and a text for a person."""
    fields = proto_fields()["Reply"]
    return sp.get(reply, fields["code"], 0) != 0 and len(sp.get(reply, fields["error"], b"")) > 5


@test
def garbage_in_a_valid_frame_gets_an_error(t):
    s = t.service()
    seed = random.randrange(1 << 32)
    source = random.Random(seed)
    with sp.Client(s.socket_path, limit=t.setup.limit(30)) as client:
        for payload in [b"", b"\0", b"\xff" * 50, b"\x08", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 3000, b"\x0a\0" * 500] + \
                [source.randbytes(source.randrange(1, 300)) for _ in range(200)]:
            reply = client.ask(payload)
            check(is_an_error(reply), f"an error for {payload[:50]!r} (seed {seed}): {reply!r}")
    still_serves(s)


@test
def a_small_message_that_would_unpack_to_much_is_refused(t):
    s = t.service()
    request, submit = proto_fields()["Request"], proto_fields()["SubmitRequest"]
    before = s.memory_kib()
    with sp.Client(s.socket_path, limit=t.setup.limit(60)) as client:
        for count in (10_000, 500_000, 1_500_000):
            jobs = sp.block(submit["jobs"], b"") * count
            reply = client.ask(sp.number(request["version"], 1) + sp.block(request["submit"], jobs))
            check(is_an_error(reply), f"{reply[:100]!r}")
        unknown = sp.number(1000, 1) * 700_000
        reply = client.ask(sp.number(request["version"], 1) + unknown)
        check(is_an_error(reply), f"{reply[:100]!r}")
    check(t.setup.sanitized or s.memory_kib() - before < 200 << 10, f"{s.memory_kib() - before} KiB more")
    still_serves(s)


@test
def large_requests_that_pile_up_are_refused(t):
    s, numbers, count = t.service(), proto_fields(), t.setup.scaled(40, 20)
    jobs = sp.block(numbers["SubmitRequest"]["jobs"], "") * ((4 << 20) // 2 - 32)
    request = sp.number(numbers["Request"]["version"], 1) + sp.block(numbers["Request"]["submit"], jobs)
    with sp.Client(s.socket_path) as client:
        sender = threading.Thread(target=lambda: [client.send(request) for _ in range(count)])
        sender.start()
        replies = [client.receive()[1] for _ in range(count)]
        sender.join()
    check(all(is_an_error(reply) for reply in replies), "each is answered, with an error")
    check(any(b"too many large requests" in reply for reply in replies), "what is too much is refused")
    still_serves(s)


@test
def unknown_versions_and_requests_get_a_clear_error(t):
    s = t.service()
    request, reply_fields = proto_fields()["Request"], proto_fields()["Reply"]
    with sp.Client(s.socket_path, limit=t.setup.limit(30)) as client:
        ping = sp.number(request["version"], 1) + sp.block(request["ping"], b"")
        reply = client.ask(ping)
        check(sp.get(reply, reply_fields["code"], 0) == 0, f"a plain ping by hand works: {reply!r}")
        for version in (0, 2, 4711, 0xFFFFFFFF):
            reply = client.ask(sp.number(request["version"], version) + sp.block(request["ping"], b""))
            check(is_an_error(reply), f"version {version}: {reply!r}")
            if version:
                check(str(version).encode() in sp.get(reply, reply_fields["error"]), f"it names the version: {reply!r}")
        reply = client.ask(sp.number(request["version"], 1) + sp.block(999, b""))
        check(is_an_error(reply), f"an unknown request: {reply!r}")
        reply = client.ask(sp.number(request["version"], 1))
        check(is_an_error(reply), f"no request at all: {reply!r}")


@test
def wrong_values_in_a_submission_are_named(t):
    s = t.service()
    fields = proto_fields()
    request, submit, job, reply_fields = fields["Request"], fields["SubmitRequest"], fields["Job"], fields["Reply"]

    def submission(job_bytes, key=b"k" * 16):
        return sp.number(request["version"], 1) + sp.block(
            request["submit"], sp.block(submit["key"], key) + sp.block(submit["jobs"], job_bytes))

    with sp.Client(s.socket_path, limit=t.setup.limit(30)) as client:
        for what, payload in (("no kind", submission(b"")), ("a short key", submission(b"", key=b"x")),
                              ("no UTF-8", submission(sp.block(job["name"], b"\xff\xfe"))),
                              ("a NUL", submission(sp.block(job["name"], b"a\0b"))),
                              ("a long name", submission(sp.block(job["name"], b"n" * 100_000))),
                              ("an unknown loop", submission(sp.number(job["loop"], 77)))):
            reply = client.ask(payload)
            check(is_an_error(reply), f"{what}: {reply!r}")
    check(s.jsonl("ls") == [], "nothing was submitted")


@test
def every_cut_and_every_flipped_bit_of_a_request_is_survived(t):
    s = t.service()
    fields = proto_fields()
    request = fields["Request"]
    good = sp.number(request["version"], 1) + sp.block(request["list"], sp.number(fields["ListRequest"]["limit"], 3))
    tool = s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h","name":"x"}\n')
    check(tool.lines == ["1"], f"{tool}")
    with sp.Client(s.socket_path, limit=t.setup.limit(30)) as client:
        for length in range(len(good)):
            client.ask(good[:length])
        for bit in range(len(good) * 8):
            flipped = bytearray(good)
            flipped[bit // 8] ^= 1 << bit % 8
            client.send(bytes(flipped))
    still_serves(s)
    s.ctl("cancel", "1", code=None)


@test
def nngcat_gets_an_error_for_garbage_and_the_service_goes_on(t):
    s = t.service()
    for data in ("hello", "x" * 1000, ""):
        result = t.run("nngcat", "--req0", "--connect", s.url, "--data", data, "--hex", "--recv-timeout", "10", code=None)
        check(result.code == 0 and result.out.strip(), f"an answer comes back:\n{result}")
    for protocol in ("--push0", "--pair0", "--pub0", "--surveyor0"):
        t.run("nngcat", protocol, "--connect", s.url, "--data", "x", "--recv-timeout", "1", "--send-timeout", "1", code=None)
    still_serves(s)


@test
def a_client_that_vanishes_while_it_waits_leaves_no_task(t):
    s = t.service()
    job = s.submit("sleep", "1h")
    clients = [s.tool(*verb) for verb in (["wait", str(job)], ["logs", "-f", str(job)], ["events", "--follow"],
                                          ["wait", "--any", str(job)]) for _ in range(3)]
    until(t, lambda: requests_under_way(s) == len(clients), lambda: f"all of them wait: {requests_under_way(s)}")
    for client in clients:
        client.end()
    until(t, lambda: requests_under_way(s) == 0, lambda: f"none is left: {requests_under_way(s)}")
    still_serves(s)
    s.ctl("cancel", str(job))


def requests_under_way(s):
    """But for the one that asks."""
    tasks = [task for task in s.jsonl("ps") if task["runtime"] == "control" and task["name"] == "request"]
    return len(tasks) - 1


@test
def a_client_that_never_reads_its_replies_hurts_nobody(t):
    s = t.service()
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h","name":"%s"}\n' % ("n" * 100) * t.setup.scaled(5000, 1000))
    fields = proto_fields()
    listing = sp.number(fields["Request"]["version"], 1) + sp.block(
        fields["Request"]["list"], sp.block(fields["ListRequest"]["select"], sp.number(fields["Selector"]["all"], 1)))
    before = s.memory_kib()
    with sp.Client(s.socket_path, limit=2) as client:
        client.socket.settimeout(1)
        sent = 0
        try:
            for _ in range(t.setup.scaled(2000, 200)):
                client.send(listing)
                sent += 1
        except TimeoutError:
            pass
        still_serves(s)
        check(t.setup.sanitized or s.memory_kib() - before < 256 << 10,
              f"{sent} unread replies cost {s.memory_kib() - before} KiB")
    still_serves(s)
    s.ctl("cancel", "--all")


@test
def a_request_repeated_with_the_same_key_makes_one_job(t):
    s = t.service()
    fields = proto_fields()
    request, submit, job = fields["Request"], fields["SubmitRequest"], fields["Job"]
    payload = sp.number(request["version"], 1) + sp.block(request["submit"], sp.block(submit["key"], bytes(range(16))) + sp.block(
        submit["jobs"], sp.block(job["name"], "once") + sp.block(job["sleep"], sp.number(1, 1_000_000))))
    reply_fields, submitted = fields["Reply"], fields["SubmitReply"]
    ids = set()
    for _ in range(3):
        with sp.Client(s.socket_path, limit=t.setup.limit(30)) as client:
            reply = client.ask(payload)
            check(sp.get(reply, reply_fields["code"], 0) == 0, f"{reply!r}")
            ids.add(sp.get(sp.get(reply, reply_fields["submit"]), submitted["first_id"]))
    check(ids == {1} and len(s.jsonl("ls")) == 1, f"one job: {ids}")


@test
def a_full_queue_refuses_with_the_limits_name_and_goes_on_when_there_is_room(t):
    s = t.service(config="queue_max = 10\n")
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 10)
    result = s.ctl("submit", "exec", "--", "true", code=6)
    check("queue_max" in result.err and "10" in result.err, f"the limit and its value:\n{result}")
    result = s.ctl("run", "exec", "--", "true", code=125)
    check("queue_max" in result.err, f"{result}")
    check(s.json("stats")["refused"] >= 2, f"{s.json('stats')}")
    s.ctl("cancel", "1")
    s.wait(1)
    s.submit("exec", "--", "true")
    s.ctl("cancel", "--all")
