#include "loop.h"

#include "sys.h"

#include <ev.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct hd_loop {
    hd_sim *sim; /* not NULL: the rest is not used, but for the index */
    uint32_t index;
    struct ev_loop *ev;
    hd_poller *poller;
    unsigned woken;
    ev_io kick; /* an eventfd */
    ev_io readiness;
    ev_timer deadline;
};

static void on_kick(struct ev_loop *ev HD_UNUSED, ev_io *watcher, int events HD_UNUSED) {
    eventfd_t kicks;
    eventfd_read(watcher->fd, &kicks);
}

static void on_deadline(struct ev_loop *ev HD_UNUSED, ev_timer *watcher HD_UNUSED, int events HD_UNUSED) {}

static void on_readiness(struct ev_loop *ev HD_UNUSED, ev_io *watcher, int events HD_UNUSED) {
    hd_loop *loop = hd_container_of(watcher, hd_loop, readiness);
    loop->woken += hd_poller_drain(loop->poller);
}

hd_loop *hd_loop_create(hd_poller *poller) {
    hd_loop *loop = hd_sys_zalloc(sizeof *loop);
    if (!loop)
        return NULL;
    loop->poller = poller;
    int fd = hd_sys_fails() ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->ev = fd < 0 || hd_sys_fails() ? NULL : ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
    if (!loop->ev) {
        if (fd >= 0)
            close(fd);
        hd_sys_free(loop);
        return NULL;
    }
    ev_io_init(&loop->kick, on_kick, fd, EV_READ);
    ev_io_start(loop->ev, &loop->kick);
    ev_io_init(&loop->readiness, on_readiness, hd_poller_fd(poller), EV_READ);
    ev_io_start(loop->ev, &loop->readiness);
    ev_init(&loop->deadline, on_deadline);
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
    ev_timer_stop(loop->ev, &loop->deadline);
    ev_io_stop(loop->ev, &loop->readiness);
    ev_io_stop(loop->ev, &loop->kick);
    ev_loop_destroy(loop->ev);
    close(loop->kick.fd);
}

void hd_loop_destroy(hd_loop *loop) {
    if (loop && !loop->sim)
        destroy_watchers(loop);
    hd_sys_free(loop);
}

unsigned hd_loop_park(hd_loop *loop, uint64_t deadline_ns) {
    if (loop->sim) {
        hd_sim_park(loop->sim, deadline_ns);
        return 0;
    }
    loop->woken = 0;
    if (deadline_ns != HD_NEVER) {
        uint64_t now = hd_sys_now();
        double after = deadline_ns > now ? (double)(deadline_ns - now) / 1e9 : 0.0;
        ev_now_update(loop->ev);
        ev_timer_stop(loop->ev, &loop->deadline);
        ev_timer_set(&loop->deadline, after, 0.0);
        ev_timer_start(loop->ev, &loop->deadline);
    } else {
        ev_timer_stop(loop->ev, &loop->deadline);
    }
    ev_run(loop->ev, EVRUN_ONCE);
    return loop->woken;
}

void hd_loop_kick(hd_loop *loop) {
    if (loop->sim)
        hd_sim_kick(loop->sim, loop->index);
    else
        eventfd_write(loop->kick.fd, 1);
}
