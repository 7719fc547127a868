/* The strand: the heddle task on which a script's tasks take turns, and all that a script is while it runs.
 *
 * Only the strand touches this, and the Lua state, save for what is marked: the inbox, where other threads leave what
 * they have for it (inbox.c), and the list of tasks, which people may look at (script.c). */
#ifndef STRAND_H
#define STRAND_H

#include "budget.h"
#include "blocks.h"
#include "finding.h"
#include "future.h"
#include "operation.h"
#include "output.h"
#include "script.h"
#include "timers.h"

#include <pthread.h>

struct strand {
    const script_options *options;
    lua_State *state; /* its main thread; NULL: closed */

    /* the loop */
    chain ready; /* callbacks of the next turn */
    chain turn;  /* and what is left of this one */
    timers timers;
    uint64_t clock_ns; /* of a virtual clock */

    /* tasks */
    task *main;
    task *current;    /* whose turn it is */
    future *awaiting; /* what the yield that is on its way to the strand waits for; NULL: nothing */
    const char *awaiting_name;
    uint64_t opened;     /* libraries, of globals.c's */
    bool passing;        /* there is such a yield: one that is not coroutine.yield's */
    unsigned unwaitable; /* functions are running within which nothing can wait */
    uint64_t task_count, live_tasks;
    uint64_t walks; /* each marks the tasks that it reaches with its number: task->walk */
    int anchors;    /* in the registry: holds the tasks that have not ended; */
    int idle;       /* the coroutines of those that have, for others, until they are collected */
    int idle_count;
    const void *task_type;    /* the metatable of tasks, as lua_topointer has it, */
    int task_meta;            /* and in the registry */
    const void *cancelled;    /* the values of these names, */
    const void *timed_out;    /* as lua_topointer has them */
    const void *rethrown;     /* the error that was last raised again in who awaited it, */
    char *rethrown_traceback; /* and where it came from */
    findings findings;

    /* its end */
    const char *kill_reason;  /* why no more Lua is to run; NULL: it may */
    bool killed_by_cancel;    /* and that is no failure */
    char kill_text[200];      /* a reason with numbers in it */
    uint64_t cancelled_at_ns; /* 0: it was not */
    uint64_t kill_at_ns;      /* when the grace period is over */
    bool turned;              /* the loop was reached since it was cancelled */

    /* limits */
    size_t memory_bytes, memory_peak_bytes, memory_limit;
    size_t small_bytes; /* of that, in small blocks */
    blocks blocks;
    bool has_grown; /* so that it has those, if they were to be had */
    unsigned refusals; /* of memory, in a row */
    uint64_t since_ns; /* when it got its loop */
    uint64_t ran_ns;   /* before that */
    output output;
    budget beside;          /* memory that operations hold; these two: any thread */
    budget descriptors;     /* that values and operations hold (descriptors.h) */
    hd_semaphore *requests; /* of HTTP, that may still begin; NULL: there was none */
    unsigned streams;       /* of those that have begun, how many end only as the script reads, or closes them */

    /* what goes on outside */
    operation *ended_operations; /* to be freed */
    operation *filled;           /* the errand whose arguments are being read; NULL: none is (errand.c) */
    uint64_t held;
    chain kept; /* what is held through userdata (kept.h) */
    hd_semaphore *commands; /* places for those that run at once; NULL: none has run yet (command.c) */
    hd_event *arrived;
    pthread_mutex_t inbox_lock; /* of the inbox */
    post *inbox, **inbox_end;

    /* for who looks in */
    pthread_mutex_t tasks_lock; /* of the list, and of the tasks' names */
    chain tasks;
    chain link; /* among all strands */
    uint64_t job;
};

/* ---- strand.c ---- */

/* Now, by the script's clock. */
uint64_t strand_now(const strand *self);

/* Turns of the loop until `until` has ended, and one more, as asyncio's run_until_complete does. */
void strand_run_until(strand *self, future *until);

/* One turn, without waiting for anything. */
void strand_turn(strand *self);

/* No more Lua is to run. `reason` is constant, or strand->kill_text. */
void strand_kill(strand *self, const char *reason);

/* Was the heddle task cancelled? Then, once, the script's main task is too. */
void strand_notice_cancel(strand *self);

/* What each Lua thread carries (lua_getextraspace): its strand, and whether a task has it, so that the script may not resume
 * it: because it is a task's own, or because a task waits within it. */
void thread_set_taken(lua_State *L, bool taken);
bool thread_is_taken(lua_State *L);

/* ---- inbox.c ---- */

bool inbox_init(strand *self);
void inbox_fini(strand *self);

/* Runs all posts that are there. */
void inbox_take(strand *self);

/* Waits for a post until the deadline. 0, HD_ETIMEDOUT, HD_ECANCELED. */
int inbox_wait(strand *self, uint64_t deadline_ns);

/* ---- operation.c ---- */

/* Frees what has ended. */
void operations_free_ended(strand *self);

/* Its task does not wait for it any more. */
void operation_abandon(operation *op);

/* ---- memory.c ---- */

/* Lua's allocator, for which `strand` has a limit. */
void *memory_allocate(void *strand, void *block, size_t old_bytes, size_t bytes);

/* What is said when there is none. */
void memory_describe_limit(const strand *self, char *text, size_t bytes);

#endif
