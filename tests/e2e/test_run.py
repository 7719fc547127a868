"""heddlectl run: a job as if it had been started here."""

import hashlib
import os
import select
import signal
import time

from harness import check, test


@test
def run_keeps_the_streams_apart_and_ends_with_the_jobs_own_code(t):
    s = t.service()
    result = s.ctl("run", "exec", "--", "sh", "-c", "echo out; echo err >&2; exit 3", code=3)
    check(result.out == "out\n", f"stdout is the job's alone:\n{result}")
    check("err\n" in result.err and "out" not in result.err, f"stderr has the job's stderr:\n{result}")


@test
def run_says_nothing_of_its_own_when_the_job_succeeds(t):
    s = t.service()
    result = s.ctl("run", "exec", "--", "sh", "-c", "echo a; echo b >&2")
    check((result.out, result.err) == ("a\n", "b\n"), f"only the job speaks:\n{result}")


@test
def run_prints_each_line_as_it_comes(t):
    s = t.service()
    hold = t.fifo("hold")
    run = s.tool("run", "exec", "--", "sh", "-c", f"echo one; echo two >&2; read x < {hold}; echo three; read x < {hold}")
    limit = t.setup.limit(30)
    check(run.out.line(limit) == "one", "the first line, while the job waits")
    check(run.err.line(limit) == "two", "the line on stderr, while the job waits")
    hold.write_line()
    check(run.out.line(limit) == "three", "the third line, while the job waits again")
    hold.write_line()
    run.finish(0)


@test
def output_without_a_newline_comes_at_once_and_bytes_are_kept_as_they_are(t):
    s = t.service()
    hold = t.fifo("hold")
    run = s.tool("run", "exec", "--", "sh", "-c", rf"printf 'prompt> '; read x < {hold}; printf '\000\377\n\r\033[1mx'")
    limit = t.setup.limit(30)
    while b"prompt> " not in run.out.buffer:
        check(run.out.more(time.monotonic() + limit), "the prompt came before the end")
    hold.write_line()
    result = run.finish(0)
    check(result.raw == b"prompt> \0\xff\n\r\033[1mx", f"every byte as it was: {result.raw!r}")


@test
def run_ends_127_when_there_is_no_such_program_and_126_when_it_cannot_be_executed(t):
    s = t.service()
    plain = t.path("plain")
    open(plain, "w").close()
    result = s.ctl("run", "exec", "--", "no-such-program-anywhere", code=127)
    check("no-such-program-anywhere" in result.err, f"the message names it:\n{result}")
    result = s.ctl("run", "exec", "--", plain, code=126)
    check(plain in result.err, f"the message names it:\n{result}")
    s.ctl("run", "exec", "--", t.dir, code=126)
    s.ctl("run", "--cwd", t.path("nowhere"), "exec", "--", "true", code=125)


@test
def run_ends_with_128_and_the_signal_that_killed_the_job(t):
    s = t.service()
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGUSR1):
        s.ctl("run", "exec", "--", "sh", "-c", f"ulimit -c 0; kill -{int(number)} $$", code=128 + number)


@test
def run_passes_on_codes_from_0_to_255(t):
    s = t.service()
    for code in (0, 1, 2, 42, 124, 200, 255):
        s.ctl("run", "exec", "--", "sh", "-c", f"exit {code}", code=code)


@test
def ctrl_c_cancels_the_job(t):
    s = t.service()
    at = t.fifo("at")
    run = s.tool("run", "exec", "--", "sh", "-c", f"trap 'echo bye; exit 7' TERM; echo here > {at}; sleep 1000 & wait")
    at.read_line()
    run.signal(signal.SIGINT)
    result = run.finish()
    check(result.code == 130, f"ended by Ctrl-C: 130\n{result}")
    check("bye" in result.out, f"what the job says on its way out is still shown:\n{result}")
    job = s.jsonl("ls")[-1]["id"]
    check(s.state_of(job) == "cancelled", f"the job is cancelled: {s.show(job)}")


@test
def a_second_ctrl_c_leaves_a_job_that_is_slow_to_end(t):
    s = t.service()
    at = t.fifo("at")
    run = s.tool("run", "--grace", "1h", "exec", "--", "sh", "-c",
                 f"trap 'echo stubborn > {at}' TERM; echo here > {at}; while :; do read x < {t.fifo('hold')}; done")
    at.read_line()
    run.signal(signal.SIGINT)
    check(at.read_line() == "stubborn", "the job got SIGTERM")
    run.signal(signal.SIGINT)
    result = run.finish(130)
    check(result.code == 130, f"{result}")
    job = s.jsonl("ls")[-1]["id"]
    s.ctl("cancel", "--grace", "10ms", str(job))
    s.wait(job)
    check(s.state_of(job) == "cancelled", f"the job is cancelled: {s.show(job)}")


@test
def run_into_a_file_loses_nothing_although_the_reader_is_slow(t):
    s = t.service()
    last = t.setup.scaled(7_000_000, 1_500_000)
    expected = t.run("seq", str(last)).raw
    before = s.memory_kib()
    run = s.tool("run", "exec", "--", "seq", str(last))
    # Nobody reads yet: the job has to wait for its reader, and the service must not take it all in.
    s.until_state(1, "running")
    digest, count, peak = hashlib.sha256(), 0, 0
    fd = run.out.fd
    os.set_blocking(fd, True)
    while data := os.read(fd, 4096 if count < 1 << 20 else 1 << 16):
        digest.update(data)
        if (count + len(data)) >> 22 != count >> 22:
            peak = max(peak, s.memory_kib())
        count += len(data)
    run.wait()
    check(count == len(expected), f"{count} bytes came of {len(expected)}")
    check(digest.hexdigest() == hashlib.sha256(expected).hexdigest(), "the bytes are those that were written")
    check(t.setup.sanitized or peak - before < 16 << 10, f"the service grew by {peak - before} KiB meanwhile")


