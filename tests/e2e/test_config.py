"""Each key of the configuration, by its effect. A key without a test here fails the last one."""

import os
import re
import select
import stat
import time

import sp
from harness import Failure, Notifications, check, test, until

SHOWN = {"drain_timeout", "jobs_per_user_max"}  # their tests stand in test_service.py and test_access.py


def key(*names):
    def mark(function):
        SHOWN.update(names)
        return test(function)
    return mark


@key("listen", "state")
def listen_and_state_say_where(t):
    config, notify = t.path("heddle.conf"), t.path("notify")
    with open(config, "w") as file:
        file.write(f'# a comment\nlisten = "ipc://{t.path("own.sock")}"\nstate = "{t.path("own-state")}"\n')
    notifications = Notifications(notify)
    t.cleanups.append(notifications.close)
    service = t.spawn(t.setup.program("heddled"), "--config", config, env=t.env(NOTIFY_SOCKET=notify))
    ready = notifications.wait(lambda m: m.get("READY") == "1", t.setup.limit(30), alive=lambda: service.popen.poll() is None)
    check(ready, "it starts")
    t.run(t.setup.program("heddlectl"), "--url", "ipc://" + t.path("own.sock"), "run", "exec", "--", "true")
    check(os.listdir(t.path("own-state")), "its state is there")
    service.signal(15)
    service.finish(0)


@key("socket_mode")
def socket_mode_sets_who_may_open_the_socket(t):
    for mode in (0o600, 0o660, 0o666):
        s = t.service(config=f"socket_mode = {mode:04o}\n")
        check(stat.S_IMODE(os.lstat(s.socket_path).st_mode) == mode, oct(os.lstat(s.socket_path).st_mode))


@key("socket_group")
def socket_group_owns_the_socket(t):
    group = "daemon" if os.geteuid() == 0 else str(os.getgid())
    s = t.service(config=f"socket_group = {group}\n")
    check(os.lstat(s.socket_path).st_gid == (1 if os.geteuid() == 0 else os.getgid()), f"{os.lstat(s.socket_path)}")
    broken = t.spawn(t.setup.program("heddled"), "--listen", "ipc://" + t.path("s"), "--state", t.path("x"), "--set",
                     "socket_group=no-such-group").finish()
    check(broken.code != 0 and "no-such-group" in broken.err, f"{broken}")


@key("multi_loops")
def multi_loops_sets_how_many_loops_multi_has(t):
    s = t.service(config="multi_loops = 3\n")
    multi = [runtime for runtime in s.json("stats")["runtimes"] if runtime["name"] == "multi"][0]
    check(len(multi["loops"]) == 3, f"{len(multi['loops'])}")


@key("log_level")
def log_level_says_how_much_is_logged(t):
    sizes = []
    for level in ("error", "debug"):
        s = t.service(config=f"log_level = {level}\n")
        job = s.submit("lua", "-e", "block(0.5)")  # a warning: its loop stands still meanwhile
        s.wait(job)
        if level == "debug":
            until(t, lambda: f"warning: job {job}: task" in s.log(), "no warning of a job that blocks its loop")
        s.stop()
        sizes.append(len(s.log()))
    check(sizes[0] == 0 and sizes[1] > 0, f"bytes logged by error and debug: {sizes}")


@key("queue_max")
def queue_max_bounds_what_has_not_ended(t):
    s = t.service(config="queue_max = 3\n")
    sleep = '{"kind":"sleep","duration":"1h"}\n'
    result = s.ctl("batch", "-q", input=sleep * 4, code=6)
    check("queue_max" in result.err, f"{result}")
    s.ctl("batch", "-q", input=sleep * 3)
    s.ctl("submit", "sleep", "1ms", code=6)
    s.ctl("cancel", "--all")


@key("job_bytes_max")
def job_bytes_max_bounds_the_memory_of_what_has_not_ended(t):
    s = t.service(config="job_bytes_max = 1MiB\n")
    line = '{"kind":"sleep","duration":"1h","env":["X=%s"]}\n' % ("x" * 100_000)
    result = s.ctl("batch", "-q", input=line * 15, code=6)
    check("job_bytes_max" in result.err, f"{result}")
    taken = sum(s.json("stats")["jobs"].values())
    check(taken < 11, f"{taken} jobs of 100 kB were taken")
    s.ctl("cancel", "--all")
    s.ctl("batch", "-q", input=line * 5)
    s.ctl("cancel", "--all")


