/* What requests do: limits, access, keys, listing, waiting, events, cancelling. Without runtimes where nothing has to run. */
#include "helpers.h"

#include "spawn.h"

#include <stdio.h>
#include <string.h>

#define NOTHING .group = "", .label = "", .name = ""

static wire_selector all_jobs(void) {
    return (wire_selector){.all = true, NOTHING};
}

static struct asked *list(struct world *world, uint32_t uid, wire_selector select) {
    return world_ask_as(world, uid, 1, &(wire_request){.verb = WIRE_LIST, .u.list.select = select});
}

/* ---- submit ------------------------------------------------------------------------------------------------------ */

static void submit_twice_with_one_key(struct world *world) {
    wire_job job = world_sleep(1);
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.key = {1, 2, 3}, .jobs = &job, .count = 1}};
    struct asked *one = world_ask(world, &request), *two = world_ask(world, &request);
    struct asked *other = world_ask_as(world, 5, 2, &request);
    expect(world, one->reply.code == WIRE_OK && !one->reply.u.submit.repeated);
    expect(world,
           two->reply.u.submit.repeated && two->reply.u.submit.first_id == one->reply.u.submit.first_id);
    expect(world, !other->reply.u.submit.repeated);
    expect(world, world->jobs->submitted == 2);
    world_forget(one), world_forget(two), world_forget(other);
}

static void a_key_makes_its_jobs_once_for_each_user(void **state) {
    (void)state;
    world_run(false, submit_twice_with_one_key, NULL);
}

static void submit_one_wrong(struct world *world) {
    wire_after after = {.id = 99, .condition = WIRE_AFTER_OK};
    wire_job jobs[] = {world_sleep(1), world_sleep(1), world_sleep(1)};
    jobs[1].after = &after;
    jobs[1].after_count = 1;
    struct asked *asked = world_ask(
        world, &(wire_request){.verb = WIRE_SUBMIT, .u.submit = {.key = {9}, .jobs = jobs, .count = 3}});
    expect(world, asked->reply.code == WIRE_NOT_FOUND);
    expect(world, strcmp(asked->reply.error, "job 2 of 3: after: there is no job 99") == 0);
    expect(world, world->jobs->submitted == 0 && world->jobs->live == 0 && world->jobs->live_bytes == 0);
    world_forget(asked);
}

static void one_wrong_job_refuses_all_and_is_named(void **state) {
    (void)state;
    world_run(false, submit_one_wrong, NULL);
}

static void submit_beyond(struct world *world) {
    wire_job job = world_sleep(1);
    world_submit_as(world, 7, &job, WIRE_OK);
    world_submit_as(world, 7, &job, WIRE_OK);
    world_submit_as(world, 7, &job, WIRE_FULL);
    world_submit_as(world, 8, &job, WIRE_OK);
    world_submit_as(world, 8, &job, WIRE_FULL);
    expect(world, world->jobs->live == 3 && world->jobs->refused == 2);
    struct asked *asked =
        world_ask_as(world, 7, 1, &(wire_request){.verb = WIRE_CANCEL, .u.cancel.select = all_jobs()});
    expect(world, asked->reply.u.cancel.matched == 2 && asked->reply.u.cancel.cancelled == 2);
    world_forget(asked);
    world_submit_as(world, 8, &job, WIRE_OK);
}

static void limits_hold_for_all_and_for_each_user(void **state) {
    (void)state;
    world_run(false, submit_beyond, (const char *const[]){"queue_max=3", "jobs_per_user_max=2", NULL});
}

static void submit_while_draining(struct world *world) {
    wire_job job = world_sleep(1);
    world->jobs->draining = true;
    world_submit_as(world, 0, &job, WIRE_DRAINING);
}

static void a_draining_service_takes_no_jobs(void **state) {
    (void)state;
    world_run(false, submit_while_draining, NULL);
}

/* ---- access ------------------------------------------------------------------------------------------------------ */

