"""The service's life: start, one socket for one service, restart, crash, signals, what it tells the service manager."""

import os
import re
import signal
import socket
import stat
import subprocess

from harness import Notifications, check, test, until


# ---- its socket ----


@test
def the_socket_appears_with_its_mode_and_goes_with_the_service(t):
    s = t.service()
    mode = os.lstat(s.socket_path).st_mode
    check(stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660, f"a socket for owner and group: {oct(mode)}")
    pong = s.json("ping")
    check(pong["pid"] == s.pid and pong["release"] and pong["draining"] is False, f"{pong}")
    s.stop()
    check(not os.path.lexists(s.socket_path), "gone")


def thread_policies(pid):
    """How the threads of each name are scheduled."""
    policies = {}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm") as file:
            policies.setdefault(file.read().strip(), set()).add(os.sched_getscheduler(int(tid)))
    return policies


def real_time_is_allowed():
    try:
        subprocess.run(["chrt", "-r", "1", "true"], stderr=subprocess.DEVNULL, check=True)
        return True
    except subprocess.CalledProcessError:
        return False


@test
def requests_go_before_jobs(t):
    s = t.service()
    job = s.ctl("run", "exec", "--", "sh", "-c", "chrt -p $$")
    policies = thread_policies(s.pid)
    carrying = os.SCHED_RR if real_time_is_allowed() else os.SCHED_OTHER
    check({carrying} == policies["nng:task"] == policies["nng:poll:epoll"], f"{policies}")
    check({os.SCHED_OTHER} == policies["control-0"] == policies["multi-0"] == policies["heddled"], f"{policies}")
    check("SCHED_OTHER" in job.out, f"{job}")


@test
def a_stale_socket_is_taken_over_after_a_crash(t):
    s = t.service()
    s.submit("exec", "--", "true")
    s.kill()
    check(os.path.lexists(s.socket_path), "a killed service leaves its socket")
    s.start()
    s.ctl("ping")


@test
def a_second_service_on_the_same_socket_is_refused_while_the_first_goes_on(t):
    s = t.service()
    hold = t.fifo("hold")
    run = s.tool("run", "exec", "--", "sh", "-c", f"echo one; read x < {hold}; echo two")
    run.out.line(t.setup.limit(30))
    for _ in range(3):
        second = t.spawn(t.setup.program("heddled"), "--listen", s.url, "--state", t.path("other-state"))
        result = second.finish()
        check(result.code != 0, f"it is refused\n{result}")
        check(s.socket_path in result.err and re.search(r"already|another|in use|serv", result.err), f"clearly:\n{result}")
        s.ctl("ping")
        s.ctl("run", "exec", "--", "true")
    hold.write_line()
    check("two" in run.finish(0).out, "who was being served still is")


@test
def two_services_with_one_state_folder_never_give_the_same_id(t):
    s = t.service()
    other = t.service(state=s.state)
    ids = []
    for _ in range(5):
        ids += [s.submit("sleep", "1ms"), other.submit("sleep", "1ms")]
    for service in (s, other):
        ids += map(int, service.ctl("batch", "-q", input='{"kind":"sleep","duration":"1ms"}\n' * 3000).lines)
    check(len(set(ids)) == len(ids), "all different")


@test
def a_file_at_the_sockets_path_is_not_deleted(t):
    path = t.path("precious")
    with open(path, "w") as file:
        file.write("do not lose me")
    result = t.spawn(t.setup.program("heddled"), "--listen", "ipc://" + path, "--state", t.path("state")).finish()
    check(result.code != 0 and path in result.err, f"refused, with the path:\n{result}")
    check(open(path).read() == "do not lose me", "the file is what it was")


@test
def a_folder_that_is_not_there_is_named(t):
    path = t.path("no/such/heddle.sock")
    result = t.spawn(t.setup.program("heddled"), "--listen", "ipc://" + path, "--state", t.path("state")).finish()
    check(result.code != 0 and "no/such" in result.err, f"{result}")


