/* exec: a command, its output captured.
 *
 * The root task starts the process and awaits its end; the job ends when its child does, whatever grandchildren still
 * hold the pipes. What they hold by then is passed on, no more.
 *
 * Most commands in a queue end within a millisecond or two, and for them every descriptor that is watched and every
 * further wake-up costs a share of the whole. So at first only the process is awaited, for BRIEF: if it ended by
 * then, its output lies in the pipes (they take 64 KiB). Only one that lasts longer gets a relay (exec_streams.c), a second
 * task that carries the streams as they come. So the price is that the first output of a long command comes up to BRIEF
 * late, and that a very talkative one stands still for so long, once.
 *
 * Turned down: a reader task for each stream (two stacks and two wake-ups a job, and no way to stop one that waits for
 * a grandchild's pipe without losing what it had read); reading in the root task (then `ps` could not tell a job that waits
 * for its child from one that waits for a slow reader of its output). */
#include "exec.h"

#include <stdio.h>
#include <string.h>

#define BRIEF_NS HD_MS(2)
/* For the last output of a process that was stopped, while somebody who follows it lags. */
#define LAST_WORDS_NS HD_SECONDS(1)

static bool exec_check(const wire_job *job, char *error, size_t error_bytes) {
    const wire_strings *argv = &job->u.exec.argv;
    if (argv->count == 0)
        return kinds_refuse(error, error_bytes, "argv", NULL,
                            "there is no command (try: exec -- echo hello)");
    if (argv->items[0][0] == '\0')
        return kinds_refuse(error, error_bytes, "argv", "", "is not the name of a command");
    return true;
}

static void exec_summary(const wire_job *job, char *text, size_t bytes) {
    kinds_line line = kinds_line_in(text, bytes);
    for (size_t i = 0; i < job->u.exec.argv.count && !line.cut; i++)
        kinds_line_word(&line, job->u.exec.argv.items[i]);
}

/* Its output could not be carried: then it must not go on. */
static int give_up(exec *self, int code, hd_exit *status) {
    exec_stop(self, status);
    return (int)hd_fail(code, "could not carry its output: %s", kinds_errno_text(-code));
}

/* The process lasts: its streams are carried by a task of their own from now on. */
static int await_with_relay(exec *self, hd_exit *status) {
    int code = exec_relay_open(self);
    if (code)
        return give_up(self, code, status);
    hd_task *relay = hd_spawn_with(&(hd_spawn_options){.name = "exec-relay"}, exec_relay, self);
    if (!relay)
        return give_up(self, -errno, status);
    code = hd_process_wait(self->process, HD_NEVER, status);
    int64_t relayed;
    if (code) {
        exec_stop(self, status);
        hd_shield_begin();
        relayed = hd_await_until(relay, hd_after(LAST_WORDS_NS));
        hd_shield_end();
    } else {
        relayed = hd_await(relay);
    }
    hd_release(relay);
    return code ? code : (int)relayed;
}

static int await_end(exec *self, hd_exit *status) {
    exec_feed(self);
    if (self->ours[EXEC_IN] >= 0)
        return await_with_relay(self, status);
    int code = hd_process_wait(self->process, self->has_pipes ? hd_after(BRIEF_NS) : HD_NEVER, status);
    if (code == HD_ETIMEDOUT)
        return await_with_relay(self, status);
    if (code == 0)
        return exec_drain(self);
    exec_stop(self, status);
    hd_shield_begin();
    (void)!exec_drain(self); /* it was cut short */
    hd_shield_end();
    return code;
}

static int64_t verdict(const hd_exit *status) {
    if (status->signal) {
        const char *name = sigabbrev_np(status->signal);
        return hd_fail(KINDS_FAILED, "killed by signal %d%s%s%s", status->signal, name ? " (SIG" : "",
                       name ? name : "", name ? ")" : "");
    }
    return status->code ? hd_fail(KINDS_FAILED, "exit status %d", status->code) : 0;
}

static int64_t exec_run(run *attempt) {
    exec self = {.attempt = attempt, .ours = {-1, -1, -1}, .epoll = -1, .pidfd = -1};
    hd_exit status = {.code = 0};
    int64_t code = exec_start(&self);
    if (code) {
        exec_close_all(&self);
        return code;
    }
    run_set_pid(attempt, hd_process_pid(self.process));
    code = await_end(&self, &status);
    run_set_pid(attempt, 0);
    run_set_exit(attempt, status.signal ? 128 + status.signal : status.code, status.signal);
    exec_close_all(&self);
    hd_process_destroy(self.process);
    return code ? code : verdict(&status);
}

const kind kind_exec = {.kind = WIRE_EXEC, .check = exec_check, .summary = exec_summary, .run = exec_run};
