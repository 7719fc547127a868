/* shell.c, api_input.c: lines for shells, and whose they are. */
#include "helpers.h"

#include "drain.h"
#include "spawn.h"

#include <stdio.h>
#include <string.h>

enum { OWNER = 7, OTHER = 8, CLIENT = 3, OTHER_CLIENT = 4 };

#define NOTHING .group = "", .label = "", .name = ""

/* ---- what is asked ----------------------------------------------------------------------------------------------- */

static wire_job shell(void) {
    wire_job job = world_script("");
    job.u.lua.program = "shell";
    job.u.lua.interactive = true;
    return job;
}

static struct asked *submit(struct world *world, wire_job *job, bool follow) {
    static uint8_t key;
    wire_request request = {.verb = WIRE_SUBMIT,
                            .u.submit = {.key = {++key}, .jobs = job, .count = 1, .follow = follow}};
    return world_ask_as(world, OWNER, CLIENT, &request);
}

static uint64_t begin(struct world *world, wire_job job) {
    struct asked *asked = submit(world, &job, true);
    uint64_t id = asked->reply.code ? 0 : asked->reply.u.submit.first_id;
    expect(world, id != 0);
    world_forget(asked);
    return id;
}

static struct asked *input_as(struct world *world, uint32_t uid, uint64_t client, uint64_t id, wire_act act,
                              const char *code) {
    wire_request request = {
        .verb = WIRE_INPUT,
        .u.input = {.id = id, .act = act, .code = {(const uint8_t *)code, strlen(code)}, .name = ""}};
    return world_ask_as(world, uid, client, &request);
}

static void answer_is(struct world *world, struct asked *asked, wire_line_end end, const char *text) {
    const wire_reply *reply = &asked->reply;
    bool right =
        reply->code == WIRE_OK && reply->u.input.end == end && strcmp(reply->u.input.text, text) == 0;
    if (!right && !*world->problem)
        snprintf(world->problem, sizeof world->problem, "expected %d \"%s\", got code %d (%s), %d \"%s\"",
                 end, text, reply->code, reply->error ? reply->error : "",
                 reply->code ? 0 : reply->u.input.end, reply->code ? "" : reply->u.input.text);
    world_forget(asked);
}

static void line_is(struct world *world, uint64_t id, const char *code, wire_line_end end, const char *text) {
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_LINE, code), end, text);
}

static void refused(struct world *world, struct asked *asked, wire_code code, const char *part) {
    bool right = asked->reply.code == code && strstr(asked->reply.error, part);
    if (!right && !*world->problem)
        snprintf(world->problem, sizeof world->problem, "expected %d \"%s\", got %d \"%s\"", code, part,
                 asked->reply.code, asked->reply.error ? asked->reply.error : "");
    world_forget(asked);
}

/* A request beside. */
struct beside {
    struct world *world;
    uint64_t id;
    const char *code;
    struct asked *asked;
};

static int64_t ask_beside(void *arg) {
    struct beside *beside = arg;
    beside->asked = input_as(beside->world, OWNER, OTHER_CLIENT, beside->id, WIRE_ACT_LINE, beside->code);
    return 0;
}

/* Waits until the shell has printed something behind `offset`. */
static void await_output(struct world *world, uint64_t id, uint64_t offset) {
    wire_request request = {.verb = WIRE_LOGS, .u.logs = {.id = id, .offset = offset, .follow = true}};
    struct asked *asked = world_ask_as(world, OWNER, CLIENT, &request);
    expect(world, asked->reply.code == WIRE_OK);
    world_forget(asked);
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void talk(struct world *world) {
    wire_job job = shell();
    job.loop = WIRE_SINGLE;
    uint64_t id = begin(world, job);
    line_is(world, id, "1 + 1", WIRE_LINE_DONE, "2");
    line_is(world, id, "x = 5", WIRE_LINE_DONE, "");
    line_is(world, id, "x =", WIRE_LINE_INCOMPLETE, "shell:1: unexpected symbol near <eof>");
    line_is(world, id, "error('no', 0)", WIRE_LINE_FAILED, "no");
    line_is(world, id, "await(spawn(function() sleep(0.01) return x end))", WIRE_LINE_DONE, "5");
    struct asked *asked = input_as(world, OWNER, CLIENT, id, WIRE_ACT_LINE, "print('hello')");
    expect(world, asked->reply.u.input.offset == strlen("hello\n"));
    world_forget(asked);
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_NAMES, "gath"), WIRE_LINE_DONE, "gather\n");
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_INTERRUPT, ""), 0, "");
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_END, ""), 0, "");
    expect(world, world_await(world, id).state == WIRE_SUCCEEDED);
    refused(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_LINE, "1"), WIRE_WRONG_STATE, "has ended");
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_END, ""), 0, "");
}

