/* What happened to jobs, in order: a ring of the last moves, numbered from 1 on. Who asks from a number misses nothing
 * that is still there, and is told how much is not. Only tasks of the control runtime touch it. */
#ifndef HEDDLED_EVENTS_H
#define HEDDLED_EVENTS_H

#include "heddle.h"
#include "job.h"

struct event {
    uint64_t time_ns; /* Unix epoch */
    uint64_t id;
    uint32_t uid;
    uint32_t attempt;
    uint8_t from, to;
    char *error; /* NULL: none */
};

struct events {
    struct event *ring;
    size_t kept;
    uint64_t next; /* number of the next one */
    hd_event *arrived;
    unsigned waiting; /* requests */
};

/* False: no memory. */
bool events_init(struct events *events, size_t kept);
void events_fini(struct events *events);

void events_add(struct events *events, const struct job *job, wire_state from);

/* The number of the oldest that is kept. */
uint64_t events_oldest(const struct events *events);

/* oldest <= number < next. */
const struct event *events_at(const struct events *events, uint64_t number);

/* Awaits an event with `number` or a later one. 0 or an error. Task. */
HD_CHECKED int events_wait(struct events *events, uint64_t number);

#endif
