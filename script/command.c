#include "command.h"
#include "descriptors.h"
#include "errand.h"
#include "strand.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 << 10, EVENTS = 4, THE_PROCESS = COMMAND_STREAMS, ROUNDS_BETWEEN_YIELDS = 8, COMMANDS_AT_ONCE = 256 };

command *command_create(struct strand *strand) {
    command *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->strand = strand;
    self->input.budget = self->output[COMMAND_OUT].budget = self->output[COMMAND_ERR].budget =
        &strand->beside;
    self->ours[COMMAND_IN] = self->ours[COMMAND_OUT] = self->ours[COMMAND_ERR] = -1;
    self->epoll = self->pidfd = -1;
    return self;
}

bool command_line_up(command *self) {
    struct strand *strand = self->strand;
    if (!strand->commands)
        strand->commands = hd_semaphore_create(COMMANDS_AT_ONCE);
    self->places = strand->commands;
    return self->places != NULL;
}

/* A process that is just being started elsewhere has copies of all descriptors until it calls exec, and an epoll
 * forgets a pipe only with the last of them; so it is told. */
void command_close(command *self, int stream) {
    if (self->ours[stream] >= 0 && self->epoll >= 0)
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, self->ours[stream], NULL);
    if (self->ours[stream] >= 0)
        hd_close(self->ours[stream]);
    self->ours[stream] = -1;
}

static void close_all(command *self) {
    for (int stream = 0; stream < COMMAND_STREAMS; stream++)
        command_close(self, stream);
    if (self->pidfd >= 0)
        hd_close(self->pidfd);
    if (self->epoll >= 0)
        hd_close(self->epoll);
    self->pidfd = self->epoll = -1;
    if (self->has_place)
        hd_semaphore_release(self->places);
    self->has_place = false;
    descriptors_give(self->strand, self->descriptors);
    self->descriptors = 0;
}

static void free_strings(char **strings) {
    for (char **each = strings; each && *each; each++)
        free(*each);
    free(strings);
}

static void destroy(command *self) {
    close_all(self);
    hd_process_destroy(self->process);
    bytes_fini(&self->input);
    bytes_fini(&self->output[COMMAND_OUT]);
    bytes_fini(&self->output[COMMAND_ERR]);
    free_strings(self->argv);
    free_strings(self->envp);
    free(self->cwd);
    budget_give(&self->strand->beside, self->held);
    free(self);
}

static void end(void *arg) {
    command_stop(arg);
    destroy(arg);
}

void command_release(command *self) {
    if (!self)
        return;
    if (!self->process || self->ended)
        destroy(self);
    else if (!errand_leave(self->strand, end, NULL, self))
        hd_process_signal(self->process, SIGKILL,
                          true); /* and is left unreaped: awaiting its end cannot be done here */
}

/* ---- the streams ---- */

/* Writes once to the child's stdin; closes it after the last byte. */
static void feed(command *self) {
    size_t left = self->input.length - self->fed;
    ssize_t sent = write(self->ours[COMMAND_IN], self->input.data + self->fed, left < CHUNK_BYTES ? left : CHUNK_BYTES);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent > 0)
        self->fed += (size_t)sent;
    if (sent < 0 || self->fed == self->input.length) /* EPIPE: it does not want the rest, which is its right */
        command_close(self, COMMAND_IN);
}

/* Reads once, at most `most` bytes. > 0: so many; 0: the end of the stream; or a negative code: -EAGAIN if nothing is there. */
static int64_t take(command *self, int stream, size_t most) {
    bytes *output = &self->output[stream];
    int code = bytes_reserve(output, most < CHUNK_BYTES ? most : CHUNK_BYTES);
    if (code)
        return code;
    ssize_t got =
        read(self->ours[stream], output->data + output->length, most < CHUNK_BYTES ? most : CHUNK_BYTES);
    if (got > 0)
        output->length += (size_t)got;
    return got < 0 ? -errno : got;
}

/* After the process has ended: takes what the pipes hold. */
static int64_t drain(command *self) {
    for (int stream = COMMAND_OUT; stream <= COMMAND_ERR; stream++) {
        int left = 0;
        if (self->ours[stream] < 0 || ioctl(self->ours[stream], FIONREAD, &left) < 0)
            continue;
        while (left > 0) {
            int64_t got = take(self, stream, (size_t)left);
            if (got == BUDGET_EXCEEDED || got == HD_ENOMEM)
                return got;
            if (got <= 0)
                break;
            left -= (int)got;
        }
    }
    return 0;
}

/* Sees to one descriptor that is ready. 0 or a negative code; `*ended` when that is the process. */
static int64_t serve(command *self, int what, bool *ended) {
    if (what == THE_PROCESS) {
        *ended = true;
        return 0;
    }
    if (what == COMMAND_IN) {
        feed(self);
        return 0;
    }
    int64_t got = take(self, what, CHUNK_BYTES);
    if (got == 0)
        command_close(self, what);
    return got == -EINTR || got == -EAGAIN || got > 0 ? 0 : got;
}

bool command_is_silent(const command *self) {
    return self->ended || self->ours[COMMAND_OUT] < 0;
}

static bool is_reached(const command *self, command_until until) {
    bool output = self->output[COMMAND_OUT].length > 0;
    switch (until) {
    case COMMAND_UNTIL_STARTED: return true;
    case COMMAND_UNTIL_ANYTHING: return output || self->output[COMMAND_ERR].length > 0;
    case COMMAND_UNTIL_OUTPUT: return output || command_is_silent(self);
    default: return false;
    }
}

/* The epoll is level-triggered, and the runtime watches it edge-triggered: so it is asked until it has nothing more to say
 * before it is awaited. Each stream is read once a round, so that neither starves the other. */
static int64_t carry(command *self, command_until until) {
    int64_t code = 0;
    bool ended = false;
    for (unsigned round = 1; !code && !ended && !is_reached(self, until); round++) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(self->epoll, events, EVENTS, 0);
        for (int i = 0; i < count && !code; i++)
            code = serve(self, (int)events[i].data.u32, &ended);
        if (count == 0)
            code = hd_fd_wait(self->epoll, HD_READABLE, HD_NEVER);
        else if (round % ROUNDS_BETWEEN_YIELDS == 0 && !code)
            code = hd_yield();
    }
    if (code || !ended)
        return code;
    code = hd_process_wait(self->process, HD_NEVER, &self->status);
    if (!code)
        code = drain(self);
    if (!code) {
        self->ended = true;
        close_all(self);
    }
    return code;
}

static int64_t begin(command *self) {
    int code = self->places && !self->has_place ? hd_semaphore_acquire(self->places, HD_NEVER) : 0;
    if (code)
        return code;
    self->has_place = self->places != NULL;
    return command_start(self);
}

int64_t command_run(command *self, command_until until) {
    int64_t code = self->process ? 0 : begin(self);
    return code || self->ended ? code : carry(self, until);
}

void command_stop(command *self) {
    if (!self->process || self->ended)
        return;
    command_kill(self);
    self->ended = true;
    close_all(self);
}