@key("running_max")
def running_max_bounds_how_many_run_at_once(t):
    s = t.service(config="running_max = 2\n")
    at, hold = t.fifo("at"), t.fifo("hold")
    jobs = [s.submit("exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}") for _ in range(3)]
    at.read_line()
    at.read_line()
    info = s.show(jobs[2])
    check(info["state"] == "queued" and "running_max" in info["why"], f"{info}")
    for _ in jobs:
        hold.write_line()
    s.wait(*jobs, code=0)


@key("scripts_max")
def scripts_max_bounds_how_many_scripts_run_at_once(t):
    s = t.service(config="scripts_max = 2\nrunning_max = 1\n")
    jobs = [s.submit("-e", "sleep(3600)") for _ in range(3)]
    for job in jobs[:2]:
        s.until_state(job, "running")
    info = s.show(jobs[2])
    check(info["state"] == "queued" and "scripts_max" in info["why"], f"{info}")
    s.ctl("run", "exec", "--", "true")
    s.ctl("cancel", "--all")


@key("history")
def history_bounds_how_many_ended_jobs_are_known(t):
    s = t.service(config="history = 5\n")
    for _ in range(8):
        s.ctl("run", "sleep", "1ms")
    check([row["id"] for row in s.jsonl("ls")] == [4, 5, 6, 7, 8], "the last five")
    s.ctl("show", "1", code=4)
    held = s.submit("sleep", "1h")
    for _ in range(8):
        s.ctl("run", "sleep", "1ms")
    check(s.state_of(held) == "running", "what has not ended is not forgotten")
    s.ctl("cancel", str(held))


@key("output_head", "output_tail")
def output_head_and_tail_bound_what_is_kept(t):
    s = t.service(config="output_head = 1000\noutput_tail = 3000\n")
    job = s.submit("exec", "--", "seq", "100000")
    info = s.outcome(job)
    kept = info["output_bytes"] - info["output_dropped"]
    check(3500 <= kept <= 4000, f"{kept} bytes are kept: {info}")
    result = s.ctl("logs", str(job))
    check(result.raw.startswith(b"1\n2\n3\n") and result.raw.endswith(b"99999\n100000\n"), "the head and the tail")
    small = s.submit("exec", "--", "seq", "1000")
    check(s.outcome(small)["output_dropped"] == 0, "what fits is whole")


@key("output_window")
def output_window_bounds_how_far_a_job_runs_ahead_of_who_follows_it(t):
    s = t.service(config="output_window = 64KiB\n")
    run = s.tool("run", "exec", "--", "sh", "-c", "seq 200000; echo over >&2")
    check(run.out.line(t.setup.limit(30)) == "1", "it has begun")
    # Nobody reads on: what is under way fits the window, the pipes and the tool.
    s.until_state(1, "running")
    check(s.show(1)["output_bytes"] < 600_000, f"{s.show(1)}")
    result = run.finish(0)
    check(result.lines[-1] == "200000" and len(result.lines) == 199_999, "and nothing is lost")


@key("output_total")
def output_total_bounds_all_kept_output_together(t):
    s = t.service(config="output_total = 100KiB\n")
    jobs = []
    for _ in range(10):
        jobs.append(s.submit("exec", "--", "seq", "5000"))
        s.wait(jobs[-1])
    infos = [s.show(job) for job in jobs]
    kept = sum(info["output_bytes"] - info["output_dropped"] for info in infos)
    check(kept <= 100 << 10, f"{kept} bytes are kept of {len(jobs)} jobs")
    check(infos[-1]["output_dropped"] < infos[0]["output_dropped"], f"the oldest go first: {[i['output_dropped'] for i in infos]}")


