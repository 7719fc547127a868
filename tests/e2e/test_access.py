"""Whose jobs are whose. Needs root, to be others for a while."""

import os
import stat

from harness import check, test, test_as_root

NOBODY, OTHER = 65534, 65533


def open_service(t):
    """A service whose socket everyone may use."""
    return t.service(config="socket_mode = 0666\n")


@test_as_root
def another_users_jobs_are_neither_shown_nor_touched(t):
    s = open_service(t)
    at, hold = t.fifo("at"), t.fifo("hold")
    mine = s.submit("exec", "--", "sh", "-c", f"echo x > {at}; read x < {hold}; echo secret")
    at.read_line()
    for arguments in (["show", str(mine)], ["logs", str(mine)], ["cancel", str(mine)], ["wait", str(mine)],
                      ["logs", "-f", str(mine)], ["ps", str(mine)]):
        result = s.ctl(*arguments, user=NOBODY, code=5)
        check(str(mine) in result.err, f"{result}")
    for verb in ("ls", "events", "ps"):
        check(s.jsonl(verb, user=NOBODY) == [], f"{verb} shows nothing of others")
    s.ctl("submit", "--after", f"ok:{mine}", "sleep", "1ms", user=NOBODY, code=5)
    hold.write_line()
    check(s.outcome(mine)["state"] == "succeeded", f"{s.show(mine)}")


@test_as_root
def a_user_sees_and_cancels_only_what_is_theirs(t):
    s = open_service(t)
    theirs = int(s.ctl("submit", "-q", "sleep", "1h", user=NOBODY).out)
    others = int(s.ctl("submit", "-q", "sleep", "1h", user=OTHER).out)
    mine = s.submit("sleep", "1h")
    check([row["id"] for row in s.jsonl("ls", user=NOBODY)] == [theirs], "ls shows theirs")
    check([row["id"] for row in s.jsonl("ls")] == [theirs, others, mine], "root sees all")
    check(s.show(theirs)["uid"] == NOBODY, f"{s.show(theirs)}")
    s.ctl("cancel", "--all", user=NOBODY)
    s.wait(theirs)
    check([s.state_of(job) for job in (theirs, others, mine)] == ["cancelled", "running", "running"], "theirs alone")
    s.ctl("cancel", "--all")


@test_as_root
def the_services_own_user_sees_all(t):
    folder = t.subdir("own")
    os.chown(folder, NOBODY, NOBODY)
    s = t.service(config="socket_mode = 0666\n", directory=folder, user=NOBODY)
    theirs = int(s.ctl("submit", "-q", "sleep", "1h", user=OTHER).out)
    check([row["id"] for row in s.jsonl("ls", user=NOBODY)] == [theirs], "its own user does")
    s.ctl("cancel", str(theirs), user=NOBODY)
    s.ctl("wait", str(theirs), user=NOBODY, code=None)


@test_as_root
def who_may_not_open_the_socket_is_told_so(t):
    s = t.service()
    result = s.ctl("ping", user=NOBODY, code=None)
    check(result.code in (3, 5) and s.socket_path in result.err, f"{result}")


@test_as_root
def drain_is_for_root_and_the_services_user(t):
    s = open_service(t)
    s.ctl("drain", user=NOBODY, code=5)
    s.ctl("ping")


@test_as_root
def a_users_jobs_are_limited(t):
    s = t.service(config="socket_mode = 0666\njobs_per_user_max = 3\n")
    s.ctl("batch", "-q", input='{"kind":"sleep","duration":"1h"}\n' * 3, user=NOBODY)
    result = s.ctl("submit", "sleep", "1h", user=NOBODY, code=6)
    check("jobs_per_user_max" in result.err and "3" in result.err, f"{result}")
    s.ctl("submit", "sleep", "1h", user=OTHER)
    s.ctl("cancel", "--all")


@test
def a_private_socket_can_be_asked_for(t):
    s = t.service(config="socket_mode = 0600\n")
    check(stat.S_IMODE(os.lstat(s.socket_path).st_mode) == 0o600, oct(os.lstat(s.socket_path).st_mode))