static void touch_anothers_job(struct world *world) {
    wire_job job = world_sleep(1);
    uint64_t id = world_submit_as(world, 7, &job, WIRE_OK);
    wire_range range = {id, id};
    wire_selector it = {.ranges = &range, .range_count = 1, NOTHING};
    const wire_request requests[] = {
        {.verb = WIRE_SHOW, .u.show.id = id},         {.verb = WIRE_LOGS, .u.logs.id = id},
        {.verb = WIRE_CANCEL, .u.cancel.select = it}, {.verb = WIRE_WAIT, .u.wait.select = it},
        {.verb = WIRE_TASKS, .u.tasks.job = id},      {.verb = WIRE_DRAIN},
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct asked *asked = world_ask_as(world, 8, 1, &requests[i]);
        expect(world, asked->reply.code == WIRE_DENIED && *asked->reply.error);
        world_forget(asked);
    }
    wire_after after = {.id = id, .condition = WIRE_AFTER_ANY};
    job.after = &after;
    job.after_count = 1;
    world_submit_as(world, 8, &job, WIRE_DENIED);
    struct asked *mine = list(world, 7, all_jobs()), *others = list(world, 8, all_jobs()),
                 *roots = list(world, 0, all_jobs());
    expect(world, mine->reply.u.list.count == 1 && others->reply.u.list.count == 0 &&
                      roots->reply.u.list.count == 1);
    struct asked *events =
        world_ask_as(world, 8, 1, &(wire_request){.verb = WIRE_EVENTS, .u.events.select = all_jobs()});
    expect(world, events->reply.u.events.count == 0);
    world_forget(mine), world_forget(others), world_forget(roots), world_forget(events);
    expect(world, world_state(world, id) == WIRE_QUEUED);
}

static void the_jobs_of_another_user_are_out_of_reach(void **state) {
    (void)state;
    world_run(false, touch_anothers_job, NULL);
}

/* ---- select, list, show ------------------------------------------------------------------------------------------ */

static size_t matching(struct world *world, wire_selector select) {
    struct asked *asked = list(world, 0, select);
    size_t count = asked->reply.u.list.count;
    expect(world, asked->reply.code == WIRE_OK && asked->reply.u.list.total == count);
    world_forget(asked);
    return count;
}

static void select_in_all_ways(struct world *world) {
    const char *labels[] = {"colour=red", "plain"};
    const char *argv[] = {"true"};
    wire_job jobs[] = {world_sleep(1), world_sleep(1), world_exec(argv, 1)};
    jobs[0].labels = (wire_strings){labels, 2};
    jobs[1].group = "g";
    jobs[1].delay_ns = HD_SECONDS(3600);
    jobs[2].name = "n";
    uint64_t id = world_submit(world, jobs, 3);
    wire_range ranges[] = {{id + 1, UINT64_MAX}, {id + 2, id + 2}};
    expect(world, matching(world, (wire_selector){NOTHING}) == 0);
    expect(world, matching(world, all_jobs()) == 3);
    expect(world, matching(world, (wire_selector){.ranges = ranges, .range_count = 2, NOTHING}) == 2);
    expect(world, matching(world, (wire_selector){.label = "colour", .group = "", .name = ""}) == 1);
    expect(world, matching(world, (wire_selector){.label = "colour=red", .group = "", .name = ""}) == 1);
    expect(world, matching(world, (wire_selector){.label = "colour=re", .group = "", .name = ""}) == 0);
    expect(world, matching(world, (wire_selector){.label = "pla", .group = "", .name = ""}) == 0);
    expect(world, matching(world, (wire_selector){.label = "", .group = "g", .name = ""}) == 1);
    expect(world, matching(world, (wire_selector){.label = "", .group = "", .name = "n"}) == 1);
    expect(world, matching(world, (wire_selector){.kind = WIRE_EXEC, NOTHING}) == 1);
    expect(world, matching(world, (wire_selector){.states = 1u << WIRE_SCHEDULED, NOTHING}) == 1);
    expect(world,
           matching(world, (wire_selector){.states = 1u << WIRE_SCHEDULED, .kind = WIRE_EXEC, NOTHING}) == 0);
}

static void all_conditions_of_a_selector_have_to_hold(void **state) {
    (void)state;
    world_run(false, select_in_all_ways, NULL);
}

