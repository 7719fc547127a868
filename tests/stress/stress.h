/* The stress program: completion, cancellation and deadlines raced against each other over every primitive.
 *
 * A *round* makes some things (a semaphore, a tree of tasks, a pair of sockets), spawns *victims* (tasks that wait for
 * them), and has *rivals* act on both at the same time: grant, cancel, close. Rivals are the driver itself, tasks beside
 * the victims, pinned tasks on each worker of each runtime, and threads that are not heddle's. Then the round checks:
 * each victim ran once and ended once, with a result that something allowed, and nothing was lost or doubled. A *race* is
 * one operation for whose end at least two of completion, cancellation and deadline contended.
 *
 * A lost waking shows as a round that does not end: victims that were cancelled or have a deadline are awaited before
 * anything else could wake them (contest.c), and a thread watches for progress (main.c).
 *
 * *Drivers* (tasks) play round after round. What a round chooses depends only on the seed and its number, so a failure
 * names both, and `--seed S --round N` plays those choices again and again. The interleaving is the machine's.
 *
 * A *stage* is a set of runtimes with their drivers and rivals. It is torn down after some thousand rounds, when nothing
 * may be left over, and another one is built (stage.c).
 *
 *     main     options, the watch, the report
 *     stage    runtimes and drivers          rival   who acts from elsewhere
 *     round    what all rounds share         contest the usual course of one
 *     seeds    rounds on simulated runtimes
 *     races_*  what is raced for */
#ifndef STRESS_H
#define STRESS_H

#include "heddle.h"

#include <stdatomic.h>

enum { VICTIMS_MAX = 24, ACTIONS_MAX = 128 };

typedef struct round round;
typedef struct driver driver;

/* ---- choices ---- */

/* A stream of random numbers (splitmix64). */
typedef struct dice {
    uint64_t state;
} dice;

static inline uint64_t dice_mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t dice_roll(dice *self) {
    return dice_mix(self->state += 0x9e3779b97f4a7c15u);
}

/* Less than n, which is not 0. */
static inline uint32_t below(dice *self, uint32_t n) {
    return (uint32_t)((dice_roll(self) >> 32) * n >> 32);
}

static inline bool one_in(dice *self, uint32_t n) {
    return below(self, n) == 0;
}

/* Mostly a few microseconds, from none to a quarter of a millisecond. */
uint64_t random_ns(dice *self);

/* ---- how an operation ended ---- */

typedef enum outcome { COMPLETED, CANCELLED, TIMED_OUT, REFUSED, OUTCOMES } outcome;

outcome outcome_of(int64_t result);

typedef struct scenario {
    const char *name;
    uint32_t weight; /* how often, among the others */
    void (*play)(round *self);
    uint8_t expected; /* 1 << outcome: seen by whoever plays it long enough */
    bool outside;     /* it reaches out of its runtime, and cannot be simulated */
} scenario;

extern const scenario scenarios[];
extern const unsigned scenario_count;
enum { SCENARIOS_MAX = 32 };

/* ---- a round ---- */

/* Something that a rival does. */
typedef struct action {
    struct action *next; /* in a rival's inbox */
    void (*perform)(struct action *self);
    round *round;
    void *object;
    uint32_t number;
    uint32_t pauses; /* before it acts */
} action;

typedef enum join_form { JOIN, AWAIT, AWAIT_UNTIL, WAIT, JOIN_FORMS } join_form;

typedef struct victim {
    round *round;
    int64_t (*attempt)(struct victim *self); /* what it waits for; >= 0: that was completed */
    void *object;                            /* for the scenario */
    hd_task *task;
    uint32_t number;
    uint32_t variant;     /* random bits, for the scenario */
    uint64_t patience_ns; /* HD_NEVER: no deadline */
    uint64_t join_patience_ns;
    join_form join;
    bool shielded, has_local, to_cancel, cancel_given;
    /* written by the task, read by who joined it */
    uint64_t deadline_ns;
    int64_t result;
    /* by anybody */
    _Atomic bool cancel_begun; /* somebody is about to cancel it */
    _Atomic uint32_t ran, locals_ended;
} victim;

struct round {
    driver *driver;
    const scenario *scenario;
    void *world; /* for the scenario */
    uint64_t number;
    dice dice; /* the driver's only */
    uint32_t victim_count, action_count;
    bool anything_cancels; /* more than its own rivals cancels a victim: who did is not checked */
    _Atomic uint32_t pending;
    victim victims[VICTIMS_MAX];
    action actions[ACTIONS_MAX];
};

/* Says what broke, in which round, and ends the process. */
_Noreturn void round_broke(const round *self, const char *what, const char *file, int line);

#define must(round, condition) ((condition) ? (void)0 : round_broke((round), #condition, __FILE__, __LINE__))

/* Chooses and plays a round. */
void round_play(driver *who, uint64_t number);

/* A victim with random patience (HD_NEVER unless `deadlines`) and random habits, not spawned yet. */
victim *round_victim(round *self, int64_t (*attempt)(victim *), bool deadlines);

/* Spawns it as a task of a random kind, perhaps on another runtime. */
void round_spawn(round *self, victim *v);

/* For those who spawn by themselves: what a victim's task runs, and hd_spawn_with, which must not fail here. */
int64_t victim_main(void *arg);
hd_task *round_spawn_as(round *self, const hd_spawn_options *options, hd_fn fn, void *arg);

/* Counts a task that was spawned some other way, on the caller's runtime. */
void round_spawned(round *self);

/* The point in time at which its patience ends, counted from now. */
uint64_t victim_deadline(victim *v);

/* Has an action performed once, by a random rival, soon. */
void round_act(round *self, void (*perform)(action *), void *object, uint32_t number);

/* Has a victim cancelled by a rival. Or by the caller, now. */
void round_cancel(round *self, victim *v);
void victim_cancel(victim *v);

/* Waits until all actions were performed. */
void round_settle(round *self);

/* Ends by itself: it was cancelled (call it after round_settle), or has a deadline. */
bool victim_ends(const victim *v);

/* Awaits the victim's end in one way or another, checks what holds for all, and counts the race. */
void round_join(round *self, victim *v);

/* Checks and counts a victim whose task has ended and has no handle of the round's. */
void round_finish(round *self, victim *v);

/* Counts races that are no victims. */
void round_count(round *self, outcome how, uint64_t races);

/* ---- the usual course (contest.c) ---- */

/* Victims attempt something; actions complete it for one or for all; some victims are cancelled, some have a deadline.
 * When those have ended, the finale completes what the others, `left` in number, wait for. */
typedef struct contest {
    int64_t (*attempt)(victim *self);
    void (*actions[4])(action *self);           /* some of these happen, up to NULL; `number` is random */
    void (*midway)(round *self);                /* called once, at some moment; or NULL */
    void (*finale)(round *self, uint32_t left); /* NULL: all end by themselves */
    uint32_t victims;                           /* at most */
    bool deadlines;
} contest;

void round_contest(round *self, const contest *rules);

/* ---- scenarios ---- */

void play_sleep(round *self);
void play_delayed(round *self);
void play_mutex(round *self);
void play_semaphore(round *self);
void play_event(round *self);
void play_channel(round *self);
void play_await(round *self);
void play_gather(round *self);
void play_scope(round *self);
void play_tree(round *self);
void play_blocking(round *self);
void play_readable(round *self);
void play_write(round *self);
void play_writable(round *self);
void play_close(round *self);
void play_outside(round *self);
void play_runtime(round *self);
void play_process(round *self);

#endif