@test
def nothing_is_lost_when_both_streams_are_full(t):
    s = t.service()
    count = t.setup.scaled(60000, 15000)
    script = f"i=0; while [ $i -lt {count} ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    run = s.tool("run", "exec", "--", "sh", "-c", script)
    result = run.finish(0, limit=90)
    check(result.lines == [f"out {i}" for i in range(count)], "stdout is complete and in order")
    check(result.err.splitlines() == [f"err {i}" for i in range(count)], "stderr is complete and in order")


@test
def a_grandchild_that_holds_the_pipe_does_not_hold_the_job(t):
    s = t.service()
    hold, over = t.fifo("hold"), t.fifo("over")
    result = s.ctl("run", "exec", "--", "sh", "-c", f"(read x < {hold}; echo x > {over}) & echo started", limit=30)
    check(result.out == "started\n", f"what was written before the end is there:\n{result}")
    hold.write_line()
    over.read_line()


@test
def commands_of_jobs_and_of_scripts_lead_a_session_of_their_own(t):
    s = t.service()
    leads = "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && echo leads"
    result = s.ctl("run", "exec", "--", "sh", "-c", leads)
    check(result.out == "leads\n", f"the job's command:\n{result}")
    result = s.ctl("run", "lua", "-e", f'print(exec{{"sh", "-c", [[{leads}]]}}.stdout)')
    check(result.out == "leads\n\n", f"a script's:\n{result}")


@test
def a_grandchild_in_a_session_of_its_own_does_not_hold_the_job_either(t):
    s = t.service()
    at, hold = t.fifo("at"), t.fifo("hold")
    result = s.ctl("run", "exec", "--", "sh", "-c",
                   f"setsid sh -c 'echo $$ > {at}; read x < {hold}' & echo started", limit=30)
    check(result.out == "started\n", f"{result}")
    at.read_line()
    hold.write_line()


@test
def run_of_each_kind_ends_well(t):
    s = t.service()
    s.ctl("run", "sleep", "10ms")
    s.ctl("run", "cpu", "5")
    data = t.path("data")
    with open(data, "wb") as file:
        file.write(b"heddle\n" * 1000)
    result = s.ctl("run", "hash", data)
    check(result.out.split() == [hashlib.sha256(b"heddle\n" * 1000).hexdigest(), data], f"as sha256sum prints it:\n{result}")


@test
def hash_prints_what_sha256sum_prints(t):
    s = t.service()
    paths = []
    for number, content in enumerate((b"", b"x", os.urandom(3 << 20))):
        paths.append(t.path(f"file {number}"))
        with open(paths[-1], "wb") as file:
            file.write(content)
    result = s.ctl("run", "hash", *paths)
    check(result.out == t.run("sha256sum", *paths).out, f"{result}")
    result = s.ctl("run", "hash", paths[0], t.path("missing"), code=1)
    check("missing" in result.err, f"the message names the file:\n{result}")


@test
def run_ends_124_when_the_job_runs_out_of_time(t):
    s = t.service()
    result = s.ctl("run", "--timeout", "100ms", "exec", "--", "sleep", "1000", code=None)
    check(s.state_of(1) == "timed-out", f"{s.show(1)}")
    check(result.code == 124, f"as timeout(1) does\n{result}")


@test
def run_of_a_killed_service_says_so_and_ends_125(t):
    s = t.service()
    at = t.fifo("at")
    run = s.tool("run", "exec", "--", "sh", "-c", f"echo $$ > {at}; exec sleep 1000")
    pid = int(at.read_line())
    s.kill()
    result = run.finish(125)
    check(s.socket_path in result.err or "service" in result.err, f"it says what happened:\n{result}")
    # Nobody is there any more to end the command; that is the service's successor's or the operator's affair.
    try:
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], 30)
        os.close(handle)
    except ProcessLookupError:
        pass


@test
def a_job_reads_on_its_stdin_what_it_was_given_and_nothing_otherwise(t):
    s = t.service()
    data = os.urandom(2 << 20)
    path = t.path("data")
    with open(path, "wb") as file:
        file.write(data)
    expected = hashlib.sha256(data).hexdigest()
    check(s.ctl("run", "--stdin", path, "exec", "sha256sum").out.split()[0] == expected, "from a file")
    check(s.ctl("run", "--stdin", "-", "exec", "sha256sum", input=data).out.split()[0] == expected, "from our stdin")
    check(s.ctl("run", "exec", "wc", "-c", input="not for the job").out.strip() == "0", "nothing otherwise")
    check(s.ctl("run", "--stdin", path, "exec", "true").out == "", "a job need not read it")
    result = s.ctl("run", "--stdin", t.path("missing"), "exec", "cat", code=2)
    check("missing" in result.err, f"{result}")


@test
def a_reader_that_goes_away_ends_the_job(t):
    s = t.service()
    run = s.tool("run", "exec", "--", "sh", "-c", "while :; do echo y; done")
    run.out.line(t.setup.limit(30))
    run.popen.stdout.close()
    run.out = None
    result = run.finish(128 + signal.SIGPIPE)
    check(result.err == "", f"quietly, as any program in a pipe:\n{result}")
    s.wait(1)
    check(s.state_of(1) == "cancelled", f"{s.show(1)}")