@test
def a_socket_without_a_service_is_unreachable_and_so_is_none(t):
    path = t.path("dead.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.close()
    for url in ("ipc://" + path, "ipc://" + t.path("nothing.sock")):
        for verb in (["ping"], ["ls"], ["submit", "exec", "--", "true"], ["stats"], ["wait", "1"], ["cancel", "1"],
                     ["logs", "1"], ["events"], ["ps"], ["drain"], ["show", "1"]):
            result = t.run(t.setup.program("heddlectl"), "--url", url, *verb, code=3)
            check(path in result.err or "nothing.sock" in result.err, f"it says where it looked:\n{result}")
        result = t.run(t.setup.program("heddlectl"), "--url", url, "run", "exec", "--", "true", code=125)
        check(result.err, f"{result}")


@test
def who_waits_is_told_when_the_service_is_killed(t):
    s = t.service()
    job = s.submit("sleep", "1h")
    waiters = [s.tool(*verb) for verb in (["wait", str(job)], ["logs", "-f", str(job)], ["events", "--new"])]
    until(t, lambda: sum(task["name"] == "request" for task in s.jsonl("ps")) == len(waiters) + 1, "all of them wait")
    s.kill()
    for waiter in waiters:
        check(waiter.finish(3).err, f"it says so: {waiter.shown()}")


# ---- ids and what survives ----


@test
def ids_are_never_used_again_after_a_restart_or_a_crash(t):
    s = t.service()
    seen = [s.submit("exec", "--", "true") for _ in range(3)]
    s.restart()
    seen += [s.submit("exec", "--", "true") for _ in range(3)]
    for _ in range(3):
        s.kill()
        s.start()
        seen += [s.submit("exec", "--", "true"), s.submit("sleep", "1h")]
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 3000)
    highest = max(row["id"] for row in s.jsonl("ls"))
    s.kill()
    s.start()
    seen.append(s.submit("exec", "--", "true"))
    check(len(set(seen)) == len(seen) and seen == sorted(seen), f"always larger: {seen}")
    check(seen[-1] > highest, f"larger than any of a batch just before a crash: {seen[-1]} > {highest}")


@test
def a_state_folder_that_cannot_be_written_stops_the_start(t):
    blocked = t.path("a file")
    open(blocked, "w").close()
    result = t.spawn(t.setup.program("heddled"), "--listen", "ipc://" + t.path("s"), "--state", blocked + "/state").finish()
    check(result.code != 0 and "a file" in result.err, f"{result}")


# ---- ending ----


@test
def sigterm_lets_running_jobs_end_and_takes_no_new_ones(t):
    s = t.service()
    at, hold, done = t.fifo("at"), t.fifo("hold"), t.path("done")
    run = s.tool("run", "exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}; echo finished; touch {done}")
    at.read_line()
    s.popen.send_signal(signal.SIGTERM)
    s.notifications.wait(lambda m: m.get("STOPPING") == "1", t.setup.limit(30))
    result = s.ctl("submit", "exec", "--", "true", code=6)
    check("drain" in result.err, f"it says why:\n{result}")
    check(s.json("ping")["draining"] is True, "ping says so")
    hold.write_line()
    result = run.finish(0)
    check(result.out == "finished\n" and os.path.exists(done), f"the running job ended in peace:\n{result}")
    s.wait_exit()
    check(not os.path.lexists(s.socket_path), "the socket is gone")


@test
def who_follows_a_job_hears_all_of_it_although_the_service_is_stopping(t):
    s = t.service()
    at, hold, over = t.fifo("at"), t.fifo("hold"), t.fifo("over")
    run = s.tool("run", "exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}; seq 100000; echo x > {over}; exit 5")
    at.read_line()
    waiter = s.tool("wait", "--exit-code", "1")
    until(t, lambda: any(task["name"] == "request" and task["waits_for"] == "lock" for task in s.jsonl("ps")), "wait waits")
    s.popen.send_signal(signal.SIGTERM)
    s.notifications.wait(lambda m: m.get("STOPPING") == "1", t.setup.limit(30))
    hold.write_line()
    over.read_line()
    waiter.finish(5)
    # The job has ended, and until now nobody has read anything.
    check(run.finish(5).lines == [str(n) for n in range(1, 100_001)], "every line")
    s.wait_exit()


