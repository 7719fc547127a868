/* What the service tells systemd. Without NOTIFY_SOCKET nothing happens. Any thread. */
#ifndef HEDDLED_NOTIFY_H
#define HEDDLED_NOTIFY_H

#include "jobs.h"

void notify_ready(const struct jobs *jobs);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const struct jobs *jobs); /* at once, not with the next event */

/* Spawns what keeps systemd informed: the watchdog's feeder and the line of counts, each only if somebody listens. Task of
 * the control runtime. */
void notify_start(struct jobs *jobs);

#endif