static void list_in_pages(struct world *world) {
    wire_job jobs[10];
    for (int i = 0; i < 10; i++)
        jobs[i] = world_sleep(1);
    uint64_t id = world_submit(world, jobs, 10);
    struct asked *page =
        world_ask(world, &(wire_request){.verb = WIRE_LIST,
                                         .u.list = {.select = all_jobs(), .after_id = id + 2, .limit = 4}});
    expect(world, page->reply.u.list.count == 4 && page->reply.u.list.more && page->reply.u.list.total == 10);
    expect(world, page->reply.u.list.jobs[0].outcome.id == id + 3);
    struct asked *newest =
        world_ask(world, &(wire_request){.verb = WIRE_LIST,
                                         .u.list = {.select = all_jobs(), .limit = 3, .newest = true}});
    expect(world, newest->reply.u.list.count == 3);
    for (size_t i = 0; i < newest->reply.u.list.count; i++)
        expect(world, newest->reply.u.list.jobs[i].outcome.id == id + 7 + i);
    world_forget(page), world_forget(newest);
}

static void lists_come_in_pages_from_either_end(void **state) {
    (void)state;
    world_run(false, list_in_pages, NULL);
}

static void say_why(struct world *world) {
    wire_job first = world_sleep(1);
    uint64_t id = world_submit(world, &first, 1);
    wire_after after = {.id = id, .condition = WIRE_AFTER_OK};
    wire_job jobs[] = {world_sleep(1), world_sleep(1)};
    jobs[0].delay_ns = HD_SECONDS(3600);
    jobs[1].after = &after;
    jobs[1].after_count = 1;
    world_submit(world, jobs, 2);
    struct asked *asked = list(world, 0, all_jobs());
    const wire_job_info *rows = asked->reply.u.list.jobs;
    char text[64];
    snprintf(text, sizeof text, "job %llu has to succeed", (unsigned long long)id);
    expect(world, asked->reply.u.list.count == 3);
    expect(world, strcmp(rows[0].why, "its turn comes next") == 0);
    expect(world, strncmp(rows[1].why, "delayed until 20", 16) == 0);
    expect(world, strcmp(rows[2].why, text) == 0);
    world_forget(asked);
}

static void who_is_not_running_says_why(void **state) {
    (void)state;
    world_run(false, say_why, NULL);
}

/* ---- wait -------------------------------------------------------------------------------------------------------- */

struct waiter {
    struct world *world;
    wire_request request;
    struct asked *asked;
};

static int64_t wait_in_task(void *arg) {
    struct waiter *waiter = arg;
    waiter->asked = world_ask(waiter->world, &waiter->request);
    return 0;
}

/* Runs the request beside the test, up to where it waits. */
static hd_task *begin(struct waiter *waiter) {
    hd_task *task = hd_spawn(wait_in_task, waiter);
    for (int i = 0; i < 10; i++)
        expect(waiter->world, hd_yield() == 0);
    return task;
}

static void cancel_one(struct world *world, uint64_t id) {
    jobs_cancel(world->jobs, table_get(&world->jobs->table, id), 0);
}

static void wait_for_all_and_any(struct world *world) {
    wire_job jobs[] = {world_sleep(1), world_sleep(1)};
    uint64_t id = world_submit(world, jobs, 2);
    wire_request request = {.verb = WIRE_WAIT, .u.wait.select = all_jobs()};
    struct waiter all = {world, request, NULL}, any = {world, request, NULL};
    any.request.u.wait.any = true;
    hd_task *tasks[] = {begin(&all), begin(&any)};
    expect(world, !all.asked && !any.asked);
    cancel_one(world, id + 1);
    expect(world, hd_join(tasks[1]) == 0);
    expect(world, any.asked->reply.u.wait.done == 1 && any.asked->reply.u.wait.total == 2);
    expect(world, any.asked->reply.u.wait.count == 1 && any.asked->reply.u.wait.outcomes[0].id == id + 1);
    expect(world, !all.asked);
    cancel_one(world, id);
    expect(world, hd_join(tasks[0]) == 0);
    expect(world, all.asked->reply.u.wait.done == 2 && all.asked->reply.u.wait.failed == 2);
    expect(world, all.asked->reply.u.wait.outcomes[1].state == WIRE_CANCELLED);
    world_forget(all.asked), world_forget(any.asked);
}

static void a_wait_is_over_when_all_or_any_have_ended(void **state) {
    (void)state;
    world_run(false, wait_for_all_and_any, NULL);
}

