#include "loop.h"

#include "sys.h"

#include <ev.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct hd_loop {
    hd_sim *sim; /* not NULL: the rest is not used, but for the index */
    uint32_t index;
    struct ev_loop *ev;
    hd_poller *poller;
    unsigned woken;
    ev_io kick; /* an eventfd */
    ev_io readiness;
    ev_io deadline;    /* a timerfd: libev's own timers come up to a millisecond late; */
    uint64_t armed_ns; /* when it fires; HD_NEVER: it does not */
};

static void on_kick(struct ev_loop *ev HD_UNUSED, ev_io *watcher, int events HD_UNUSED) {
    eventfd_t kicks;
    eventfd_read(watcher->fd, &kicks);
}

static void on_deadline(struct ev_loop *ev HD_UNUSED, ev_io *watcher, int events HD_UNUSED) {
    uint64_t expirations;
    if (read(watcher->fd, &expirations, sizeof expirations) > 0)
        hd_container_of(watcher, hd_loop, deadline)->armed_ns = HD_NEVER;
}

static void on_readiness(struct ev_loop *ev HD_UNUSED, ev_io *watcher, int events HD_UNUSED) {
    hd_loop *loop = hd_container_of(watcher, hd_loop, readiness);
    loop->woken += hd_poller_drain(loop->poller);
}

hd_loop *hd_loop_create(hd_poller *poller) {
    hd_loop *loop = hd_sys_zalloc(sizeof *loop);
    if (!loop)
        return NULL;
    loop->poller = poller;
    loop->armed_ns = HD_NEVER;
    int kick = hd_sys_fails() ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int deadline = hd_sys_fails() ? -1 : timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bool failed = kick < 0 || deadline < 0 || hd_sys_fails();
    loop->ev = failed ? NULL : ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
    if (!loop->ev) {
        if (kick >= 0)
            close(kick);
        if (deadline >= 0)
            close(deadline);
        hd_sys_free(loop);
        return NULL;
    }
    ev_io_init(&loop->kick, on_kick, kick, EV_READ);
    ev_io_start(loop->ev, &loop->kick);
    ev_io_init(&loop->readiness, on_readiness, hd_poller_fd(poller), EV_READ);
    ev_io_start(loop->ev, &loop->readiness);
    ev_io_init(&loop->deadline, on_deadline, deadline, EV_READ);
    ev_io_start(loop->ev, &loop->deadline);
    return loop;
}

hd_loop *hd_loop_create_simulated(hd_sim *sim, uint32_t index) {
    hd_loop *loop = hd_sys_zalloc(sizeof *loop);
    if (loop) {
        loop->sim = sim;
        loop->index = index;
    }
    return loop;
}

static void destroy_watchers(hd_loop *loop) {
    ev_io_stop(loop->ev, &loop->deadline);
    ev_io_stop(loop->ev, &loop->readiness);
    ev_io_stop(loop->ev, &loop->kick);
    ev_loop_destroy(loop->ev);
    close(loop->deadline.fd);
    close(loop->kick.fd);
}

void hd_loop_destroy(hd_loop *loop) {
    if (loop && !loop->sim)
        destroy_watchers(loop);
    hd_sys_free(loop);
}

static void arm(hd_loop *loop, uint64_t deadline_ns) {
    enum { SECOND_NS = 1000000000 };
    const struct itimerspec at = {
        .it_value.tv_sec = (time_t)(deadline_ns / SECOND_NS),
        .it_value.tv_nsec = deadline_ns > 0 ? (long)(deadline_ns % SECOND_NS) : 1, /* zeros would disarm it */
    };
    hd_assert(timerfd_settime(loop->deadline.fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
    loop->armed_ns = deadline_ns;
}

unsigned hd_loop_park(hd_loop *loop, uint64_t deadline_ns) {
    if (loop->sim) {
        hd_sim_park(loop->sim, deadline_ns);
        return 0;
    }
    loop->woken = 0;
    /* What was armed for an earlier park may end one that has no deadline, once, and for no reason: as any park may. */
    if (deadline_ns != HD_NEVER && deadline_ns != loop->armed_ns)
        arm(loop, deadline_ns);
    ev_run(loop->ev, EVRUN_ONCE);
    return loop->woken;
}

void hd_loop_kick(hd_loop *loop) {
    if (loop->sim)
        hd_sim_kick(loop->sim, loop->index);
    else
        eventfd_write(loop->kick.fd, 1);
}
