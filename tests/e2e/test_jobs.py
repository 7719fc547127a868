"""What a job can be asked for: dependencies, groups, priority, delay, timeout, retries, surroundings, cancelling."""

import os
import time

from harness import check, test


# ---- dependencies ----


@test
def a_job_waits_for_the_one_it_comes_after(t):
    s = t.service()
    hold, order = t.fifo("hold"), t.path("order")
    first = s.submit("exec", "--", "sh", "-c", f"read x < {hold}; echo first >> {order}")
    second = s.submit("--after", f"ok:{first}", "exec", "--", "sh", "-c", f"echo second >> {order}")
    third = s.submit("--after", f"ok:{second}", "exec", "--", "sh", "-c", f"echo third >> {order}")
    waiting = s.show(third)
    check(waiting["state"] == "blocked" and str(second) in waiting["why"], f"it says what it waits for: {waiting}")
    hold.write_line()
    s.wait(third, code=0)
    check(open(order).read().split() == ["first", "second", "third"], "in this order")


@test
def after_ok_any_and_fail_choose_by_how_the_other_job_ended(t):
    s = t.service()
    hold = t.fifo("hold")
    bad = s.submit("exec", "--", "sh", "-c", f"read x < {hold}; exit 1")
    good = s.submit("exec", "--", "sh", "-c", f"read x < {hold}")
    jobs = {(what, id): s.submit("--after", f"{what}:{id}", "exec", "--", "true")
            for what in ("ok", "any", "fail") for id in (bad, good)}
    hold.write_line()
    hold.write_line()
    s.wait(*jobs.values())
    states = {key: s.state_of(job) for key, job in jobs.items()}
    ran = {key for key, state in states.items() if state == "succeeded"}
    check(ran == {("ok", good), ("any", good), ("any", bad), ("fail", bad)}, f"these ran: {states}")
    for key in (("ok", bad), ("fail", good)):
        info = s.show(jobs[key])
        check(info["state"] in ("failed", "cancelled") and str(key[1]) in info["error"],
              f"a condition that can no longer hold ends the job, and says why: {info}")


@test
def a_chain_falls_when_its_head_fails(t):
    s = t.service()
    hold = t.fifo("hold")
    head = s.submit("exec", "--", "sh", "-c", f"read x < {hold}; exit 1")
    chain = [head]
    for _ in range(20):
        chain.append(s.submit("--after", f"ok:{chain[-1]}", "exec", "--", "true"))
    hold.write_line()
    s.wait(chain[-1])
    check(all(row["state"] != "succeeded" for row in s.jsonl("ls")), "none of them ran")
    check(s.json("stats")["jobs"].get("blocked", 0) == 0, "none waits any more")


@test
def a_job_can_come_after_several_and_after_one_that_has_ended(t):
    s = t.service()
    hold = t.fifo("hold")
    ended = s.submit("exec", "--", "true")
    s.wait(ended)
    held = s.submit("exec", "--", "sh", "-c", f"read x < {hold}")
    job = s.submit("--after", f"ok:{ended}", "--after", f"any:{held}", "exec", "--", "true")
    check(s.state_of(job) == "blocked", f"{s.show(job)}")
    hold.write_line()
    check(s.outcome(job)["state"] == "succeeded", f"{s.show(job)}")
    late = s.submit("--after", f"ok:{ended}", "exec", "--", "true")
    check(s.outcome(late)["state"] == "succeeded", f"{s.show(late)}")


@test
def a_dependency_on_an_unknown_job_is_refused(t):
    s = t.service()
    result = s.ctl("submit", "--after", "ok:4711", "exec", "--", "true", code=4)
    check("4711" in result.err, f"the message names it:\n{result}")
    check(s.jsonl("ls") == [], "nothing was submitted")


# ---- groups, priority, delay ----


