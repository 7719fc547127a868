/* What the service answers: functions from a decoded request to a reply, without sockets, so that tests and a fuzzer can
 * call them. Each runs in a task of the control runtime, and may await.
 *
 * Access: a job is its owner's; root and the service's own user see and touch all. */
#ifndef HEDDLED_API_H
#define HEDDLED_API_H

#include "arena.h"
#include "jobs.h"
#include "keys.h"

struct api {
    struct jobs *jobs;
    struct keys keys;
    hd_runtime *control; /* these three are for inspection; NULL: there is none */
    hd_runtime *multi;
    hd_runtime *single;
    uint64_t started_ns;
    uint64_t clients, requests; /* connected; in progress: the server keeps these */
};

/* Who asks. */
struct caller {
    uint32_t uid;
    uint64_t client; /* one connection */
};

/* False: no memory. The rest is filled in by the caller. */
bool api_init(struct api *api, struct jobs *jobs);
void api_fini(struct api *api);

/* Answers. `reply` is filled in; what it points to lies in the arena, or is constant. Cancelled while it waits, it answers
 * that the service is stopping. */
void api_answer(struct api *api, const struct caller *caller, const wire_request *request,
                struct arena *arena, wire_reply *reply);

/* The connection is gone. */
void api_client_gone(struct api *api, uint64_t client);

#endif
