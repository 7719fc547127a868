/* Writes that are put off for a moment, to be made together in one system call (batch.h).
 *
 * While many tasks wait for their turn on a worker, and turns are short, those that run soon will write, too. So a small write
 * to a socket waits for them: its task stands in line at the descriptor (record.h), and the record's address in the
 * worker's outbox. The worker empties it before it looks elsewhere for tasks, when it is full, and whenever the scheduler has its
 * turn (every 61 tasks or 500 µs); and should it get stuck on several loops, its stand-in does, as it starts. Stand-ins put
 * nothing off: one that is stuck may be dismissed, and then nobody stands in for it.
 *
 * The line is what counts: a task that is cancelled there leaves a record in the outbox at which there is nothing to do any
 * more. A second write to the same descriptor, and hd_close, first make the one that was put off; so, as long as there is
 * room, each comes in the order in which they were called.
 *
 * | operation           | who                                                  | how         |
 * |---------------------|------------------------------------------------------|-------------|
 * | hd_outbox_put       | a task of its worker                                 | both locks  |
 * | hd_outbox_flush     | a worker of the runtime, with its own batch          | one, then the other |
 * | hd_outbox_count     | any thread                                           | a hint      |
 */
#ifndef HD_OUTBOX_H
#define HD_OUTBOX_H

#include "record.h"

typedef struct hd_outbox {
    hd_lock lock;
    _Atomic uint32_t count; /* written under the lock, as the next */
    hd_record *records[HD_BATCH_MOST];
} hd_outbox;

static inline void hd_outbox_init(hd_outbox *outbox) {
    hd_lock_init(&outbox->lock);
    atomic_init(&outbox->count, 0);
}

static inline uint32_t hd_outbox_count(const hd_outbox *outbox) {
    return atomic_load_explicit(&outbox->count, memory_order_relaxed); /* relaxed: a hint */
}

/* The calling worker's, if writes should be put off now; else NULL. By worker.c. */
hd_outbox *hd_worker_outbox(void);

/* Puts a write off, on a socket whose look it is, and waits until it is made. 0: `transfer` has its result, and the look is as
 * of just before; or it is HD_NOT_MADE, and the write is the caller's to make. Else a negative code. The calling task, after
 * its checkpoint. */
int hd_outbox_put(hd_outbox *outbox, hd_transfer *transfer, hd_fd_look *look);

/* Has all that was put off made. Returns how many tasks were told. */
unsigned hd_outbox_flush(hd_outbox *outbox, hd_batch *batch);

#endif
