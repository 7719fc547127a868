/* Stages, drivers and rivals: where rounds are played, and by whom. See stress.h. */
#ifndef STRESS_STAGE_H
#define STRESS_STAGE_H

#include "stress.h"

enum { RUNTIMES_MAX = 3, DRIVERS_MAX = 48, RIVALS_MAX = 16, PAIRS = 3, STAGE_ROUNDS = 4000 };

typedef struct stage stage;
typedef struct rival rival;

typedef struct tally {
    uint64_t rounds;
    uint64_t ended[OUTCOMES]; /* races, by how they ended */
} tally;

struct driver {
    stage *stage;
    uint32_t index;
    hd_runtime *runtime;
    hd_task *task;
    hd_semaphore *settled; /* released when the last action of a round was performed */
    int pairs[PAIRS][2];   /* of sockets, kept from round to round; -1: none yet */
    tally tallies[SCENARIOS_MAX];
    _Atomic(const scenario *) playing; /* for who watches, these two */
    _Atomic uint64_t playing_round;
    round round;
};

struct stage {
    uint64_t end_round; /* the first of the next stage */
    _Atomic uint64_t next_round;
    uint32_t runtime_count, driver_count, rival_count;
    hd_runtime *runtimes[RUNTIMES_MAX];
    bool unaccounted[RUNTIMES_MAX];
    _Atomic uint64_t spawned[RUNTIMES_MAX]; /* tasks */
    driver *drivers;
    rival *rivals[RIVALS_MAX];
};

/* What is asked of the whole run. Constant once it plays. */
typedef struct plan {
    uint64_t seed;
    uint64_t races;
    uint64_t until_ns;
    const scenario *only;  /* NULL: all */
    uint64_t repeat_round; /* HD_NEVER: none */
    bool simulated;
} plan;

extern plan the_plan;
extern _Atomic uint64_t races_done, rounds_done; /* in all */

/* The key under which victims keep themselves; its destructor counts. */
extern hd_key victim_key;
void victim_local_ends(void *value);

/* Plays the stage to which round `first` belongs, from there on, and adds to the tallies, one for each scenario.
 * Returns the number of the first round that was not played. */
uint64_t stage_play(uint64_t first, tally tallies[]);

/* A stage on this runtime alone, without rivals, whose drivers have been started, for so many rounds. And its end, when these
 * are done. */
stage *stage_create_on(hd_runtime *runtime, uint32_t drivers, uint64_t rounds);
void stage_end(stage *self, tally tallies[]);

/* Plays `count` seeds, from the plan's on, twice each, on simulated runtimes (seeds.c). */
void seeds_play(uint64_t count, tally tallies[]);

/* Tells on stderr what each driver is at, and what each task waits for. */
void stage_tell(void);

/* Looks at all tasks, as inspection does, and checks each picture for itself. False: there is no stage now. */
bool stage_look(void);

/* Counts a task that anybody spawns into a runtime. */
void stage_spawned(stage *self, const hd_runtime *runtime);

/* ---- rival.c ---- */

rival *rival_create_thread(void);
rival *rival_create_task(stage *on, hd_runtime *runtime); /* pinned; on the runtime's next worker */

/* None of its actions is left. Not in a task. */
void rival_destroy(rival *self);

/* Performs it soon. Any thread. */
void rival_give(rival *self, action *a);

void action_perform(action *a);

#endif
