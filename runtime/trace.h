/* The trace of a worker: its last events, in a ring that only the worker writes, and anybody may read at any time.
 *
 * An event is four words. Readers copy one, and then see by `written` whether the worker has come round to it meanwhile.
 *
 * On a simulated runtime, each event is also told to the simulator, which sums it up, and may have another worker go
 * on (sim.h).
 *
 * [Y1] `written`: release after the words of an event, acquire by readers before they read them: who sees the number sees
 *      the event.
 * [Y2] a release fence between the number and the words of the next event, an acquire fence between a reader's copy and its
 *      second look at the number: who has read a word of the next event sees that its place is being written. */
#ifndef HD_TRACE_H
#define HD_TRACE_H

#include "sim.h"

typedef struct hd_trace {
    struct hd_trace_slot *slots; /* constant, all; NULL: none are kept */
    uint32_t size;               /* a power of two */
    uint32_t loop;
    hd_sim *sim;              /* NULL: the runtime is not simulated */
    _Atomic uint64_t written; /* events so far */
} hd_trace;

/* `events`: how many it keeps. 0 or HD_ENOMEM. */
int hd_trace_init(hd_trace *trace, uint32_t events, uint32_t loop, hd_sim *sim);
void hd_trace_fini(hd_trace *trace);

/* The trace's worker only. `task` is an id, as is `detail` with some kinds; `now` in ticks. */
void hd_trace_add(hd_trace *trace, hd_trace_kind kind, uint64_t now, uint64_t task, uint64_t detail);

/* Calls `visit` for what is there, oldest first. False: it did. Any thread. */
bool hd_trace_visit(hd_trace *trace, bool (*visit)(const hd_trace_event *event, void *arg), void *arg);

#endif