@test
def sigterm_cancels_what_does_not_end_within_the_limit(t):
    s = t.service(config="drain_timeout = 300ms\n")
    at = t.fifo("at")
    s.submit("exec", "--", "sh", "-c", f"echo x > {at}; sleep 1000")
    s.submit("sleep", "1h")
    at.read_line()
    s.popen.send_signal(signal.SIGTERM)
    s.wait_exit()
    left = [line for line in t.marked_processes() if "sleep" in line]
    check(not left, f"nothing of it is left: {left}")


@test
def no_job_holds_up_the_end_by_its_own_grace_period(t):
    s = t.service(config="drain_timeout = 300ms\ngrace = 200ms\n")
    at = t.fifo("at")
    s.submit("--grace", "1h", "exec", "--", "sh", "-c", f"trap '' TERM; echo x > {at}; while :; do sleep 0.1; done")
    at.read_line()
    s.popen.send_signal(signal.SIGTERM)
    s.wait_exit()


@test
def drain_waits_for_running_jobs_and_then_ends_the_service(t):
    s = t.service()
    at, hold = t.fifo("at"), t.fifo("hold")
    job = s.submit("exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}")
    at.read_line()
    drain = s.tool("drain")
    s.notifications.wait(lambda m: "drain" in m.get("STATUS", ""), t.setup.limit(20))
    result = s.ctl("submit", "exec", "--", "true", code=6)
    check("drain" in result.err, f"{result}")
    check(s.state_of(job) == "running", "the job goes on")
    hold.write_line()
    drain.finish(0)
    s.wait_exit()


@test
def a_drain_with_a_limit_cancels_the_rest(t):
    s = t.service()
    s.submit("sleep", "1h")
    at = t.fifo("at")
    s.submit("exec", "--", "sh", "-c", f"echo x > {at}; exec sleep 1000")
    at.read_line()
    report = s.json("drain", "--timeout", "200ms")
    check(report["cancelled"] == 2, f"{report}")
    s.wait_exit()


@test
def sigint_ends_it_as_sigterm_does(t):
    s = t.service()
    s.submit("exec", "--", "true")
    s.popen.send_signal(signal.SIGINT)
    s.wait_exit()


@test
def a_second_sigterm_does_not_wait_any_longer(t):
    s = t.service()
    at = t.fifo("at")
    s.submit("exec", "--", "sh", "-c", f"echo x > {at}; sleep 1000")
    at.read_line()
    s.popen.send_signal(signal.SIGTERM)
    s.notifications.wait(lambda m: m.get("STOPPING") == "1", t.setup.limit(30))
    s.popen.send_signal(signal.SIGTERM)
    s.wait_exit(limit=25)


# ---- reloading ----


@test
def a_reload_changes_a_limit(t):
    s = t.service(config="queue_max = 2\n")
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 3, code=6)
    with open(s.config_path, "w") as file:
        file.write("queue_max = 50\n")
    count = s.notifications.count()
    s.popen.send_signal(signal.SIGHUP)
    limit = t.setup.limit(30)
    reloading = s.notifications.wait(lambda m: m.get("RELOADING") == "1", limit, count)
    check(int(reloading["MONOTONIC_USEC"]) > 0, f"{reloading}")
    s.notifications.wait(lambda m: m.get("READY") == "1", limit, count)
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 3)
    check(s.json("stats")["queue_max"] == 50, f"{s.json('stats')}")
    s.ctl("cancel", "--all")


@test
def a_reload_with_a_bad_file_keeps_what_was(t):
    s = t.service(config="queue_max = 2\n")
    with open(s.config_path, "w") as file:
        file.write("queue_max = 50\n# one line\nqueue_maximum = 3\n")
    count = s.notifications.count()
    s.popen.send_signal(signal.SIGHUP)
    s.notifications.wait(lambda m: m.get("READY") == "1", t.setup.limit(30), count)
    check("queue_maximum" in s.log() and ":3" in s.log(), f"the log names the key and the line:\n{s.log()}")
    check(s.json("stats")["queue_max"] == 2, "the old value holds")
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 3, code=6)


