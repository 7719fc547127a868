/* Who runs on this thread: its worker, and that one's task.
 *
 * A fiber may resume on another thread, so a thread-local must be read anew after each switch; compilers, though, keep its
 * address, or its value. So it is read by instructions that they cannot see into. The variable is in the static
 * block of thread-locals (initial-exec), which costs one load more than a global.
 *
 * Who has read it may pass it on (to the functions called ..._here) as long as no fiber can have been switched in between: by a
 * park, a yield, a hosted task, a checkpoint that did not say 0. */
#ifndef HD_HERE_H
#define HD_HERE_H

#include "clock.h"

/* The first member of every worker. */
typedef struct hd_here {
    hd_runtime *runtime;        /* constant, as the next three */
    bool alone;                 /* the runtime has one loop */
    bool simulated;             /* it is a simulated one */
    uint32_t worker;            /* its index */
    _Atomic(hd_task *) current; /* the task that runs; NULL: the scheduler. Its thread writes it */
    uint64_t read;              /* ticks: when the worker last looked at the clock, */
    uint32_t beat;              /* and the beat then (clock.h) */
} hd_here;

extern _Thread_local hd_here *hd_here_now __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* NULL: not a worker's thread. */
static inline hd_here *hd_here_get(void) {
#if defined(__x86_64__)
    hd_here *here;
    __asm__ volatile("movq hd_here_now@gottpoff(%%rip), %0\n\t"
                     "movq %%fs:(%0), %0"
                     : "=r"(here)
                     :
                     : "memory");
    return here;
#else
    extern hd_here *hd_here_get_slow(void);
    return hd_here_get_slow();
#endif
}

/* The clock, read anew. */
static inline uint64_t hd_here_read(hd_here *here) {
    here->beat = atomic_load_explicit(&hd_clock_beat, memory_order_relaxed); /* relaxed: a hint */
    return here->read = hd_clock_ticks();
}

/* Was it read ten milliseconds ago at most? */
static inline bool hd_here_is_fresh(const hd_here *here) {
    uint32_t beat = atomic_load_explicit(&hd_clock_beat, memory_order_relaxed); /* relaxed: a hint */
    return beat && beat == here->beat;
}

/* The clock, read ten milliseconds ago at most. For what is so frequent that reading it would be most of the work. */
static inline uint64_t hd_here_lately(hd_here *here) {
    return hd_likely(hd_here_is_fresh(here)) ? here->read : hd_here_read(here);
}

/* Relaxed, both: for who looks from outside it is a picture (watch.h). */
static inline hd_task *hd_here_current(hd_here *here) {
    return atomic_load_explicit(&here->current, memory_order_relaxed);
}

static inline void hd_here_set_current(hd_here *here, hd_task *task) {
    atomic_store_explicit(&here->current, task, memory_order_relaxed);
}

/* The task that runs there, or NULL: also of NULL. */
static inline hd_task *hd_here_task(hd_here *here) {
    return here ? hd_here_current(here) : NULL;
}

/* The calling task, or NULL. */
static inline hd_task *hd_task_self(void) {
    return hd_here_task(hd_here_get());
}

#endif
