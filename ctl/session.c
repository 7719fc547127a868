/* Two requests are under way at most: the next output, asked for at all times, and a line. A line's answer says how far its output
 * goes, and counts once that was written.
 *
 * A client that leaves ends its shell: so whatever goes wrong here, nothing is left behind in the service. */
#include "session.h"
#include "outcome.h"
#include "script_view.h"
#include "streams.h"
#include "submission.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void before(const struct session *self) {
    if (self->before)
        self->before(self->arg);
}

static void after(const struct session *self) {
    if (self->after)
        self->after(self->arg);
}

static void finish(struct session *self, int status) {
    if (self->over)
        return;
    self->over = true;
    self->status = status;
}

static void fail(struct session *self, client_result result, const wire_reply *reply) {
    before(self);
    finish(self, cli_failed(self->cli, result, reply));
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static void pause_here(struct session *self) {
    if (self->pause)
        self->pause(self->arg);
    client_pause();
}

/* True: Ctrl-C. */
static bool take_signal(struct session *self) {
    int number = client_signal();
    switch (number) {
    case 0:
    case SIGINT: break;
    case SIGTSTP: pause_here(self); /* fallthrough */
    case SIGCONT:
    case SIGWINCH: self->resumed = true; break;
    default: finish(self, EXIT_SIGNAL + number); break;
    }
    return number == SIGINT;
}

static bool take_resumed(struct session *self, int fd) {
    bool resumed = self->resumed && fd >= 0 && !self->over;
    if (resumed)
        self->resumed = false;
    return resumed;
}

/* While a stream takes nothing. */
static bool give_up(void *arg) {
    struct session *self = arg;
    if (take_signal(self))
        finish(self, EXIT_SIGNAL + SIGINT);
    return self->over;
}

/* ---- output ------------------------------------------------------------------------------------------------------ */

static void note_last(struct session *self, const wire_reply *reply) {
    for (size_t i = 0; i < reply->u.logs.count; i++) {
        const wire_bytes *bytes = &reply->u.logs.chunks[i].bytes;
        if (bytes->length > 0)
            self->in_line = bytes->data[bytes->length - 1] != '\n';
    }
}

static void write_output(struct session *self, const wire_reply *reply) {
    int fd, code;
    if (reply->u.logs.count == 0)
        return;
    before(self);
    fflush(stdout);
    code = streams_write(reply->u.logs.chunks, reply->u.logs.count, &fd, give_up, self);
    note_last(self, reply);
    if (code == EPIPE) {
        finish(self, EXIT_SIGNAL + SIGPIPE);
    } else if (code != 0 && code != EINTR) {
        say("cannot write to %s: %s", fd == STDOUT_FILENO ? "stdout" : "stderr", strerror(code));
        finish(self, EXIT_FAILED);
    } else {
        after(self);
    }
}

static void take_output(struct session *self) {
    wire_reply *reply = NULL;
    client_result result = client_finish(self->output, CLIENT_FOREVER_NS, &reply);
    self->output = NULL;
    if (result == CLIENT_OK) {
        write_output(self, reply);
        self->offset = reply->u.logs.next;
    } else {
        fail(self, result, reply);
    }
    if (result == CLIENT_OK && reply->u.logs.end) {
        const char *error = reply->u.logs.outcome.error;
        self->outcome = reply->u.logs.outcome;
        self->outcome.error = scratch_copy(&self->cli->memory, error, strlen(error));
        self->ended = true;
        finish(self, outcome_exit_code(&self->outcome));
    }
    wire_reply_free(reply);
}

static bool ask_output(struct session *self) {
    wire_request request = {.verb = WIRE_LOGS,
                            .u.logs = {.id = self->id, .offset = self->offset, .follow = true}};
    if (self->output)
        return true;
    client_result result = client_begin(self->cli->client, &request, &self->output);
    if (result != CLIENT_OK)
        fail(self, result, NULL);
    return result == CLIENT_OK;
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

/* What signals have brought. */
static bool take_news(struct session *self, int fd, session_event *event) {
    *event = SESSION_SIGNAL;
    if (take_signal(self))
        return true;
    *event = SESSION_RESUMED;
    if (take_resumed(self, fd))
        return true;
    *event = SESSION_OVER;
    return self->over;
}

/* One wait. True: something happened but output. What is typed after Ctrl-C is there after its signal: a look at signals that
 * comes after the one at the input finds it. */
static bool wait_once(struct session *self, int fd, session_event *event) {
    size_t which = 0;
    if (take_news(self, fd, event) || !ask_output(self))
        return true;
    struct client_call *calls[] = {self->output, self->line};
    client_result result = client_wait_or_read(calls, self->line ? 2 : 1, fd, CLIENT_FOREVER_NS, &which);
    if (result == CLIENT_READABLE && take_news(self, fd, event))
        return true;
    if (result == CLIENT_READABLE || (result == CLIENT_OK && which == 1)) {
        *event = result == CLIENT_READABLE ? SESSION_INPUT : SESSION_ANSWER;
        return true;
    }
    if (result == CLIENT_OK)
        take_output(self);
    else if (result != CLIENT_SIGNAL)
        fail(self, result, NULL);
    return self->over;
}

session_event session_wait(struct session *self, int fd) {
    session_event event;
    while (!wait_once(self, fd, &event)) {}
    return event;
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

int session_begin(struct session *self, wire_job *job) {
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = job, .count = 1, .follow = true}};
    client_catch_signals();
    signal(SIGPIPE, SIG_IGN);
    submission_key(request.u.submit.key);
    wire_reply *reply;
    int status = cli_ask(self->cli, &request, CLIENT_PATIENCE_NS, &reply);
    if (status != EXIT_OK)
        return status;
    self->id = reply->u.submit.first_id;
    wire_reply_free(reply);
    return EXIT_OK;
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

/* What comes of it shows in what is waited for. */
static void tell(struct session *self, const wire_request *request) {
    wire_reply *reply;
    (void)client_ask(self->cli->client, request, CLIENT_PATIENCE_NS, &reply);
    wire_reply_free(reply);
}

static void act(struct session *self, wire_act act) {
    tell(self, &(wire_request){.verb = WIRE_INPUT, .u.input = {.id = self->id, .act = act}});
}

/* The line alone. */
static void refused(struct session *self, client_result result, const wire_reply *reply) {
    before(self);
    cli_failed(self->cli, result, reply);
    after(self);
}

static wire_reply *take_answer(struct session *self) {
    wire_reply *reply = NULL;
    client_result result = client_finish(self->line, CLIENT_FOREVER_NS, &reply);
    self->line = NULL;
    if (result == CLIENT_OK) {
        session_event event;
        while (!self->over && self->offset < reply->u.input.offset)
            wait_once(self, -1, &event);
        return reply;
    }
    if (result == CLIENT_REFUSED && reply->code == WIRE_WRONG_STATE)
        while (session_wait(self, -1) != SESSION_OVER) {} /* the job has ended, or is about to */
    else if (result == CLIENT_REFUSED)
        refused(self, result, reply);
    else
        fail(self, result, reply);
    wire_reply_free(reply);
    return NULL;
}

static void cancel_job(struct session *self) {
    wire_range range = {self->id, self->id};
    tell(self, &(wire_request){.verb = WIRE_CANCEL, .u.cancel.select = {.ranges = &range, .range_count = 1}});
}

/* A line may catch what interrupts it, and go on. */
static void interrupt(struct session *self, int times) {
    self->in_line = true; /* behind the terminal's ^C */
    if (times <= 2)
        act(self, WIRE_ACT_INTERRUPT);
    else if (times == 3)
        cancel_job(self);
    else
        finish(self, EXIT_SIGNAL + SIGINT);
    if (times != 2)
        return;
    before(self);
    say("the line was interrupted, and goes on: a third Ctrl-C ends the shell");
    after(self);
}

wire_reply *session_run(struct session *self, wire_act what, const char *name, const char *code,
                        size_t length) {
    wire_request request = {
        .verb = WIRE_INPUT,
        .u.input = {.id = self->id, .act = what, .code = {(const uint8_t *)code, length}, .name = name}};
    if (self->over)
        return NULL;
    client_result result = client_begin(self->cli->client, &request, &self->line);
    if (result == CLIENT_TOO_LARGE)
        refused(self, result, NULL);
    else if (result != CLIENT_OK)
        fail(self, result, NULL);
    if (result != CLIENT_OK)
        return NULL;
    session_event event;
    for (int times = 1; (event = session_wait(self, -1)) == SESSION_SIGNAL; times++)
        interrupt(self, times);
    if (event == SESSION_ANSWER)
        return take_answer(self);
    client_abandon(self->line);
    self->line = NULL;
    return NULL;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void say_report(const struct session *self) {
    wire_request request = {.verb = WIRE_SHOW, .u.show.id = self->id};
    wire_reply *reply;
    if (client_ask(self->cli->client, &request, CLIENT_PATIENCE_NS, &reply) == CLIENT_OK)
        script_view_say(&reply->u.show.script, reply->u.show.script.error);
    wire_reply_free(reply);
}

/* The first Ctrl-C cancels what is slow to end, the second one leaves it. */
static void await_end(struct session *self) {
    int signals = 0;
    act(self, WIRE_ACT_END);
    while (session_wait(self, -1) == SESSION_SIGNAL) {
        if (++signals > 1)
            finish(self, EXIT_SIGNAL + SIGINT);
        else
            cancel_job(self);
    }
}

int session_end(struct session *self) {
    char text[OUTCOME_BYTES];
    if (!self->over)
        await_end(self);
    client_abandon(self->output);
    self->output = NULL;
    if (!self->ended)
        return self->status;
    if (!outcome_is_plain(&self->outcome))
        say("job %" PRIu64 " %s", self->id, outcome_text(text, &self->outcome));
    if (!self->cli->quiet)
        say_report(self);
    return self->status;
}
