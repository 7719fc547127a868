/* Jobs that run: their states, dependencies, retries, timeouts, limits, and draining. */
#include "helpers.h"

#include "drain.h"

#include <string.h>

static const char *const succeeding[] = {"true"}, *const failing[] = {"sh", "-c", "exit 3"};

static wire_job succeeds(void) {
    return world_exec(succeeding, 1);
}

static wire_job fails(void) {
    return world_exec(failing, 3);
}

/* Lets the others run until the job is in that state. */
static void until(struct world *world, uint64_t id, wire_state state) {
    while (world_state(world, id) != state && !*world->problem) {
        const struct job *job = table_get(&world->jobs->table, id);
        expect(world, !job || !job_ended(job)); /* else that does not come any more */
        expect(world, hd_sleep(HD_US(200)) == 0);
    }
}

static uint64_t submit_after(struct world *world, wire_job job, uint64_t id, wire_condition condition) {
    wire_after after = {.id = id, .condition = condition};
    job.after = &after;
    job.after_count = 1;
    return world_submit(world, &job, 1);
}

static const char *error_of(struct world *world, uint64_t id) {
    const struct job *job = table_get(&world->jobs->table, id);
    return job && job->error ? job->error : "";
}

static void run_both(struct world *world) {
    wire_job jobs[] = {succeeds(), fails(), succeeds()};
    jobs[2].loop = WIRE_SINGLE;
    uint64_t id = world_submit(world, jobs, 3);
    wire_outcome good = world_await(world, id), bad = world_await(world, id + 1);
    expect(world, good.state == WIRE_SUCCEEDED && good.exit_code == 0);
    expect(world, bad.state == WIRE_FAILED && bad.exit_code == 3);
    expect(world, world_await(world, id + 2).state == WIRE_SUCCEEDED);
    expect(world, world->jobs->running[LANE_MULTI] == 0 && world->jobs->running[LANE_SINGLE] == 0);
    const struct job *job = table_get(&world->jobs->table, id);
    uint64_t sum = 0;
    for (int phase = 0; phase < WIRE_PHASES; phase++)
        sum += job->phases_ns[phase];
    expect(world, sum > 0 && sum <= job->ended_ns - job->started_ns + HD_MS(1));
}

static void jobs_end_as_their_commands_do(void **state) {
    (void)state;
    world_run(true, run_both, NULL);
}

static void depend(struct world *world) {
    uint64_t good = world_submit(world, &(wire_job[]){succeeds()}[0], 1);
    wire_job slow_failure = fails();
    slow_failure.delay_ns = HD_MS(5);
    uint64_t bad = world_submit(world, &slow_failure, 1);
    uint64_t after_ok = submit_after(world, succeeds(), good, WIRE_AFTER_OK);
    uint64_t after_bad = submit_after(world, succeeds(), bad, WIRE_AFTER_OK);
    uint64_t after_fail = submit_after(world, succeeds(), bad, WIRE_AFTER_FAIL);
    uint64_t after_any = submit_after(world, succeeds(), bad, WIRE_AFTER_ANY);
    uint64_t chained = submit_after(world, succeeds(), after_bad, WIRE_AFTER_OK);
    expect(world, world_await(world, after_ok).state == WIRE_SUCCEEDED);
    expect(world, world_await(world, after_bad).state == WIRE_CANCELLED);
    expect(world, strstr(error_of(world, after_bad), "failed"));
    expect(world, world_await(world, after_fail).state == WIRE_SUCCEEDED);
    expect(world, world_await(world, after_any).state == WIRE_SUCCEEDED);
    expect(world, world_await(world, chained).state == WIRE_CANCELLED);
    expect(world, strstr(error_of(world, chained), "was cancelled"));
    /* of one that has ended before */
    expect(world,
           world_await(world, submit_after(world, succeeds(), good, WIRE_AFTER_OK)).state == WIRE_SUCCEEDED);
    expect(world,
           world_await(world, submit_after(world, succeeds(), bad, WIRE_AFTER_OK)).state == WIRE_CANCELLED);
}

static void dependencies_let_run_or_cancel(void **state) {
    (void)state;
    world_run(true, depend, NULL);
}

