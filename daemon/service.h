/* The whole service: its parts in the order they are started and stopped. */
#ifndef HEDDLED_SERVICE_H
#define HEDDLED_SERVICE_H

#include "config.h"

/* Runs until it is told to stop. `config` is the service's from now on (and freed); `sources` are read again on SIGHUP.
 * The signals of service_signals are blocked in this thread, and there are no others. Returns the exit code. */
int service_run(struct config *config, const struct config_sources *sources);

/* Blocks the signals that the service handles. Before any thread is made. 0 or a negative code. */
int service_block_signals(void);

#endif