@key("events_kept")
def events_kept_bounds_how_far_back_one_can_ask(t):
    s = t.service(config="events_kept = 16\n")
    for _ in range(20):
        s.ctl("run", "sleep", "1ms")
    result = s.ctl("events", "-o", "jsonl")
    events = result.jsonl()
    check(len(events) == 16 and events[-1]["id"] == 20, f"{len(events)}")
    check("no longer kept" in s.ctl("events", "--from", "1", "-o", "jsonl").err, "what is missing is said")


@key("default_timeout")
def default_timeout_holds_for_jobs_that_name_none(t):
    s = t.service(config="default_timeout = 100ms\n")
    check(s.outcome(s.submit("sleep", "1h"))["state"] == "timed-out", "the default")
    check(s.outcome(s.submit("--timeout", "1h", "sleep", "300ms"))["state"] == "succeeded", "its own")


@key("grace")
def grace_is_the_time_between_sigterm_and_sigkill(t):
    s = t.service(config="grace = 100ms\n")
    at = t.fifo("at")
    job = s.submit("exec", "--", "sh", "-c", f"trap '' TERM; echo x > {at}; while :; do read x < {t.fifo('hold')}; done")
    at.read_line()
    began = time.monotonic()
    s.ctl("cancel", str(job))
    check(s.outcome(job)["signal"] == 9, f"{s.show(job)}")
    check(time.monotonic() - began >= 0.1, "not at once")


@key("http_max_bytes", "http_connections")
def http_limits_hold_for_jobs_that_name_none(t):
    from test_http import web
    server = web(t)
    s = t.service(config="http_max_bytes = 1MiB\nhttp_connections = 2\n")
    result = s.ctl("run", "http", server.url + "/big", code=1)
    check(re.search(r"1\.?0? ?MiB|1048576|http_max_bytes|max.bytes", result.err), f"{result}")
    s.ctl("run", "http", "--max-bytes", "8MiB", server.url + "/big")
    first = len(s.jsonl("ls")) + 1
    s.ctl("batch", "-q", input='{"kind":"http","loop":"single","url":"%s/wait"}\n' % server.url * 8)
    until(t, lambda: sum(seen[1] == "/wait" for seen in server.seen) >= 2 or s.ctl("ping").code, "two requests arrive")
    s.ctl("run", "--loop", "multi", "http", server.url + "/hello")
    waiting = sum(seen[1] == "/wait" for seen in server.seen)
    check(waiting == 2, f"two at a time on a loop, not {waiting}")
    server.release.set()
    s.ctl("wait", f"{first}-{first + 7}", code=0)


def ended(s, *args):
    job = s.submit(*args)
    return s.outcome(job)


@key("script_memory", "script_memory_max")
def script_memory_holds_for_scripts_that_ask_for_none_and_no_more_can_be_asked_for(t):
    s = t.service(config="script_memory = 1MiB\nscript_memory_max = 16MiB\n")
    code = "local text = string.rep('x', 2 << 20) print(#text)"
    job = ended(s, "-e", code)
    check(job["state"] == "failed" and "memory" in job["error"], f"{job}")
    check(ended(s, "--max-memory", "16MiB", "-e", code)["state"] == "succeeded", "with more of it")
    result = s.ctl("submit", "--max-memory", "17MiB", "-e", code, code=2)
    check("script_memory_max" in result.err, f"{result}")


@key("script_cpu", "script_cpu_max")
def script_cpu_holds_for_scripts_that_ask_for_none_and_no_more_can_be_asked_for(t):
    s = t.service(config="script_cpu = 50ms\nscript_cpu_max = 1h\n")
    job = ended(s, "--timeout", "30s", "-e", "while true do end")
    check(job["state"] == "failed" and job["script"]["error"], f"{job}")
    check(ended(s, "--max-cpu", "1h", "-e", "local c = os.clock() while os.clock() < c + 0.1 do end")["state"] == "succeeded", "")
    check("script_cpu_max" in s.ctl("submit", "--max-cpu", "2h", "-e", "", code=2).err, "it is named")


@key("script_output", "script_output_max")
def script_output_holds_for_scripts_that_ask_for_none_and_no_more_can_be_asked_for(t):
    s = t.service(config="script_output = 10\nscript_output_max = 100\n")
    job = ended(s, "-e", "print('0123456789')")
    check(job["state"] == "failed" and "output" in job["error"], f"{job}")
    check(ended(s, "--max-output", "20", "-e", "print('0123456789')")["state"] == "succeeded", "with more of it")
    check("script_output_max" in s.ctl("submit", "--max-output", "101", "-e", "", code=2).err, "it is named")