static void depend_deeply(struct world *world) {
    wire_job first = world_sleep(HD_SECONDS(3600));
    uint64_t root = world_submit(world, &first, 1), id = root;
    for (int i = 0; i < 2000; i++)
        id = submit_after(world, world_sleep(1), id, WIRE_AFTER_OK);
    until(world, root, WIRE_RUNNING);
    jobs_cancel(world->jobs, table_get(&world->jobs->table, root), 0);
    expect(world, world_await(world, id).state == WIRE_CANCELLED);
    expect(world, world->jobs->live == 0);
}

static void a_long_chain_of_dependents_is_cancelled_to_its_end(void **state) {
    (void)state;
    world_run(true, depend_deeply, NULL);
}

static void retry(struct world *world) {
    wire_job job = fails();
    job.retries = 2;
    job.backoff_ns = HD_MS(2);
    uint64_t id = world_submit(world, &job, 1);
    wire_outcome outcome = world_await(world, id);
    expect(world, outcome.state == WIRE_FAILED && outcome.exit_code == 3);
    expect(world, table_get(&world->jobs->table, id)->attempt == 3);
    struct asked *events = world_ask(
        world, &(wire_request){
                   .verb = WIRE_EVENTS,
                   .u.events.select = {
                       .all = true, .group = "", .label = "", .name = "", .states = 1u << WIRE_RETRYING}});
    expect(world, events->reply.u.events.count == 2);
    world_forget(events);
}

static void a_failure_is_tried_again_as_often_as_asked(void **state) {
    (void)state;
    world_run(true, retry, NULL);
}

static void time_out(struct world *world) {
    wire_job job = world_sleep(HD_SECONDS(3600));
    job.timeout_ns = HD_MS(5);
    job.retries = 1;
    job.backoff_ns = HD_MS(1);
    uint64_t id = world_submit(world, &job, 1);
    wire_outcome outcome = world_await(world, id);
    expect(world, outcome.state == WIRE_TIMED_OUT && outcome.exit_code == 1);
    expect(world, strcmp(error_of(world, id), "it did not end within its timeout of 5ms") == 0);
    expect(world, table_get(&world->jobs->table, id)->attempt == 2);
    job = world_sleep(HD_SECONDS(3600));
    expect(world, world_await(world, world_submit(world, &job, 1)).state == WIRE_TIMED_OUT);
}

static void an_attempt_that_takes_too_long_is_ended(void **state) {
    (void)state;
    world_run(true, time_out, (const char *const[]){"default_timeout=20ms", NULL});
}

static void cancel_in_each_state(struct world *world) {
    wire_job sleep = world_sleep(HD_SECONDS(3600)), later = sleep, queued = sleep, retrying = fails();
    later.delay_ns = HD_SECONDS(3600);
    queued.group = sleep.group = "one";
    sleep.parallel = 1;
    retrying.retries = 5;
    retrying.backoff_ns = HD_SECONDS(3600);
    uint64_t ids[] = {world_submit(world, &sleep, 1), world_submit(world, &later, 1),
                      world_submit(world, &queued, 1), world_submit(world, &retrying, 1), 0};
    ids[4] = submit_after(world, succeeds(), ids[2], WIRE_AFTER_ANY);
    static const wire_state states[] = {WIRE_RUNNING, WIRE_SCHEDULED, WIRE_QUEUED, WIRE_RETRYING,
                                        WIRE_BLOCKED};
    for (int i = 0; i < 5; i++)
        until(world, ids[i], states[i]);
    for (int i = 4; i >= 0; i--) {
        struct job *job = table_get(&world->jobs->table, ids[i]);
        expect(world, jobs_cancel(world->jobs, job, 0));
        expect(world, world_await(world, ids[i]).state == WIRE_CANCELLED);
        expect(world, !jobs_cancel(world->jobs, job, 0));
    }
    expect(world, world->jobs->live == 0 && world->jobs->timers.count == 0);
}

static void a_job_can_be_cancelled_in_every_state(void **state) {
    (void)state;
    world_run(true, cancel_in_each_state, NULL);
}