static void a_shell_runs_lines_until_there_are_no_more(void **state) {
    (void)state;
    world_run(true, talk, NULL);
}

static void run_a_file(struct world *world) {
    uint64_t id = begin(world, shell());
    const char *code = "return 1 +\n nil";
    wire_request request = {
        .verb = WIRE_INPUT,
        .u.input = {
            .id = id, .act = WIRE_ACT_LINE, .code = {(const uint8_t *)code, strlen(code)}, .name = "a.lua"}};
    answer_is(world, world_ask_as(world, OWNER, CLIENT, &request), WIRE_LINE_FAILED,
              "a.lua:1: attempt to perform arithmetic on a nil value");
}

static void a_named_line_is_that_file(void **state) {
    (void)state;
    world_run(true, run_a_file, NULL);
}

static void ask_as_others(struct world *world) {
    uint64_t id = begin(world, shell());
    static const wire_act acts[] = {WIRE_ACT_LINE, WIRE_ACT_NAMES, WIRE_ACT_INTERRUPT, WIRE_ACT_END};
    for (size_t i = 0; i < 4; i++) {
        refused(world, input_as(world, OTHER, CLIENT, id, acts[i], "x = 1"), WIRE_DENIED, "another user");
        refused(world, input_as(world, 0, CLIENT, id, acts[i], "x = 1"), WIRE_DENIED,
                "user 7, who alone may");
    }
    line_is(world, id, "x", WIRE_LINE_DONE, "nil");
    answer_is(world, input_as(world, OWNER, OTHER_CLIENT, id, WIRE_ACT_LINE, "x = 2"), WIRE_LINE_DONE, "");
    line_is(world, id, "x", WIRE_LINE_DONE, "2");
}

static void only_the_owner_gives_lines(void **state) {
    (void)state;
    world_run(true, ask_as_others, NULL);
}

static void submit_wrong_ones(struct world *world) {
    wire_job job = shell();
    refused(world, submit(world, &job, false), WIRE_INVALID, "interactive: a shell ends with its client");
    job.retries = 1;
    refused(world, submit(world, &job, true), WIRE_INVALID, "retries: a shell cannot be tried again");
    job = world_script("sleep(100)");
    uint64_t id = world_submit_as(world, OWNER, &job, WIRE_OK);
    refused(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_LINE, "1"), WIRE_WRONG_STATE,
            "it is no shell");
    refused(world, input_as(world, OWNER, CLIENT, 99, WIRE_ACT_LINE, "1"), WIRE_NOT_FOUND,
            "there is no job 99");
}

static void what_is_no_shell_takes_no_lines(void **state) {
    (void)state;
    world_run(true, submit_wrong_ones, NULL);
}

static void leave_while_a_line_runs(struct world *world) {
    uint64_t id = begin(world, shell());
    struct beside beside = {world, id, "print('begins') sleep(1000)", NULL};
    hd_task *task = spawn_root("beside", ask_beside, &beside);
    await_output(world, id, 0);
    api_client_gone(&world->api, OTHER_CLIENT);
    expect(world, world_state(world, id) == WIRE_RUNNING);
    api_client_gone(&world->api, CLIENT);
    expect(world, world_await(world, id).state == WIRE_CANCELLED);
    (void)!hd_join(task);
    answer_is(world, beside.asked, WIRE_LINE_CANCELLED, "");
}

static void a_shell_ends_with_the_client_that_submitted_it(void **state) {
    (void)state;
    world_run(true, leave_while_a_line_runs, NULL);
}

static void wait_before_it_runs(struct world *world) {
    wire_job job = shell();
    job.delay_ns = HD_SECONDS(1000);
    uint64_t id = begin(world, job);
    struct beside beside = {world, id, "1", NULL};
    hd_task *task = spawn_root("beside", ask_beside, &beside);
    (void)!hd_await_until(task, hd_after(HD_MS(1)));
    hd_release(task);
    refused(world, beside.asked, WIRE_DRAINING, "stopping");
    task = spawn_root("beside", ask_beside, &beside);
    (void)!hd_yield();
    api_client_gone(&world->api, CLIENT);
    expect(world, world_state(world, id) == WIRE_CANCELLED);
    (void)!hd_join(task);
    refused(world, beside.asked, WIRE_WRONG_STATE, "has ended");
}

