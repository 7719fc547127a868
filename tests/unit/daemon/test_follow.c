/* How many jobs a connection may follow. */
#include "helpers.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_follows_a_limited_number_of_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
