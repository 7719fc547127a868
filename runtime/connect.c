/* Connecting: a socket to an address, and to a name.
 *
 * A name may have several addresses, and some may lead nowhere: a host that has lost its way to IPv6 hears nothing for
 * minutes. So they are tried in the order in which the system prefers them, each with a head start of HEAD_START_MS, or
 * until it fails; the first that gets through wins, and the others are cancelled (after RFC 8305). An attempt is a task. It
 * ends with 0 in any case, since a failure would cancel the others. */
#include "address.h"
#include "io.h"

enum { HEAD_START_MS = 250, ATTEMPTS_MOST = 16 };

/* Asking connect(2) again is how one learns how it went: a waking may be stale, and only the call itself knows. */
static int connect_until(int fd, const struct sockaddr *address, socklen_t length, uint64_t deadline_ns) {
    int code = hd_io_begin();
    unsigned pauses = 0;
    while (!code) {
        hd_fd_look look;
        hd_poller_look(&look, fd, HD_WRITABLE);
        if (connect(fd, address, length) == 0 || errno == EISCONN)
            return 0;
        if (errno == EINPROGRESS || errno == EALREADY || errno == EINTR)
            code = hd_io_wait(fd, HD_WRITABLE, &look, deadline_ns);
        else if (errno ==
                 EAGAIN) /* a unix socket whose backlog is full: no event will tell when it has room */
            code = hd_io_pause(fd, HD_WRITABLE, &pauses, deadline_ns);
        else
            code = -errno;
    }
    return code;
}

int hd_connect(int fd, const struct sockaddr *address, socklen_t length) {
    return connect_until(fd, address, length, HD_NEVER);
}

/* A connected socket, or a negative code. */
static int open_to(const hd_address *to, uint64_t deadline_ns) {
    int code = hd_task_checkpoint_outside();
    int fd = code ? code : hd_address_socket(to, SOCK_STREAM);
    if (fd < 0)
        return fd;
    code = connect_until(fd, (const struct sockaddr *)&to->name, to->length, deadline_ns);
    if (!code)
        return fd;
    hd_close(fd);
    return code;
}

/* ---- several addresses ---- */

typedef struct attempt {
    const hd_address *to;
    int result; /* a socket, or a negative code */
} attempt;

typedef struct race {
    attempt attempts[ATTEMPTS_MOST];
    hd_task *tasks[ATTEMPTS_MOST]; /* of those that run, in no order; the scope's */
    attempt *of[ATTEMPTS_MOST];    /* and which attempt is theirs */
    int running, begun, count;
    int result; /* of the winner, or of the last that failed */
} race;

static int64_t try_one(void *arg) {
    attempt *self = arg;
    self->result = open_to(self->to, HD_NEVER);
    return 0;
}

static void begin_next(race *self, hd_scope *scope) {
    attempt *next = &self->attempts[self->begun++];
    hd_task *task = hd_scope_spawn(scope, try_one, next);
    if (!task) {
        self->result = -errno;
        return;
    }
    self->tasks[self->running] = task;
    self->of[self->running++] = next;
}

/* Until the next attempt is to begin; true: the race is over. */
static bool race_round(race *self) {
    uint64_t until_ns = self->begun < self->count ? hd_after(HD_MS(HEAD_START_MS)) : HD_NEVER;
    int64_t which = hd_wait(self->tasks, (size_t)self->running, HD_WAIT_FIRST_DONE, until_ns);
    if (which == HD_ETIMEDOUT)
        return false;
    if (which < 0) {
        self->result = (int)which;
        return true;
    }
    self->result = self->of[which]->result;
    self->tasks[which] = self->tasks[--self->running];
    self->of[which] = self->of[self->running];
    return self->result >= 0;
}

static int64_t race_run(hd_scope *scope, void *arg) {
    race *self = arg;
    do {
        if (self->begun < self->count)
            begin_next(self, scope);
    } while (self->running ? !race_round(self) : self->begun < self->count);
    hd_scope_cancel(scope);
    return 0;
}

static int open_to_one_of(const hd_address *all, int count, uint64_t deadline_ns) {
    race self = {.count = count < ATTEMPTS_MOST ? count : ATTEMPTS_MOST, .result = HD_ECANCELED};
    for (int i = 0; i < self.count; i++)
        self.attempts[i] = (attempt){.to = &all[i], .result = HD_ECANCELED};
    int64_t code = hd_scope_run(deadline_ns, race_run, &self);
    for (int i = 0; i < self.begun; i++) /* who got through as the race ended */
        if (self.attempts[i].result >= 0 && self.attempts[i].result != self.result)
            hd_close(self.attempts[i].result);
    return self.result < 0 && code < 0 ? (int)code : self.result;
}

/* ---- public ---- */

int hd_tcp_connect(const char *host, uint16_t port, uint64_t deadline_ns) {
    hd_address numeric, *all;
    if (!host || !*host)
        return HD_EINVAL;
    if (!hd_address_numeric(&numeric, host, port))
        return open_to(&numeric, deadline_ns);
    int count = hd_resolve(host, port, deadline_ns, &all);
    if (count < 0)
        return count;
    int result = count > 1 ? open_to_one_of(all, count, deadline_ns) : open_to(all, deadline_ns);
    hd_resolve_free(all);
    return result;
}

int hd_unix_connect(const char *path, uint64_t deadline_ns) {
    hd_address to;
    int code = hd_address_unix(&to, path);
    return code ? code : open_to(&to, deadline_ns);
}
