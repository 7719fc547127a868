/* A service without a socket, for the tests of daemon/: a world with a job table, its scheduler, runtimes and handlers.
 *
 * The body of a test runs in a task of the control runtime, where cmocka's assertions must not be used: expect() notes the
 * first thing that is wrong, and world_run asserts on the test's own thread that there was none. */
#ifndef HEDDLED_TEST_HELPERS_H
#define HEDDLED_TEST_HELPERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api.h"

struct world {
    struct config config;
    struct ids *ids;
    struct jobs *jobs;
    struct api api;
    hd_runtime *multi, *single;
    char folder[64];
    char problem[512];
    void *data; /* the test's own */
};

typedef void world_body(struct world *world);

/* Runs `body` with settings ("key=value", NULL at the end). With `runs` jobs really run, on a multi runtime of two loops and
 * a single one; without, they stay queued. */
void world_run(bool runs, world_body *body, const char *const *settings);

void world_expect(struct world *world, bool condition, const char *text, const char *file, int line);
#define expect(world, condition) world_expect(world, condition, #condition, __FILE__, __LINE__)

/* Answers, as user 0 and client 1 (see also world_ask_as). The reply lives until world_forget. */
struct asked {
    wire_reply reply;
    struct arena arena;
};

struct asked *world_ask(struct world *world, const wire_request *request);
struct asked *world_ask_as(struct world *world, uint32_t uid, uint64_t client, const wire_request *request);
void world_forget(struct asked *asked);

/* A job with nothing but what it needs. */
wire_job world_sleep(uint64_t duration_ns);
wire_job world_exec(const char *const *argv, size_t count);

wire_job world_script(const char *code);

/* Submits; the id of the first, or 0 and an expectation that failed. */
uint64_t world_submit(struct world *world, const wire_job *jobs, size_t count);
uint64_t world_submit_as(struct world *world, uint32_t uid, const wire_job *job, wire_code expected);

/* Waits for the end of one job, and returns how it ended. */
wire_outcome world_await(struct world *world, uint64_t id);

wire_state world_state(struct world *world, uint64_t id);

/* An empty folder, and its removal with all that is in it. */
void folder_make(char path[64]);
void folder_remove(const char *path);

#endif
