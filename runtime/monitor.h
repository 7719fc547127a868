/* The monitor: one thread for all runtimes of the process, which notices workers that are stuck.
 *
 * While any worker is awake it looks at all of them every LOOK_NS at least, and exactly when a turn that it has seen will have
 * lasted STUCK_NS; since it asks how old a turn is, it misses none, however seldom it looks otherwise. (Of a
 * runtime without account it cannot know: a turn's age counts from the look that finds it, so one of less than two LOOK_NS may be missed.) (A millisecond later, if
 * it has not seen it for that long by then: it must be able to tell who computes from who waits for a core.) A worker whose turn
 * lasts longer is stuck: the episode is counted, the worker is relieved (takeover.c), and a report is asked for, which another
 * thread makes (stuck.c), so that neither symbols nor a slow reader of stderr keep the monitor from the next worker. A worker
 * that would run but has hardly had a core is not stuck: another thread would not get one either. But if that goes on for
 * STARVED_NS, it counts all the same, since some other core may be free by then.
 *
 * With each look the monitor also moves hd_clock_beat on, by which workers know whether what they last read of the clock
 * is still good (clock.h).
 *
 * When all workers were parked at two looks in a row and none had run in between, it goes to sleep without a time, and the
 * first worker that unparks rouses it. No wake-up is lost, because both sides first write and then look, sequentially
 * consistent [M1]:
 *
 *   worker:   parked = false;  look at `asleep`: if set, clear it and wake the monitor  (so does who ends the monitor)
 *   monitor:  asleep = true;   look at each `parked`: if one is awake, clear it and go on
 *
 * A worker that unparks while the monitor is awake pays for one exchange and one load of a word that seldom changes; it
 * wakes the monitor at most once in two looks.
 *
 * Turned down: a thread for each runtime (more wake-ups); a CPU-time timer for each worker, as Seastar has (it sees no
 * task that sleeps in the kernel); waking the monitor with each park's end (a write of 2 µs in the way of each wake-up). */
#ifndef HD_MONITOR_H
#define HD_MONITOR_H

#include "watch.h"

enum {
    HD_STUCK_NS = 10000000,
    HD_STARVED_NS = 50000000,
    HD_LOOK_NS = HD_STUCK_NS,          /* between two looks, */
    HD_LOOK_AGAIN_NS = HD_LOOK_NS / 2, /* while one is stuck, or wants a core */
};

/* The monitor's thread starts with the first that holds it, and ends with the last. Any thread. 0 or a negative code. */
int hd_monitor_retain(void);
void hd_monitor_release(void);

/* The calling thread is watched from now on, awake. What is constant but for the tid is set. Within retain and release. */
void hd_monitor_watch(hd_watch *watch);

/* It is not any more, once this returns; a report about it that is being made is waited for. The calling thread is the
 * watched one, outside of tasks. */
void hd_monitor_unwatch(hd_watch *watch);

/* ---- the worker's side ---- */

extern _Atomic uint32_t hd_monitor_asleep;
void hd_monitor_rouse(void);

/* Before the worker sleeps, and after, before it runs a task. */
static inline void hd_watch_park(hd_watch *watch) {
    /* relaxed: seen late, the monitor looks once more */
    atomic_store_explicit(&watch->parked, true, memory_order_relaxed);
}

static inline void hd_watch_unpark(hd_watch *watch) {
    atomic_store_explicit(&watch->parked, false, memory_order_seq_cst);              /* [M1] */
    if (hd_unlikely(atomic_load_explicit(&hd_monitor_asleep, memory_order_seq_cst))) /* [M1] */
        hd_monitor_rouse();
}

/* ---- for tests: one look, without the thread ---- */

typedef void hd_post(hd_watch *watch);

/* Looks at all workers; `post` is called for each that is to be reported. Returns how long to wait until the next look; 0:
 * all are parked, and none has run since the last look. */
uint64_t hd_monitor_look(hd_list *watches, uint64_t now_ns, hd_post *post);

#endif