@test
def a_groups_limit_is_never_exceeded(t):
    s = t.service()
    limit, jobs = 3, t.setup.scaled(60, 30)
    folder = t.subdir("running")
    script = (f"touch {folder}/$$; ls {folder} | wc -l; "
              f"i=0; while [ $i -lt 300 ]; do i=$((i+1)); done; ls {folder} | wc -l; rm {folder}/$$")
    line = '{"kind":"exec","group":"g","parallel":%d,"argv":["sh","-c","%s"]}\n' % (limit, script)
    s.ctl("batch", "-q", input=line * jobs)
    s.ctl("wait", "--group", "g", code=0, limit=90)
    seen = [int(count) for id in range(1, jobs + 1) for count in s.ctl("logs", str(id)).out.split()]
    check(len(seen) == 2 * jobs, f"each job looked twice: {len(seen)}")
    check(max(seen) <= limit, f"at most {limit} ran at once; seen: {sorted(set(seen))}")
    check(max(seen) > 1, f"and more than one did: {sorted(set(seen))}")


@test
def a_group_of_one_runs_in_the_order_of_submission(t):
    s = t.service()
    order = t.path("order")
    for number in range(15):
        s.submit("--group", "one", "--parallel", "1", "exec", "--", "sh", "-c", f"echo {number} >> {order}")
    s.ctl("wait", "--group", "one", code=0)
    check(open(order).read().split() == [str(number) for number in range(15)], open(order).read())


@test
def a_queued_job_says_which_limit_holds_it(t):
    s = t.service()
    hold = t.fifo("hold")
    s.submit("--group", "narrow", "--parallel", "1", "exec", "--", "sh", "-c", f"read x < {hold}")
    queued = s.submit("--group", "narrow", "exec", "--", "true")
    info = s.show(queued)
    check(info["state"] == "queued" and "narrow" in info["why"], f"{info}")
    hold.write_line()
    check(s.outcome(queued)["state"] == "succeeded", f"{s.show(queued)}")


@test
def a_limit_that_is_raised_lets_more_run(t):
    s = t.service()
    hold, at = t.fifo("hold"), t.fifo("at")
    script = f"echo x > {at}; read x < {hold}"
    s.submit("--group", "g", "--parallel", "1", "exec", "--", "sh", "-c", script)
    second = s.submit("--group", "g", "exec", "--", "sh", "-c", script)
    at.read_line()
    check(s.state_of(second) == "queued", f"{s.show(second)}")
    third = s.submit("--group", "g", "--parallel", "3", "exec", "--", "sh", "-c", script)
    at.read_line()
    at.read_line()
    check({s.state_of(second), s.state_of(third)} == {"running"}, "all three run at once now")
    for _ in range(3):
        hold.write_line()
    s.ctl("wait", "--group", "g", code=0)


@test
def higher_priority_goes_first_and_equal_priority_in_order(t):
    s = t.service()
    hold, order = t.fifo("hold"), t.path("order")
    s.submit("--group", "g", "--parallel", "1", "exec", "--", "sh", "-c", f"read x < {hold}")
    for name, priority in (("low", -5), ("a", 0), ("high", 10), ("b", 0), ("higher", 11), ("lowest", -6)):
        s.submit("--group", "g", "--priority", str(priority), "exec", "--", "sh", "-c", f"echo {name} >> {order}")
    hold.write_line()
    s.ctl("wait", "--group", "g", code=0)
    check(open(order).read().split() == ["higher", "high", "a", "b", "low", "lowest"], open(order).read())


@test
def a_delayed_job_does_not_start_before_its_time(t):
    s = t.service()
    before = time.time_ns()
    job = s.submit("--delay", "700ms", "exec", "--", "true")
    info = s.show(job)
    check(info["state"] == "scheduled" and info["why"], f"it says until when: {info}")
    info = s.outcome(job)
    check(info["state"] == "succeeded", f"{info}")
    check(time.time_ns() - before >= 700_000_000, f"not before its time: {info}")


@test
def a_delay_comes_on_top_of_a_dependency(t):
    s = t.service()
    first = s.submit("exec", "--", "true")
    job = s.submit("--delay", "1h", "--after", f"ok:{first}", "exec", "--", "true")
    s.wait(first)
    check(s.state_of(job) in ("scheduled", "blocked"), f"{s.show(job)}")
    s.ctl("cancel", str(job))
    check(s.outcome(job)["state"] == "cancelled", f"{s.show(job)}")


