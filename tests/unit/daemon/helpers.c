#include "helpers.h"

#include "handlers.h"
#include "spawn.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- folders ----------------------------------------------------------------------------------------------------- */

void folder_make(char path[64]) {
    const char *temporary = getenv("TMPDIR");
    snprintf(path, 64, "%.40s/heddled-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(path));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
    (void)status, (void)type, (void)where;
    return remove(path);
}

void folder_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- the world --------------------------------------------------------------------------------------------------- */

static const char *const no_environment[] = {"PATH=/usr/bin:/bin", NULL};

static void load(struct world *world, const char *const *settings) {
    struct config_setting all[16];
    char keys[16][64], error[CONFIG_ERROR_MAX];
    size_t count = 0;
    for (; settings && settings[count]; count++) {
        const char *equals = strchr(settings[count], '=');
        snprintf(keys[count], sizeof keys[count], "%.*s", (int)(equals - settings[count]), settings[count]);
        all[count] = (struct config_setting){.key = keys[count], .value = equals + 1, .origin = "test"};
    }
    struct config_sources sources = {.settings = all, .count = count};
    if (!config_load(&world->config, &sources, error))
        fail_msg("%s", error);
}

struct running {
    struct world *world;
    world_body *body;
};

static int64_t in_control(void *arg) {
    struct running *running = arg;
    struct world *world = running->world;
    hd_task *scheduler = spawn_root("scheduler", jobs_schedule, world->jobs);
    if (!scheduler)
        return HD_ENOMEM;
    running->body(world);
    struct asked *asked = world_ask(
        world, &(wire_request){.verb = WIRE_CANCEL,
                               .u.cancel.select = {.all = true, .group = "", .label = "", .name = ""}});
    world_forget(asked);
    if (world->multi)
        expect(world, hd_event_wait(world->jobs->idle, hd_after(HD_SECONDS(20))) == 0);
    hd_cancel(scheduler);
    (void)!hd_join(scheduler);
    return 0;
}

void world_run(bool runs, world_body *body, const char *const *settings) {
    static struct world world;
    char error[512];
    memset(&world, 0, sizeof world);
    load(&world, settings);
    folder_make(world.folder);
    world.ids = ids_open(world.folder, error, sizeof error);
    assert_non_null(world.ids);
    world.jobs = jobs_create(&world.config, world.ids, no_environment);
    assert_non_null(world.jobs);
    assert_true(api_init(&world.api, world.jobs));
    if (runs) {
        world.multi = hd_runtime_create(&(hd_runtime_options){.name = "multi", .loops = 2});
        world.single = hd_runtime_create(&(hd_runtime_options){.name = "single", .loops = 1});
        assert_true(world.multi && world.single);
        assert_int_equal(kinds_init(&(kind_settings){.http_max_bytes = 1 << 20, .http_connections = 8}), 0);
        world.jobs->runtimes[WIRE_MULTI] = world.api.multi = world.multi;
        world.jobs->runtimes[WIRE_SINGLE] = world.api.single = world.single;
    }
    struct running running = {&world, body};
    int64_t result = hd_run(&(hd_runtime_options){.name = "control", .loops = 1}, in_control, &running);
    if (runs) {
        hd_runtime_destroy(world.multi);
        hd_runtime_destroy(world.single);
        kinds_fini();
    }
    api_fini(&world.api);
    jobs_destroy(world.jobs);
    ids_close(world.ids);
    config_free(&world.config);
    folder_remove(world.folder);
    if (*world.problem)
        fail_msg("%s", world.problem);
    assert_int_equal(result, 0);
}

void world_expect(struct world *world, bool condition, const char *text, const char *file, int line) {
    if (!condition && !*world->problem)
        snprintf(world->problem, sizeof world->problem, "%s:%d: %s", file, line, text);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

struct asked *world_ask_as(struct world *world, uint32_t uid, uint64_t client, const wire_request *request) {
    struct asked *asked = calloc(1, sizeof *asked);
    struct caller caller = {.uid = uid, .client = client};
    if (!asked)
        abort();
    api_answer(&world->api, &caller, request, &asked->arena, &asked->reply);
    return asked;
}

struct asked *world_ask(struct world *world, const wire_request *request) {
    return world_ask_as(world, 0, 1, request);
}

void world_forget(struct asked *asked) {
    arena_free(&asked->arena);
    free(asked);
}

wire_job world_sleep(uint64_t duration_ns) {
    return (wire_job){.name = "",
                      .group = "",
                      .cwd = "",
                      .output = "",
                      .kind = WIRE_SLEEP,
                      .loop = WIRE_MULTI,
                      .u.sleep.duration_ns = duration_ns};
}

wire_job world_script(const char *code) {
    wire_job job = world_sleep(0);
    job.kind = WIRE_LUA;
    memset(&job.u, 0, sizeof job.u);
    job.u.lua.program = "x.lua";
    job.u.lua.code = (wire_bytes){(const uint8_t *)code, strlen(code)};
    return job;
}

wire_job world_exec(const char *const *argv, size_t count) {
    wire_job job = world_sleep(0);
    job.kind = WIRE_EXEC;
    job.u.exec.argv = (wire_strings){(const char **)argv, count};
    job.u.exec.input = (wire_bytes){0};
    return job;
}

static struct asked *submit(struct world *world, uint32_t uid, const wire_job *jobs, size_t count) {
    static uint64_t key;
    wire_request request = {.verb = WIRE_SUBMIT, .u.submit = {.jobs = (wire_job *)jobs, .count = count}};
    key++;
    memcpy(request.u.submit.key, &key, sizeof key);
    return world_ask_as(world, uid, 1, &request);
}

uint64_t world_submit(struct world *world, const wire_job *jobs, size_t count) {
    struct asked *asked = submit(world, 0, jobs, count);
    uint64_t id = asked->reply.code ? 0 : asked->reply.u.submit.first_id;
    if (asked->reply.code)
        world_expect(world, false, asked->reply.error, __FILE__, __LINE__);
    world_forget(asked);
    return id;
}

uint64_t world_submit_as(struct world *world, uint32_t uid, const wire_job *job, wire_code expected) {
    struct asked *asked = submit(world, uid, job, 1);
    uint64_t id = asked->reply.code ? 0 : asked->reply.u.submit.first_id;
    expect(world, asked->reply.code == expected);
    world_forget(asked);
    return id;
}

wire_outcome world_await(struct world *world, uint64_t id) {
    wire_range range = {id, id};
    wire_outcome outcome = {0};
    wire_request request = {
        .verb = WIRE_WAIT,
        .u.wait = {.select = {.ranges = &range, .range_count = 1, .group = "", .label = "", .name = ""},
                   .timeout_ns = HD_SECONDS(30)}};
    struct asked *asked = world_ask(world, &request);
    expect(world, asked->reply.code == WIRE_OK && asked->reply.u.wait.count == 1);
    if (asked->reply.code == WIRE_OK && asked->reply.u.wait.count == 1)
        outcome = asked->reply.u.wait.outcomes[0];
    outcome.error = "";
    world_forget(asked);
    return outcome;
}

wire_state world_state(struct world *world, uint64_t id) {
    struct job *job = table_get(&world->jobs->table, id);
    return job ? (wire_state)job->state : 0;
}
