/* How many jobs a connection may follow. */
#include "helpers.h"

#include "spawn.h"

enum { MOST = 3 };

static wire_code submit_followed(struct world *world, uint64_t client) {
    static uint8_t number;
    wire_job job = world_sleep(HD_SECONDS(3600));
    wire_request request = {.verb = WIRE_SUBMIT,
                            .u.submit = {.key = {++number}, .jobs = &job, .count = 1, .follow = true}};
    struct asked *asked = world_ask_as(world, 0, client, &request);
    wire_code code = asked->reply.code;
    world_forget(asked);
    return code;
}

static void follow_too_many(struct world *world) {
    for (int i = 0; i < MOST; i++)
        expect(world, submit_followed(world, 7) == WIRE_OK);
    expect(world, submit_followed(world, 7) == WIRE_FULL);
    expect(world, world->jobs->submitted == MOST && jobs_followed(world->jobs, 7) == MOST);
    expect(world, submit_followed(world, 8) == WIRE_OK);
    wire_request logs = {.verb = WIRE_LOGS, .u.logs = {.id = MOST + 1, .follow = true}};
    struct asked *asked = world_ask_as(world, 0, 7, &logs);
    expect(world, asked->reply.code == WIRE_FULL);
    world_forget(asked);
    api_client_gone(&world->api, 7);
    expect(world, jobs_followed(world->jobs, 7) == 0);
    expect(world, submit_followed(world, 7) == WIRE_OK);
}

static void a_connection_follows_a_limited_number_of_jobs(void **state) {
    (void)state;
    world_run(false, follow_too_many, (const char *const[]){"requests_per_client_max=3", NULL});
}

struct request_of_gone {
    struct world *world;
    wire_request request;
    wire_code code;
};

static int64_t ask(void *arg) {
    struct request_of_gone *gone = arg;
    struct asked *asked = world_ask_as(gone->world, 0, 7, &gone->request);
    gone->code = asked->reply.code;
    world_forget(asked);
    return 0;
}

/* The server has the request and the news of the end in one go: the request's task is cancelled before it runs. */
static void ask_and_leave(struct world *world, wire_request request) {
    struct request_of_gone gone = {.world = world, .request = request};
    hd_task *task = spawn_root("request", ask, &gone);
    expect(world, task != NULL);
    hd_cancel(task);
    api_client_gone(&world->api, 7);
    (void)!hd_join(task);
    expect(world, gone.code == WIRE_DRAINING);
    expect(world, jobs_followed(world->jobs, 7) == 0);
}

static void leave_before_following(struct world *world) {
    wire_job job = world_sleep(HD_SECONDS(3600));
    uint64_t id = world_submit(world, &job, 1);
    ask_and_leave(world, (wire_request){.verb = WIRE_LOGS, .u.logs = {.id = id, .follow = true}});
    ask_and_leave(world, (wire_request){.verb = WIRE_SUBMIT,
                                        .u.submit = {.key = {99}, .jobs = &job, .count = 1, .follow = true}});
    expect(world, world->jobs->submitted == 1);
}

static void who_has_left_before_the_request_is_looked_at_follows_nothing(void **state) {
    (void)state;
    world_run(false, leave_before_following, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_follows_a_limited_number_of_jobs),
        cmocka_unit_test(who_has_left_before_the_request_is_looked_at_follows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
