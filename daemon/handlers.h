/* The handlers behind api.c's table, a file each or a few in one, and what they share. */
#ifndef HEDDLED_HANDLERS_H
#define HEDDLED_HANDLERS_H

#include "api.h"
#include "pace.h"
#include "selection.h"

/* One request on its way. */
struct call {
    struct api *api;
    struct jobs *jobs;
    struct caller caller;
    const wire_request *request;
    struct arena *arena;
    wire_reply *reply;
};

typedef void handler(struct call *call);

handler handle_ping, handle_submit, handle_wait, handle_events, handle_list, handle_show, handle_logs,
    handle_cancel, handle_tasks, handle_stats, handle_drain, handle_input;

enum { ERROR_MAX = 512, TASK_ROWS_MOST = 4096 };

/* The reply is an error. */
void call_fail(struct call *call, wire_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void call_no_memory(struct call *call);

/* An await returned `result`, not 0: the service is stopping, or something is wrong with it. */
void call_interrupted(struct call *call, int result);

/* The job, if it is kept and the caller may see it; else NULL, and the reply is the error. */
struct job *call_job(struct call *call, uint64_t id);

/* May the caller's connection follow one more job? False: the reply is the error. */
bool call_may_follow(struct call *call);

/* Makes a selection ready and checks it; false: the reply is the error. */
bool call_select(struct call *call, struct selection *selection, const wire_selector *selector);

/* A row about a job, all copied into the arena; `whole`: with what only show tells. */
wire_job_info call_job_info(struct call *call, struct job *job, bool whole);

/* May the caller see the tasks of a job? (0: the service's own tasks.) */
bool call_may_see_tasks(const struct call *call, uint64_t job_id);

/* Adds rows about scripts' own tasks to a reply to `tasks`, up to `limit` in all. 0 or an error. */
int call_script_tasks(struct call *call, size_t limit);

/* The bytes of a text in a reply. */
size_t call_text_bytes(const char *text);

#endif
