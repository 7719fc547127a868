/* Draining against what comes in at the same time. */
#include "helpers.h"

#include "drain.h"
#include "spawn.h"

#include <stdlib.h>

enum { MANY = 30000 };

struct submission {
    struct world *world;
    wire_code code;
    hd_task *task;
};

static int64_t submit(void *arg) {
    struct submission *submission = arg;
    wire_job *jobs = calloc(MANY, sizeof *jobs);
    for (size_t i = 0; jobs && i < MANY; i++)
        jobs[i] = world_sleep(HD_SECONDS(3600));
    wire_request request = {.verb = WIRE_SUBMIT,
                            .u.submit = {.key = "drain", .jobs = jobs, .count = jobs ? MANY : 0}};
    struct asked *asked = world_ask(submission->world, &request);
    submission->code = asked->reply.code;
    world_forget(asked);
    free(jobs);
    return 0;
}

static bool start(struct submission *submission, struct world *world) {
    *submission = (struct submission){.world = world, .code = WIRE_CODES};
    submission->task = spawn_root("submit", submit, submission);
    return submission->task;
}

/* It has its place, and adds its jobs after everything was cancelled. */
static void drain_at_once(struct world *world) {
    struct submission submission;
    expect(world, start(&submission, world));
    while (world->jobs->live == 0)
        expect(world, hd_yield() == 0);
    expect(world, world->jobs->submitted == 0);
    expect(world, drain_begin(world->jobs, hd_now()) == 0);
    expect(world, hd_event_wait(world->jobs->idle, hd_after(HD_SECONDS(10))) == 0);
    expect(world, hd_join(submission.task) == 0 && submission.code == WIRE_OK);
    expect(world, world->jobs->drained_hard == MANY && world->jobs->live == 0);
}

static void jobs_that_are_added_after_the_deadline_are_cancelled(void **state) {
    (void)state;
    world_run(false, drain_at_once, NULL);
}

/* It is still being checked. */
static void drain_before_it_has_a_place(struct world *world) {
    struct submission submission;
    expect(world, start(&submission, world));
    expect(world, hd_yield() == 0);
    expect(world, world->jobs->live == 0 && submission.code == WIRE_CODES);
    expect(world, drain_begin(world->jobs, hd_after(HD_SECONDS(60))) == 0);
    expect(world, hd_join(submission.task) == 0 && submission.code == WIRE_DRAINING);
    expect(world, world->jobs->live == 0 && world->jobs->submitted == 0);
}

static void a_submission_that_has_no_place_yet_is_refused(void **state) {
    (void)state;
    world_run(false, drain_before_it_has_a_place, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_that_are_added_after_the_deadline_are_cancelled),
        cmocka_unit_test(a_submission_that_has_no_place_yet_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
