/* Any bytes as requests of a client: each is decoded and answered, as root and as another user, by a service whose jobs never
 * start (there are no runtimes for them), and each answer is encoded. An input is one request, or several, each behind its
 * length in two bytes. */
#include "api.h"
#include "spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct ids *ids;
static const char *const environment[] = {NULL};

struct input {
    const uint8_t *data;
    size_t size;
    struct api api;
    const wire_request *request;
    uint32_t uid;
};

static void begin(void) {
    static char folder[] = "/tmp/fuzz-api-XXXXXX";
    static const struct config_setting settings[] = {
        {"queue_max", "1000", "fuzz"}, {"events_kept", "64", "fuzz"}, {"history", "20", "fuzz"}};
    struct config_sources sources = {.settings = settings, .count = 3};
    char error[CONFIG_ERROR_MAX];
    if (!config_load(&config, &sources, error) || !mkdtemp(folder) ||
        !(ids = ids_open(folder, error, sizeof error)))
        abort();
}

static int64_t answer(void *arg) {
    struct input *input = arg;
    struct arena arena = {0};
    struct caller caller = {.uid = input->uid, .client = 1};
    wire_reply reply;
    size_t length;
    api_answer(&input->api, &caller, input->request, &arena, &reply);
    uint8_t *bytes = wire_reply_encode(&reply, &length);
    char error[256];
    wire_reply *back = bytes ? wire_reply_decode(bytes, length, error, sizeof error) : NULL;
    if (!back)
        abort(); /* what we send can be read */
    wire_reply_free(back);
    free(bytes);
    arena_free(&arena);
    return 0;
}

/* A request that waits is cancelled after a moment. */
static void ask(struct input *input, const uint8_t *data, size_t size, uint32_t uid) {
    char error[256] = "";
    wire_code code;
    wire_request *request = wire_request_decode(data, size, &code, error, sizeof error);
    if (!request)
        return;
    input->request = request;
    input->uid = uid;
    hd_task *task = hd_spawn(answer, input);
    if (!task || hd_await_until(task, hd_after(HD_MS(1))) == HD_EDEADLK)
        abort();
    hd_release(task);
    wire_request_free(request);
}

static int64_t converse(void *arg) {
    struct input *input = arg;
    hd_task *scheduler = spawn_root("scheduler", jobs_schedule, input->api.jobs);
    ask(input, input->data, input->size, 0);
    while (input->size > 2) {
        size_t length = (size_t)(input->data[0] | input->data[1] << 8);
        input->data += 2;
        input->size -= 2;
        if (length > input->size)
            length = input->size;
        ask(input, input->data, length, length & 1 ? 0 : 1000);
        input->data += length;
        input->size -= length;
    }
    hd_cancel(scheduler);
    (void)!hd_join(scheduler);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {.data = data, .size = size};
    if (!ids)
        begin();
    struct jobs *jobs = jobs_create(&config, ids, environment);
    if (!jobs || !api_init(&input.api, jobs))
        abort();
    hd_run(&(hd_runtime_options){.name = "control", .loops = 1}, converse, &input);
    api_client_gone(&input.api, 1);
    api_fini(&input.api);
    jobs_destroy(jobs);
    return 0;
}