# ---- timeout and retries ----


@test
def a_job_that_runs_out_of_time_is_ended_with_all_its_processes(t):
    s = t.service()
    job = s.submit("--timeout", "300ms", "exec", "--", "sh", "-c", "sleep 1000 & sleep 1000")
    info = s.outcome(job)
    check(info["state"] == "timed-out" and "300ms" in info["error"], f"{info}")
    left = [line for line in t.marked_processes() if "sleep" in line]
    check(not left, f"nothing of it is left: {left}")


@test
def every_kind_can_run_out_of_time(t):
    s = t.service()
    jobs = [s.submit("--timeout", "50ms", "--loop", loop, *kind) for loop in ("multi", "single")
            for kind in (("sleep", "1h"), ("cpu", "1000000"), ("exec", "--", "sleep", "1000"))]
    s.wait(*jobs)
    check({s.state_of(job) for job in jobs} == {"timed-out"}, f"{[s.show(job) for job in jobs]}")


@test
def a_timeout_that_is_not_reached_changes_nothing(t):
    s = t.service()
    check(s.outcome(s.submit("--timeout", "1h", "exec", "--", "true"))["state"] == "succeeded", "it succeeded")


@test
def retries_run_the_job_again_with_growing_pauses(t):
    s = t.service()
    count = t.path("count")
    job = s.submit("--retries", "3", "--backoff", "50ms", "exec", "--", "sh", "-c", f"date +%s%N >> {count}; exit 9")
    info = s.outcome(job)
    check(info["state"] == "failed" and info["exit_code"] == 9 and info["attempt"] == 4, f"{info}")
    times = [int(line) for line in open(count).read().split()]
    check(len(times) == 4, f"one attempt and three retries: {times}")
    gaps = [(b - a) / 1e6 for a, b in zip(times, times[1:])]
    check(gaps[0] >= 50 and gaps[1] >= 100 and gaps[2] >= 200, f"the pause doubles: {gaps} ms")
    moves = [event["to"] for event in s.jsonl("events") if event["id"] == job]
    check(moves.count("running") == 4 and moves.count("retrying") == 3, f"{moves}")


@test
def a_retry_that_succeeds_ends_the_matter(t):
    s = t.service()
    count = t.path("count")
    job = s.submit("--retries", "5", "--backoff", "10ms", "exec", "--", "sh", "-c",
                   f"echo x >> {count}; test $(wc -l < {count}) -ge 3")
    info = s.outcome(job)
    check(info["state"] == "succeeded" and info["attempt"] == 3, f"{info}")
    check(len(open(count).readlines()) == 3, "it ran three times")


@test
def a_timeout_counts_for_each_attempt(t):
    s = t.service()
    count = t.path("count")
    job = s.submit("--retries", "1", "--backoff", "10ms", "--timeout", "200ms", "exec", "--", "sh", "-c",
                   f"echo x >> {count}; sleep 1000")
    info = s.outcome(job)
    check(info["state"] == "timed-out" and info["attempt"] == 2, f"{info}")
    check(len(open(count).readlines()) == 2, "it ran twice")


@test
def a_job_between_attempts_says_so_and_can_be_cancelled(t):
    s = t.service()
    job = s.submit("--retries", "3", "--backoff", "1h", "exec", "--", "false")
    s.until_state(job, "retrying")
    info = s.show(job)
    check(info["state"] == "retrying" and info["why"], f"{info}")
    s.ctl("cancel", str(job))
    check(s.outcome(job)["state"] == "cancelled", f"{s.show(job)}")


# ---- surroundings ----


@test
def a_job_has_the_folder_and_the_environment_it_was_given(t):
    s = t.service()
    where = t.subdir("a folder")
    result = s.ctl("run", "--cwd", where, "--env", "HD_A=1", "--env", "HD_B=two words=x", "exec", "--", "sh", "-c",
                   'pwd; echo "$HD_A/$HD_B"')
    check(result.lines == [where, "1/two words=x"], f"{result}")


