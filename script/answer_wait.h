/* A request under way, and how the script waits for it. Private to answer*.c.
 *
 * All scripts of a loop share its connections. So a script has a number of turns, which is half of them, and a request
 * waits for one before its transfer is made; until it is over, the turn is taken, and what was copied for it counts in the
 * script's budget. A transfer that is left before its end is over when its driver has let go of it. */
#ifndef ANSWER_WAIT_H
#define ANSWER_WAIT_H

#include "budget.h"
#include "http_transfer.h"
#include "kept.h"
#include "operation.h"

/* The script has a userdata that points to it. On the strand. */
typedef struct answer {
    kept kept; /* by the userdata */
    struct strand *strand;
    int holders;             /* the userdata, each wait, and what ends a transfer that was left */
    http_transfer *transfer; /* NULL: there is none yet; it is over, or was left */
    http_transfer *left;     /* until it is over */
    bool has_turn, is_started, has_ended, is_closed, streams;
    bool is_stream; /* it streams, and the script has it (strand->streams) */
    size_t reserved_bytes;
    uint64_t timeout_ns;
    uint64_t deadline_ns; /* of the wait that it is in */
    const char *what;
    http_request request; /* of strings on the stack of who asks, until the transfer is made */
    uint64_t max_bytes;
    bytes body;  /* the whole, as far as it has come */
    char *piece; /* that is being given to the script; malloc'ed */
} answer;

/* NULL: no memory. */
answer *answer_create(struct strand *strand);
void answer_let_go(answer *self);

/* Lets go of what came of the body; of the transfer, wherever it is; of both. */
void answer_drop_body(answer *self);
void answer_drop_transfer(answer *self);
void answer_drop(answer *self);

/* For what the transfer will copy. False: there is no room for it. */
HD_CHECKED bool answer_reserve(lua_State *L, answer *self);

/* The ends of C functions whose stack begins with the answer: they wait for a turn, and for the transfer, which is started if it
 * was not; and then call `go_on` with the same stack. */
int answer_take_turn(lua_State *L, answer *self, lua_CFunction go_on);
int answer_wait(lua_State *L, answer *self, http_until until, lua_CFunction go_on);

/* Raises "WHAT: WHY". The stack begins with the answer. In answer.c. */
_Noreturn void answer_fail(lua_State *L, answer *self, const char *why);

#endif
