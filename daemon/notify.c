/* The watchdog is fed by a task of the control loop, so it starves if that loop does not turn. The status line follows the
 * jobs' events, at most once a second: when nothing happens nothing wakes up. */
#include "notify.h"

#include "spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

enum { STATUS_MAX = 160 };

static void put_status(const struct jobs *jobs, char text[STATUS_MAX]) {
    uint64_t waiting = jobs->counts[WIRE_QUEUED] + jobs->counts[WIRE_BLOCKED] + jobs->counts[WIRE_SCHEDULED] +
                       jobs->counts[WIRE_RETRYING];
    snprintf(text, STATUS_MAX, "STATUS=%s%llu running, %llu waiting, %llu ended",
             jobs->draining ? "draining: " : "", (unsigned long long)jobs->counts[WIRE_RUNNING],
             (unsigned long long)waiting, (unsigned long long)jobs->finished);
}

void notify_ready(const struct jobs *jobs) {
    char text[STATUS_MAX];
    put_status(jobs, text);
    sd_notifyf(0, "READY=1\n%s", text);
}

void notify_reloading(void) {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(hd_now() / 1000));
}

void notify_status(const struct jobs *jobs) {
    char text[STATUS_MAX];
    put_status(jobs, text);
    sd_notify(0, text);
}

void notify_stopping(void) {
    sd_notify(0, "STOPPING=1");
}

static int64_t feed_watchdog(void *arg) {
    uint64_t microseconds = *(uint64_t *)arg;
    int result = 0;
    free(arg);
    while (!result) {
        sd_notify(0, "WATCHDOG=1");
        result = hd_sleep(HD_US(microseconds) / 2);
    }
    return result;
}

static int64_t tell_status(void *arg) {
    struct jobs *jobs = arg;
    int result = 0;
    while (!result) {
        uint64_t next = jobs->events.next;
        notify_status(jobs);
        result = hd_sleep(HD_SECONDS(1));
        if (!result)
            result = events_wait(&jobs->events, next);
    }
    return result;
}

void notify_start(struct jobs *jobs) {
    uint64_t *interval = malloc(sizeof *interval);
    if (interval && sd_watchdog_enabled(0, interval) > 0)
        (void)spawn_detached("watchdog", feed_watchdog, interval);
    else
        free(interval);
    if (getenv("NOTIFY_SOCKET"))
        (void)spawn_detached("status", tell_status, jobs);
}