@test
def a_job_runs_in_the_clients_folder_when_client_and_service_are_the_same_user(t):
    s = t.service()
    where = t.subdir("here")
    check(s.ctl("run", "exec", "--", "pwd", cwd=where).out == where + "\n", "the folder that run was called in")


@test
def a_job_starts_with_ordinary_signals_and_no_stray_descriptors(t):
    s = t.service()
    result = s.ctl("run", "exec", "--", "sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l")
    words = result.out.split()
    check(int(words[1], 16) == 0 and int(words[3], 16) & ~(1 << 31) == 0, f"nothing blocked or ignored:\n{result}")
    check(int(words[4]) <= 4, f"three descriptors (and that of ls):\n{result}")


@test
def output_goes_to_a_file_when_asked(t):
    s = t.service()
    path = t.path("output.txt")
    job = s.submit("--output", path, "exec", "--", "sh", "-c", "echo one; echo two >&2; echo three")
    check(s.outcome(job)["state"] == "succeeded", f"{s.show(job)}")
    check(open(path).read() == "one\ntwo\nthree\n", open(path).read())
    check(s.ctl("logs", str(job)).out == "", "the record has none of it")
    failed = s.outcome(s.submit("--output", t.path("no/such/folder/file"), "exec", "--", "true"))
    check(failed["state"] == "failed" and "no/such/folder" in failed["error"], f"{failed}")


@test
def names_labels_and_groups_find_jobs_again(t):
    s = t.service()
    a = s.submit("--name", "alpha", "--label", "team=x", "--label", "nightly", "exec", "--", "true")
    b = s.submit("--name", "beta", "--label", "team=y", "--group", "g", "exec", "--", "false")
    c = s.submit("sleep", "1h")
    s.wait(a, b)

    def listed(*options):
        return [row["id"] for row in s.jsonl("ls", *options)]

    check(listed() == [a, b, c], "all, in order")
    check(listed("--label", "team=x") == [a], "a label with its value")
    check(listed("--label", "team") == [a, b], "a label with any value")
    check(listed("--name", "beta") == [b], "a name")
    check(listed("--group", "g") == [b], "a group")
    check(listed("--state", "failed") == [b], "a state")
    check(listed("--kind", "sleep") == [c], "a kind")
    check(listed("--label", "team", "--state", "succeeded") == [a], "both conditions hold")
    check(listed(f"{a}-{b}") == [a, b], "a range of ids")
    s.ctl("cancel", str(c))


# ---- cancelling ----


@test
def cancel_ends_the_whole_process_group(t):
    s = t.service()
    at = t.fifo("at")
    job = s.submit("exec", "--", "sh", "-c", f"(trap '' HUP; sleep 1000) & sleep 1000 & echo x > {at}; wait")
    at.read_line()
    s.ctl("cancel", str(job))
    info = s.outcome(job)
    check(info["state"] == "cancelled", f"{info}")
    left = [line for line in t.marked_processes() if "sleep" in line]
    check(not left, f"nothing of it is left: {left}")


@test
def a_job_that_ignores_sigterm_is_killed_after_the_grace_period(t):
    s = t.service()
    at = t.fifo("at")
    job = s.submit("--grace", "200ms", "exec", "--", "sh", "-c",
                   f"trap '' TERM; echo x > {at}; while :; do read x < {t.fifo('hold')}; done")
    at.read_line()
    s.ctl("cancel", str(job))
    info = s.outcome(job)
    check(info["state"] == "cancelled" and info["signal"] == 9, f"{info}")


@test
def jobs_that_have_not_started_can_be_cancelled(t):
    s = t.service()
    hold = t.fifo("hold")
    first = s.submit("--group", "g", "--parallel", "1", "exec", "--", "sh", "-c", f"read x < {hold}")
    queued = s.submit("--group", "g", "exec", "--", "true")
    blocked = s.submit("--after", f"ok:{queued}", "exec", "--", "true")
    scheduled = s.submit("--delay", "1h", "exec", "--", "true")
    sleeping = s.submit("sleep", "1h")
    s.ctl("cancel", str(queued), str(scheduled), str(sleeping))
    s.wait(queued, blocked, scheduled, sleeping)
    states = [s.state_of(job) for job in (queued, scheduled, sleeping)]
    check(states == ["cancelled"] * 3, f"{states}")
    check(s.state_of(blocked) in ("cancelled", "failed"), f"its dependency can no longer succeed: {s.show(blocked)}")
    hold.write_line()
    check(s.outcome(first)["state"] == "succeeded", f"{s.show(first)}")


