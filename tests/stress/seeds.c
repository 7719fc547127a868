/* Rounds on simulated runtimes: a seed decides all, the schedule too, so one that breaks can be played again. Each seed is
 * played twice, and must go the same way. Nobody acts from outside here: rivals are tasks. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>

enum { LOOPS_MOST = 5, DRIVERS_MOST = 4, ROUNDS_MOST = 6 };

typedef struct game {
    uint64_t seed, hash;
    tally *tallies;
} game;

_Noreturn static void broke(uint64_t seed, const char *how) {
    fprintf(stderr, "stress: BROKEN: %s; to play it again: --simulated 1 --seed %llu\n", how,
            (unsigned long long)seed);
    abort();
}

static int64_t play_rounds(void *arg) {
    game *self = arg;
    dice d = {dice_mix(~self->seed)};
    uint32_t drivers = 1 + below(&d, DRIVERS_MOST);
    stage *on = stage_create_on(hd_runtime_current(), drivers, drivers * (1 + below(&d, ROUNDS_MOST)));
    for (uint32_t i = 0; i < drivers; i++)
        if (hd_await(on->drivers[i].task) != 0)
            broke(self->seed, "a driver failed");
    stage_end(on, self->tallies);
    self->hash = hd_runtime_trace_hash(hd_runtime_current());
    return 0;
}

/* Returns what sums up all that happened. */
static uint64_t play(uint64_t seed, tally tallies[]) {
    dice d = {dice_mix(seed)};
    game self = {.seed = seed, .tallies = tallies};
    the_plan.seed = seed;
    hd_runtime_options options = {
        .name = "seeds", .simulated = true, .seed = seed, .loops = 1 + below(&d, LOOPS_MOST)};
    if (hd_run(&options, play_rounds, &self) != 0)
        broke(seed, "it did not come to its end");
    return self.hash;
}

void seeds_play(uint64_t count, tally tallies[]) {
    for (uint64_t seed = the_plan.seed, end = seed + count; seed != end; seed++) {
        uint64_t first = play(seed, tallies), second = play(seed, tallies);
        if (first != second) {
            fprintf(stderr, "stress: BROKEN: seed %llu, played twice, went two ways\n",
                    (unsigned long long)seed);
            abort();
        }
    }
}