static void count_running(struct world *world) {
    const char *argv[] = {"sleep", "1000"};
    wire_job jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = world_exec(argv, 2);
    jobs[3] = world_sleep(HD_SECONDS(3600)); /* takes no place */
    uint64_t id = world_submit(world, jobs, 4);
    until(world, id + 1, WIRE_RUNNING);
    until(world, id + 3, WIRE_RUNNING);
    expect(world, world_state(world, id + 2) == WIRE_QUEUED && world->jobs->running[LANE_MULTI] == 2);
    jobs_cancel(world->jobs, table_get(&world->jobs->table, id), 0);
    until(world, id + 2, WIRE_RUNNING);
}

static void running_max_counts_what_runs_but_not_what_sleeps(void **state) {
    (void)state;
    world_run(true, count_running, (const char *const[]){"running_max=2", NULL});
}

static void raise_the_limit(struct world *world) {
    wire_job job = world_sleep(HD_SECONDS(3600));
    job.group = "g";
    job.parallel = 1;
    uint64_t first = world_submit(world, &job, 1), second = world_submit(world, &job, 1);
    until(world, first, WIRE_RUNNING);
    for (int i = 0; i < 20; i++)
        expect(world, hd_yield() == 0);
    expect(world, world_state(world, second) == WIRE_QUEUED);
    job.parallel = 3;
    uint64_t third = world_submit(world, &job, 1);
    until(world, second, WIRE_RUNNING);
    until(world, third, WIRE_RUNNING);
}

static void a_submission_sets_its_groups_limit(void **state) {
    (void)state;
    world_run(true, raise_the_limit, NULL);
}

static void drain_hopeless(struct world *world) {
    const char *argv[] = {"sleep", "1000"};
    wire_job jobs[] = {world_sleep(HD_SECONDS(3600)), world_sleep(HD_MS(10)), world_exec(argv, 2),
                       world_sleep(1)};
    jobs[3].delay_ns = HD_SECONDS(3600);
    uint64_t id = world_submit(world, jobs, 4);
    until(world, id + 2, WIRE_RUNNING);
    until(world, id, WIRE_RUNNING);
    expect(world, drain_begin(world->jobs, hd_after(HD_SECONDS(1000))) == 0);
    expect(world, world_await(world, id).state == WIRE_CANCELLED);
    expect(world, world_await(world, id + 3).state == WIRE_CANCELLED);
    expect(world, world_await(world, id + 1).state == WIRE_SUCCEEDED);
    expect(world, world_state(world, id + 2) == WIRE_RUNNING);
    expect(world, drain_begin(world->jobs, hd_now()) == 0);
    expect(world, world_await(world, id + 2).state == WIRE_CANCELLED);
    expect(world, world->jobs->drained_hard == 3 && hd_event_is_set(world->jobs->idle));
}

static void draining_waits_only_for_what_can_end_in_time(void **state) {
    (void)state;
    world_run(true, drain_hopeless, NULL);
}

static void inherit(struct world *world) {
    const char *argv[] = {
        "sh", "-c",
        "test \"$A\" = new && test \"$PATH\" = /usr/bin:/bin && test -z \"$HOME\" && test \"$PWD\" = /"};
    const char *env[] = {"A=old", "A=new"};
    wire_job job = world_exec(argv, 3);
    job.env = (wire_strings){env, 2};
    job.cwd = "/";
    job.cwd_explicit = true;
    expect(world, world_await(world, world_submit(world, &job, 1)).state == WIRE_SUCCEEDED);
}

static void a_job_has_the_services_environment_under_its_own(void **state) {
    (void)state;
    world_run(true, inherit, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_end_as_their_commands_do),
        cmocka_unit_test(dependencies_let_run_or_cancel),
        cmocka_unit_test(a_long_chain_of_dependents_is_cancelled_to_its_end),
        cmocka_unit_test(a_failure_is_tried_again_as_often_as_asked),
        cmocka_unit_test(an_attempt_that_takes_too_long_is_ended),
        cmocka_unit_test(a_job_can_be_cancelled_in_every_state),
        cmocka_unit_test(running_max_counts_what_runs_but_not_what_sleeps),
        cmocka_unit_test(a_submission_sets_its_groups_limit),
        cmocka_unit_test(draining_waits_only_for_what_can_end_in_time),
        cmocka_unit_test(a_job_has_the_services_environment_under_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