@key("script_tasks", "script_tasks_max")
def script_tasks_holds_for_scripts_that_ask_for_none_and_no_more_can_be_asked_for(t):
    s = t.service(config="script_tasks = 3\nscript_tasks_max = 10\n")
    code = "for i = 1, 5 do spawn(sleep, 0.01) end"
    job = ended(s, "-e", code)
    check(job["state"] == "failed" and "task" in job["error"], f"{job}")
    check(ended(s, "--max-tasks", "10", "-e", code)["state"] == "succeeded", "with more of them")
    check("script_tasks_max" in s.ctl("submit", "--max-tasks", "11", "-e", "", code=2).err, "it is named")


@key("clients_max")
def clients_max_bounds_connections(t):
    s = t.service(config="clients_max = 5\n")
    clients = [sp.Client(s.socket_path, limit=t.setup.limit(30)) for _ in range(5)]
    request = sp.number(1, 1) + sp.block(11, b"")
    for client in clients:
        client.ask(request)
    sixth = sp.Client(s.socket_path, hello=False, limit=t.setup.limit(30))
    sixth.send_raw(sp.HELLO.pack(b"\0SP\0", sp.REQ, 0))
    refused = True
    try:
        sixth.read_exactly(sp.HELLO.size)
        sixth.send(request)
        refused = sixth.closed_by_service()
    except (OSError, Failure):
        pass
    check(refused, "the sixth is turned away")
    for client in clients:
        client.ask(request)
        client.close()
    until(t, lambda: s.ctl("ping", code=None).code == 0, "who comes later is served again")


@key("requests_max", "requests_per_client_max")
def requests_that_wait_are_bounded(t):
    s = t.service(config="requests_max = 20\nrequests_per_client_max = 5\n")
    wait = sp.number(1, 1) + sp.block(13, sp.block(1, sp.block(2, sp.number(1, 1) + sp.number(2, 1))))
    reply_code, full = 2, 5
    s.submit("sleep", "1h")
    clients = [sp.Client(s.socket_path, limit=t.setup.limit(30)) for _ in range(5)]
    sent = [clients[0].send(wait) for _ in range(6)]
    answered, reply = clients[0].receive()
    check(answered in sent and sp.get(reply, reply_code) == full and b"requests_per_client_max" in sp.get(reply, 3), f"{reply!r}")
    # Five wait already, so of these twenty there is no room for five, whichever come last.
    for client in clients[1:]:
        for _ in range(5):
            client.send(wait)
    poll, by_descriptor = select.poll(), {client.socket.fileno(): client for client in clients[1:]}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    refused = 0
    while refused < 5:
        ready = poll.poll(1000 * t.setup.limit(30))
        check(ready, f"five are refused, not {refused}")
        client = by_descriptor[ready[0][0]]
        while True:
            _, reply = client.receive()
            check(sp.get(reply, reply_code) == full and b"requests_max" in sp.get(reply, 3), f"{reply!r}")
            refused += 1
            if not client.buffer:
                break
    for client in clients:
        client.close()
    until(t, lambda: s.ctl("ping", code=None).code == 0, "who comes later is served again")
    s.ctl("cancel", "1")


@test
def settings_of_the_command_line_come_before_the_file(t):
    s = t.service(config="queue_max = 3\n", args=["--set", "queue_max=4"])
    check(s.json("stats")["queue_max"] == 4, f"{s.json('stats')['queue_max']}")
    result = t.spawn(t.setup.program("heddled"), "--set", "no_such_key=1").finish(2)
    check("no_such_key" in result.err, f"{result}")


@test
def every_key_has_a_test_here(t):
    text = t.run(t.setup.program("heddled"), "--help").out
    keys = set(re.findall(r"^\s+([a-z]+(?:_[a-z]+)*) = ", text, re.M))
    check(keys, f"heddled --help lists the keys:\n{text}")
    check(keys <= SHOWN, f"without a test: {sorted(keys - SHOWN)}")
