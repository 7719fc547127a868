/* Scans of the table: they hold nobody up, and miss nothing that changes meanwhile. */
#include "helpers.h"

#include "selection.h"
#include "spawn.h"

#include <stdlib.h>

enum { FEW = 50, MANY = 10000, TIMES = 10 };

static wire_selector nothing_said(void) {
    return (wire_selector){.group = "", .label = "", .name = ""};
}

static void submit_many(struct world *world, size_t count) {
    wire_job *jobs = calloc(count, sizeof *jobs);
    for (size_t i = 0; jobs && i < count; i++)
        jobs[i] = world_sleep(HD_SECONDS(3600));
    expect(world, jobs && world_submit(world, jobs, count) > 0);
    free(jobs);
}

/* Every second job ends, and is forgotten, just when the scan is about to come to it. */
static void find_while_jobs_are_forgotten(struct world *world) {
    struct arena arena = {0};
    struct selection selection;
    struct match match = {0};
    submit_many(world, FEW);
    wire_range range = {1, UINT64_MAX};
    wire_selector selector = nothing_said();
    selector.ranges = &range;
    selector.range_count = 1;
    expect(world, selection_init(&selection, world->jobs, &selector, 0, &arena));
    uint64_t before = 0, kept = 0, remembered = 0;
    while (selection_find(&selection, &match)) {
        expect(world, match.id == before + 1 || !before);
        before = match.id;
        *(match.job ? &kept : &remembered) += 1;
        struct job *next = table_get(&world->jobs->table, match.id + 1);
        if (match.job && next) {
            jobs_cancel(world->jobs, next, 0);
            expect(world, hd_sleep(HD_MS(2)) == 0); /* the scheduler forgets it */
            expect(world, !table_get(&world->jobs->table, match.id + 1));
        }
    }
    expect(world, selection.result == 0);
    expect(world, kept == FEW / 2 && remembered == FEW / 2);
    arena_free(&arena);
}

static void each_id_comes_once_whatever_is_forgotten(void **state) {
    (void)state;
    world_run(false, find_while_jobs_are_forgotten, (const char *const[]){"history=0", NULL});
}

static int64_t count_turns(void *arg) {
    unsigned *turns = arg;
    while (hd_yield() == 0)
        ++*turns;
    return 0;
}

static void find_none_of_many(struct world *world) {
    struct arena arena = {0};
    struct selection selection;
    unsigned turns = 0;
    for (int i = 0; i < TIMES; i++)
        submit_many(world, MANY);
    wire_selector selector = nothing_said();
    selector.group = "nobody's";
    expect(world, selection_init(&selection, world->jobs, &selector, 0, &arena));
    hd_task *other = spawn_root("other", count_turns, &turns);
    expect(world, other && !selection_next(&selection, 0));
    expect(world, turns > 1 && selection.result == 0);
    hd_cancel(other);
    (void)!hd_join(other);
    arena_free(&arena);
}

static void a_scan_without_a_match_lets_others_run(void **state) {
    (void)state;
    world_run(false, find_none_of_many, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_id_comes_once_whatever_is_forgotten),
        cmocka_unit_test(a_scan_without_a_match_lets_others_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