static void lines_wait_for_a_shell_that_has_not_begun(void **state) {
    (void)state;
    world_run(true, wait_before_it_runs, NULL);
}

static void interrupt_a_line(struct world *world) {
    uint64_t id = begin(world, shell());
    struct beside beside = {world, id, "log('begins') while true do end", NULL};
    hd_task *task = spawn_root("beside", ask_beside, &beside);
    await_output(world, id, 0);
    answer_is(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_INTERRUPT, ""), 0, "");
    (void)!hd_join(task);
    answer_is(world, beside.asked, WIRE_LINE_CANCELLED, "");
    line_is(world, id, "'goes on'", WIRE_LINE_DONE, "goes on");
}

static void an_interrupt_ends_the_line_and_not_the_shell(void **state) {
    (void)state;
    world_run(true, interrupt_a_line, NULL);
}

static void give_too_many(struct world *world) {
    uint64_t id = begin(world, shell());
    struct beside beside[16];
    hd_task *tasks[16];
    for (int i = 0; i < 16; i++) {
        beside[i] = (struct beside){world, id, "sleep(0.01)", NULL};
        tasks[i] = spawn_root("beside", ask_beside, &beside[i]);
    }
    (void)!hd_yield();
    refused(world, input_as(world, OWNER, CLIENT, id, WIRE_ACT_LINE, "1"), WIRE_FULL, "16 lines of shell 1");
    for (int i = 0; i < 16; i++) {
        (void)!hd_join(tasks[i]);
        answer_is(world, beside[i].asked, WIRE_LINE_DONE, "");
    }
    line_is(world, id, "1", WIRE_LINE_DONE, "1");
}

static void few_lines_wait_at_once(void **state) {
    (void)state;
    world_run(true, give_too_many, NULL);
}

static void drain_with_shells(struct world *world) {
    uint64_t idle = begin(world, shell()), busy = begin(world, shell());
    struct beside beside = {world, busy, "print('begins') sleep(0.01) return 'ends'", NULL};
    hd_task *task = spawn_root("beside", ask_beside, &beside);
    await_output(world, busy, 0);
    line_is(world, idle, "1", WIRE_LINE_DONE, "1");
    expect(world, drain_begin(world->jobs, hd_after(HD_SECONDS(1000))) == 0);
    expect(world, world_await(world, idle).state == WIRE_CANCELLED);
    (void)!hd_join(task);
    answer_is(world, beside.asked, WIRE_LINE_DONE, "ends");
    expect(world, world_await(world, busy).state == WIRE_CANCELLED);
}

static void a_service_that_drains_waits_for_lines_and_not_for_shells(void **state) {
    (void)state;
    world_run(true, drain_with_shells, NULL);
}

static void list_shells(struct world *world) {
    wire_job job = shell();
    begin(world, job);
    job.u.lua.program = "a.lua";
    begin(world, job);
    struct asked *asked = world_ask_as(
        world, OWNER, CLIENT, &(wire_request){.verb = WIRE_LIST, .u.list.select = {.all = true, NOTHING}});
    expect(world, asked->reply.code == WIRE_OK && asked->reply.u.list.count == 2);
    expect(world, strcmp(asked->reply.u.list.jobs[0].summary, "shell") == 0);
    expect(world, strcmp(asked->reply.u.list.jobs[1].summary, "shell a.lua") == 0);
    world_forget(asked);
}

static void shells_are_listed_as_such(void **state) {
    (void)state;
    world_run(true, list_shells, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shell_runs_lines_until_there_are_no_more),
        cmocka_unit_test(a_named_line_is_that_file),
        cmocka_unit_test(only_the_owner_gives_lines),
        cmocka_unit_test(what_is_no_shell_takes_no_lines),
        cmocka_unit_test(a_shell_ends_with_the_client_that_submitted_it),
        cmocka_unit_test(lines_wait_for_a_shell_that_has_not_begun),
        cmocka_unit_test(an_interrupt_ends_the_line_and_not_the_shell),
        cmocka_unit_test(few_lines_wait_at_once),
        cmocka_unit_test(a_service_that_drains_waits_for_lines_and_not_for_shells),
        cmocka_unit_test(shells_are_listed_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