static void wait_with_timeout(struct world *world) {
    wire_job job = world_sleep(1);
    world_submit(world, &job, 1);
    struct asked *asked = world_ask(
        world, &(wire_request){.verb = WIRE_WAIT, .u.wait = {.select = all_jobs(), .timeout_ns = HD_MS(5)}});
    expect(world,
           asked->reply.code == WIRE_OK && asked->reply.u.wait.timed_out && asked->reply.u.wait.done == 0);
    world_forget(asked);
}

static void a_wait_that_takes_too_long_says_so(void **state) {
    (void)state;
    world_run(false, wait_with_timeout, NULL);
}

static void leave_a_wait(struct world *world) {
    wire_job job = world_sleep(1);
    uint64_t id = world_submit(world, &job, 1);
    struct waiter waiter = {world, {.verb = WIRE_WAIT, .u.wait.select = all_jobs()}, NULL};
    hd_task *task = begin(&waiter);
    hd_cancel(task);
    expect(world, hd_join(task) == 0 && waiter.asked->reply.code == WIRE_DRAINING);
    expect(world, links_empty(&table_get(&world->jobs->table, id)->watches));
    world_forget(waiter.asked);
}

static void a_client_that_leaves_takes_its_wait_along(void **state) {
    (void)state;
    world_run(false, leave_a_wait, NULL);
}

static void wait_for_the_forgotten(struct world *world) {
    wire_job jobs[5];
    for (int i = 0; i < 5; i++)
        jobs[i] = world_sleep(0);
    uint64_t id = world_submit(world, jobs, 1);
    expect(world, world_await(world, id).state == WIRE_SUCCEEDED);
    /* Only now the others: of jobs that run beside each other, any may be the last to end. */
    uint64_t later = world_submit(world, jobs + 1, 4);
    for (int i = 0; i < 4; i++)
        expect(world, world_await(world, later + (uint64_t)i).state == WIRE_SUCCEEDED);
    while (table_get(&world->jobs->table, id))
        expect(world, hd_yield() == 0);
    wire_outcome outcome = world_await(world, id);
    expect(world, outcome.id == id && outcome.state == WIRE_SUCCEEDED && outcome.exit_code == 0);
    struct asked *show = world_ask(world, &(wire_request){.verb = WIRE_SHOW, .u.show.id = id});
    expect(world, show->reply.code == WIRE_NOT_FOUND && strstr(show->reply.error, "history"));
    expect(world, world->jobs->ended_count <= 2);
    world_forget(show);
}