@test
def cancelling_what_has_ended_is_a_wrong_state_and_what_is_unknown_not_found(t):
    s = t.service()
    job = s.submit("exec", "--", "true")
    s.wait(job)
    result = s.ctl("cancel", str(job), code=8)
    check(str(job) in result.err, f"{result}")
    check(s.state_of(job) == "succeeded", "it is what it was")
    result = s.ctl("cancel", "99", code=4)
    check("99" in result.err, f"{result}")


@test
def cancel_by_group_and_all_leaves_others_alone(t):
    s = t.service()
    mine = [s.submit("--group", "mine", "sleep", "1h") for _ in range(5)]
    other = s.submit("--group", "other", "sleep", "1h")
    s.ctl("cancel", "--group", "mine")
    s.wait(*mine)
    check({s.state_of(job) for job in mine} == {"cancelled"}, "the group is cancelled")
    check(s.state_of(other) == "running", f"{s.show(other)}")
    s.ctl("cancel", "--all")
    check(s.outcome(other)["state"] == "cancelled", f"{s.show(other)}")


@test
def a_busy_cpu_job_is_cancelled_at_once_on_either_runtime(t):
    s = t.service()
    jobs = [s.submit("--loop", loop, "cpu", "10000000") for loop in ("multi", "single")]
    for job in jobs:
        s.until_state(job, "running")
    s.ctl("cancel", *map(str, jobs))
    s.wait(*jobs)
    check({s.state_of(job) for job in jobs} == {"cancelled"}, f"{[s.show(job) for job in jobs]}")


@test
def both_runtimes_run_jobs_of_each_kind(t):
    s = t.service()
    for loop in ("multi", "single"):
        for kind in (("sleep", "10ms"), ("cpu", "3"), ("exec", "--", "true"), ("hash", __file__)):
            job = s.submit("--loop", loop, *kind)
            info = s.outcome(job)
            check(info["state"] == "succeeded" and info["loop"] == loop, f"{info}")


@test
def jobs_inherit_no_descriptors_of_the_service(t):
    with open(t.path("open"), "w") as file:
        s = t.service(pass_fds=(file.fileno(),))
    # The three streams, and the folder that ls reads.
    shown = s.ctl("run", "exec", "--", "ls", "/proc/self/fd").out.split()
    check(len(shown) == 4, f"only streams: {shown}")


@test
def no_end_of_a_commands_pipes_that_is_the_services_ever_blocks(t):
    s = t.service()
    script = """for stream in 1 2; do
        pipe=$(stat -L -c %d:%i /proc/$$/fd/$stream)
        stat -L -c "%d:%i %n" /proc/$PPID/fd/* 2> /dev/null | while read id name; do
            [ $id = $pipe ] && grep flags /proc/$PPID/fdinfo/${name##*/}
        done
    done; true"""
    ends = [int(word, 8) for word in s.ctl("run", "exec", "--", "sh", "-c", script).out.split() if word != "flags:"]
    ours = [flags for flags in ends if flags & os.O_ACCMODE == os.O_RDONLY]
    check(len(ours) == 2 and all(flags & os.O_NONBLOCK for flags in ours), f"two to read from: {[oct(f) for f in ends]}")


@test
def a_job_whose_path_is_endless_is_not_searched_for(t):
    s = t.service()
    failed = s.outcome(s.submit("--env", "PATH=" + ":" * 16385, "exec", "--", "nonsuch"))
    check(failed["state"] == "failed" and "the job's PATH is longer than 16 KiB" in failed["error"], f"{failed}")
    failed = s.outcome(s.submit("--env", "PATH=" + ":" * 16384, "exec", "--", "nonsuch"))
    check(failed["state"] == "failed" and "command not found" in failed["error"], f"{failed}")
