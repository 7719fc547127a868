/* The gate of a runtime: how many root tasks are inside, and whether more may come. Any thread. */
#ifndef HD_GATE_H
#define HD_GATE_H

#include "base.h"

#include <pthread.h>

typedef struct hd_gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t inside;
    bool refusing;
} hd_gate;

void hd_gate_init(hd_gate *gate);
void hd_gate_fini(hd_gate *gate);

/* A root task comes: 0, or HD_ESHUTDOWN. It has gone. */
int hd_gate_enter(hd_gate *gate);
void hd_gate_leave(hd_gate *gate);

/* From now on nobody comes in. */
void hd_gate_shut(hd_gate *gate);

bool hd_gate_is_empty(hd_gate *gate);

/* Blocks the thread until all have gone; false: the deadline passed first. */
bool hd_gate_wait_empty(hd_gate *gate, uint64_t deadline_ns);

#endif