static void a_forgotten_job_can_still_be_waited_for(void **state) {
    (void)state;
    world_run(true, wait_for_the_forgotten, (const char *const[]){"history=2", NULL});
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void follow_events(struct world *world) {
    wire_job job = world_sleep(1);
    struct waiter waiter = {
        world,
        {.verb = WIRE_EVENTS, .u.events = {.select = all_jobs(), .follow = true, .from_now = true}},
        NULL};
    hd_task *task = begin(&waiter);
    expect(world, !waiter.asked);
    uint64_t id = world_submit(world, &job, 1);
    expect(world, hd_join(task) == 0 && waiter.asked->reply.u.events.count == 1);
    const wire_event *event = waiter.asked->reply.u.events.events;
    expect(world, event->id == id && event->from == 0 && event->to == WIRE_QUEUED && event->sequence == 1);
    cancel_one(world, id);
    struct asked *rest = world_ask(
        world,
        &(wire_request){.verb = WIRE_EVENTS,
                        .u.events = {.select = all_jobs(), .from = waiter.asked->reply.u.events.next}});
    expect(world, rest->reply.u.events.count == 1 && rest->reply.u.events.events[0].to == WIRE_CANCELLED);
    world_forget(waiter.asked), world_forget(rest);
}

static void events_are_followed_without_a_gap(void **state) {
    (void)state;
    world_run(false, follow_events, NULL);
}

static void lose_events(struct world *world) {
    for (int i = 0; i < 20; i++) {
        wire_job job = world_sleep(1);
        cancel_one(world, world_submit(world, &job, 1));
    }
    struct asked *asked =
        world_ask(world, &(wire_request){.verb = WIRE_EVENTS, .u.events = {.select = all_jobs(), .from = 1}});
    expect(world, asked->reply.u.events.count == 16 && asked->reply.u.events.lost == 24);
    expect(world, asked->reply.u.events.next == 41);
    world_forget(asked);
}

static void what_is_no_longer_kept_is_counted(void **state) {
    (void)state;
    world_run(false, lose_events, (const char *const[]){"events_kept=16", NULL});
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void ask_for_what_is_not_there(struct world *world) {
    wire_range range = {12345, 12345};
    wire_selector it = {.ranges = &range, .range_count = 1, NOTHING};
    const wire_request requests[] = {
        {.verb = WIRE_SHOW, .u.show.id = 12345},      {.verb = WIRE_LOGS, .u.logs.id = 12345},
        {.verb = WIRE_CANCEL, .u.cancel.select = it}, {.verb = WIRE_WAIT, .u.wait.select = it},
        {.verb = WIRE_LIST, .u.list.select = it},     {.verb = WIRE_TASKS, .u.tasks.job = 12345},
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct asked *asked = world_ask(world, &requests[i]);
        expect(world, asked->reply.code == WIRE_NOT_FOUND && strstr(asked->reply.error, "12345"));
        world_forget(asked);
    }
    struct asked *unknown = world_ask(world, &(wire_request){.verb = (wire_verb)77});
    expect(world, unknown->reply.code == WIRE_UNSUPPORTED);
    world_forget(unknown);
}

static void a_job_that_is_not_there_is_named(void **state) {
    (void)state;
    world_run(false, ask_for_what_is_not_there, NULL);
}

static void look_at_the_service(struct world *world) {
    wire_job job = world_sleep(HD_SECONDS(3600));
    job.group = "g";
    job.parallel = 3;
    uint64_t id = world_submit(world, &job, 1);
    while (world_state(world, id) != WIRE_RUNNING)
        expect(world, hd_yield() == 0);
    struct asked *stats = world_ask(world, &(wire_request){.verb = WIRE_STATS});
    expect(world, stats->reply.u.stats.jobs[WIRE_RUNNING] == 1 && stats->reply.u.stats.memory_bytes > 0);
    expect(world,
           stats->reply.u.stats.runtime_count == 2 && stats->reply.u.stats.runtimes[0].loop_count == 2);
    expect(world, stats->reply.u.stats.group_count == 1 && stats->reply.u.stats.groups[0].parallel == 3);
    struct asked *tasks = world_ask(world, &(wire_request){.verb = WIRE_TASKS, .u.tasks.job = id});
    expect(world, tasks->reply.u.tasks.count == 1 && tasks->reply.u.tasks.tasks[0].job == id);
    expect(world, strcmp(tasks->reply.u.tasks.tasks[0].state, "delayed") == 0);
    world_forget(stats), world_forget(tasks);
}

static void stats_and_tasks_show_what_is_going_on(void **state) {
    (void)state;
    world_run(true, look_at_the_service, NULL);
}

/* The own tasks of scripts in one page of at most `limit`, and where the next page begins. */
static size_t page_of_scripts(struct world *world, uint64_t after_job, uint64_t after_id, uint32_t limit,
                              wire_task_info rows[8], bool *more) {
    struct asked *asked = world_ask(
        world, &(wire_request){.verb = WIRE_TASKS,
                               .u.tasks = {.after_job = after_job, .after_id = after_id, .limit = limit}});
    size_t count = 0;
    for (size_t i = 0; i < asked->reply.u.tasks.count && count < 8; i++)
        if (asked->reply.u.tasks.tasks[i].of_script)
            rows[count++] = asked->reply.u.tasks.tasks[i];
    *more = asked->reply.u.tasks.more;
    for (size_t i = 0; i < count; i++) /* they go with the reply */
        rows[i].name = rows[i].state = rows[i].waits_for = rows[i].runtime = NULL;
    world_forget(asked);
    return count;
}

static void look_at_scripts(struct world *world) {
    wire_job jobs[] = {world_script("spawn(sleep, 3600) sleep(3600)"),
                       world_script("spawn(sleep, 3600) sleep(3600)")};
    jobs[1].loop = WIRE_SINGLE;
    uint64_t id = world_submit(world, jobs, 2);
    wire_task_info rows[8];
    bool more;
    while (page_of_scripts(world, 0, 0, 0, rows, &more) < 4)
        expect(world, hd_yield() == 0);
    for (uint64_t i = 0; i < 4; i++)
        expect(world, rows[i].job == id + i / 2 && rows[i].id == 1 + i % 2);
    expect(world, page_of_scripts(world, id, 1, 2, rows, &more) == 2 && more);
    expect(world, rows[0].job == id && rows[0].id == 2 && rows[1].job == id + 1 && rows[1].id == 1);
    expect(world, page_of_scripts(world, id + 1, 1, 2, rows, &more) == 1 && !more);
    expect(world, page_of_scripts(world, id + 1, 2, 2, rows, &more) == 0 && !more);
    struct asked *other = world_ask_as(world, 1000, 2, &(wire_request){.verb = WIRE_TASKS});
    expect(world, other->reply.code == WIRE_OK && other->reply.u.tasks.count == 0);
    world_forget(other);
    struct asked *one = world_ask(world, &(wire_request){.verb = WIRE_TASKS, .u.tasks.job = id + 1});
    const wire_task_info *last = &one->reply.u.tasks.tasks[one->reply.u.tasks.count - 1];
    expect(world, last->of_script && last->id == 2 && strcmp(last->runtime, "single") == 0);
    expect(world, strcmp(last->state, "waiting") == 0 && *last->waits_for && last->age_ns > 0);
    world_forget(one);
}

static void tasks_of_scripts_come_behind_all_others_by_job_and_number(void **state) {
    (void)state;
    world_run(true, look_at_scripts, NULL);
}

static void read_reports(struct world *world) {
    wire_job jobs[] = {world_script("local t = spawn(error, 'lost') sleep(0) t = nil error('no')"),
                       world_script("")};
    jobs[0].retries = 1;
    jobs[0].backoff_ns = HD_MS(1);
    uint64_t bytes = world->jobs->live_bytes, id = world_submit(world, jobs, 2);
    expect(world, world_await(world, id).state == WIRE_FAILED);
    expect(world, world_await(world, id + 1).state == WIRE_SUCCEEDED);
    struct asked *asked = world_ask(world, &(wire_request){.verb = WIRE_SHOW, .u.show.id = id});
    const wire_script_report *told = &asked->reply.u.show.script;
    expect(world, strcmp(told->error, "x.lua:1: no") == 0 && *told->traceback && told->tasks == 2);
    expect(world, told->finding_count == 1 && told->findings[0].kind == WIRE_NOT_AWAITED);
    expect(world, asked->reply.u.show.attempt == 2);
    world_forget(asked);
    asked = world_ask(world, &(wire_request){.verb = WIRE_SHOW, .u.show.id = id + 1});
    expect(world, asked->reply.u.show.script.tasks == 1 && *asked->reply.u.show.script.error == '\0');
    world_forget(asked);
    expect(world, world->jobs->live_bytes == bytes);
    expect(world, world->jobs->kept_bytes == table_get(&world->jobs->table, id)->bytes +
                                                 table_get(&world->jobs->table, id + 1)->bytes);
}

static void the_report_of_the_last_attempt_is_kept_and_counted(void **state) {
    (void)state;
    world_run(true, read_reports, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_makes_its_jobs_once_for_each_user),
        cmocka_unit_test(one_wrong_job_refuses_all_and_is_named),
        cmocka_unit_test(limits_hold_for_all_and_for_each_user),
        cmocka_unit_test(a_draining_service_takes_no_jobs),
        cmocka_unit_test(the_jobs_of_another_user_are_out_of_reach),
        cmocka_unit_test(all_conditions_of_a_selector_have_to_hold),
        cmocka_unit_test(lists_come_in_pages_from_either_end),
        cmocka_unit_test(who_is_not_running_says_why),
        cmocka_unit_test(a_wait_is_over_when_all_or_any_have_ended),
        cmocka_unit_test(a_wait_that_takes_too_long_says_so),
        cmocka_unit_test(a_client_that_leaves_takes_its_wait_along),
        cmocka_unit_test(a_forgotten_job_can_still_be_waited_for),
        cmocka_unit_test(events_are_followed_without_a_gap),
        cmocka_unit_test(what_is_no_longer_kept_is_counted),
        cmocka_unit_test(a_job_that_is_not_there_is_named),
        cmocka_unit_test(stats_and_tasks_show_what_is_going_on),
        cmocka_unit_test(tasks_of_scripts_come_behind_all_others_by_job_and_number),
        cmocka_unit_test(the_report_of_the_last_attempt_is_kept_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