@test
def a_bad_configuration_stops_the_start_and_is_named_with_its_line(t):
    for text, line, expected in (("queue_max = 2\nno_such_key = 1\n", 2, "no_such_key"), ("queue_max = many\n", 1, "queue_max"),
                                 ("\n\nqueue_max = -1\n", 3, "queue_max"), ("queue_max 5\n", 1, "")):
        path = t.path("heddle.conf")
        with open(path, "w") as file:
            file.write(text)
        result = t.spawn(t.setup.program("heddled"), "--listen", "ipc://" + t.path("s"), "--state", t.path("state"),
                         "--config", path).finish()
        check(result.code == 2, f"usage error for {text!r}\n{result}")
        check(f"{path}:{line}" in result.err and expected in result.err, f"file, line and key for {text!r}:\n{result}")
    result = t.spawn(t.setup.program("heddled"), "--config", t.path("missing.conf")).finish()
    check(result.code == 2 and "missing.conf" in result.err, f"{result}")


@test
def unknown_flags_of_the_service_are_refused(t):
    for arguments in (["--colour"], ["--listen"], ["--listen", "gopher://x"], ["operand"]):
        result = t.spawn(t.setup.program("heddled"), *arguments).finish(2)
        check(arguments[-1].lstrip("-") in result.err, f"it names what is wrong:\n{result}")
    result = t.run(t.setup.program("heddled"), "--help")
    check("--listen" in result.out, f"{result}")
    result = t.run(t.setup.program("heddled"), "--version")
    check(re.search(r"\d+\.\d+", result.out), f"{result}")


# ---- what it tells the service manager ----


@test
def the_service_manager_hears_ready_status_and_stopping(t):
    s = t.service()
    messages = list(s.notifications.messages)
    check(messages[0].get("READY") == "1" or any(m.get("READY") == "1" for m in messages), f"{messages}")
    limit = t.setup.limit(30)
    s.notifications.wait(lambda m: m.get("STATUS"), limit)
    job = s.submit("sleep", "1h")
    s.ctl("cancel", str(job))
    s.popen.send_signal(signal.SIGTERM)
    s.notifications.wait(lambda m: m.get("STOPPING") == "1", limit)
    s.wait_exit()


@test
def the_watchdog_is_fed_while_the_single_loop_is_busy(t):
    s = t.service(env={"WATCHDOG_USEC": "400000"})
    s.submit("--loop", "single", "cpu", "10000000")
    limit = t.setup.limit(30)
    for _ in range(4):
        s.notifications.wait(lambda m: m.get("WATCHDOG") == "1", limit, s.notifications.count())
    s.ctl("cancel", "--all")


@test
def without_a_watchdog_nothing_is_fed(t):
    s = t.service()
    s.ctl("run", "sleep", "300ms")
    check(not any("WATCHDOG" in m for m in s.notifications.messages), f"{s.notifications.messages}")


@test
def threads_are_named_after_what_they_do(t):
    s = t.service()
    s.ctl("run", "hash", __file__)
    names = []
    for task in os.listdir(f"/proc/{s.pid}/task"):
        with open(f"/proc/{s.pid}/task/{task}/comm") as comm:
            names.append(comm.read().strip())
    for wanted in ("control-0", "multi-0", "single-0"):
        check(wanted in names, f"{wanted}: {sorted(names)}")
    loops = len(os.sched_getaffinity(0))
    check(all(f"multi-{n}" in names for n in range(loops)) or "multi-1" not in names, f"{sorted(names)}")
    check("single-1" not in names and "control-1" not in names, f"{sorted(names)}")


@test
def the_default_socket_is_found_by_service_and_tool_alike(t):
    runtime = t.subdir("run")
    env = t.env(XDG_RUNTIME_DIR=runtime, XDG_STATE_HOME=t.subdir("state"), HOME=t.dir, NOTIFY_SOCKET=t.path("notify"))
    notifications = Notifications(t.path("notify"))
    t.cleanups.append(notifications.close)
    service = t.spawn(t.setup.program("heddled"), env=env)
    limit = t.setup.limit(30)
    check(notifications.wait(lambda m: m.get("READY") == "1", limit, alive=lambda: service.popen.poll() is None),
          "it starts without flags, as a user's own service" + ("" if service.popen.poll() is None else service.finish().err))
    check(stat.S_ISSOCK(os.lstat(runtime + "/heddle/heddle.sock").st_mode), "where the specification says")
    t.run(t.setup.program("heddlectl"), "run", "exec", "--", "true", env=env)
    service.signal(signal.SIGTERM)
    service.finish(0)
