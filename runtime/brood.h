/* The living children that a worker's thread has started, and whom their ends wake.
 *
 * The kernel sends SIGCHLD to the thread that started the child. Where that one has it blocked, as workers have every signal,
 * it goes to any other thread of the program that has not, which wakes up to find that the default is to do nothing. With
 * that, a program whose main thread waits for its runtime has two switches between threads more for each child, and ends
 * 3 to 4 % fewer short commands. A signal that is neither blocked nor handled the kernel drops as it is sent. So a
 * worker with children lets SIGCHLD in while it is parked.
 *
 * Not where it would be missed: if there is a handler, whose place is on the program's own threads; or if the thread that made
 * the runtime has it blocked, since who takes signals by sigwait(3) or signalfd(2) has them blocked in all threads.
 *
 * | operation       | who                                               |
 * |-----------------|---------------------------------------------------|
 * | born            | the worker, on its thread                         |
 * | died            | any thread                                        |
 * | listen, deafen  | the worker, as it parks and afterwards            |
 * | wanted          | the thread that makes the runtime                 |
 */
#ifndef HD_BROOD_H
#define HD_BROOD_H

#include "base.h"

typedef struct hd_brood {
    _Atomic uint32_t alive;
} hd_brood;

/* Relaxed, both: who parks between a birth and its own notice of it only wakes somebody for nothing. */
static inline void hd_brood_born(hd_brood *brood) {
    atomic_fetch_add_explicit(&brood->alive, 1, memory_order_relaxed);
}

static inline void hd_brood_died(hd_brood *brood) {
    atomic_fetch_sub_explicit(&brood->alive, 1, memory_order_relaxed);
}

/* Lets SIGCHLD in, if there are children and nobody has a handler for it. True: hd_brood_deafen has to follow. */
bool hd_brood_listen(const hd_brood *brood);
void hd_brood_deafen(void);

/* Has the calling thread SIGCHLD blocked? Then somebody may wait for it. */
bool hd_brood_wanted(void);

#endif
