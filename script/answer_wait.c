#include "answer_wait.h"

#include "errand.h"
#include "strand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARE = 2,                 /* of a loop's connections, of which a script has one */
    TRANSFER_BYTES = 16 << 10, /* besides what is copied */
};

/* ---- its life --------------------------------------------------------------------------------------------------------- */

answer *answer_create(strand *strand) {
    answer *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->strand = strand;
    self->holders = 1;
    self->body.budget = &strand->beside;
    return self;
}

void answer_drop_body(answer *self) {
    bytes_fini(&self->body);
    free(self->piece);
    self->piece = NULL;
}

/* The transfer is over. */
static void settle(answer *self) {
    budget_give(&self->strand->beside, self->reserved_bytes);
    self->reserved_bytes = 0;
    if (self->has_turn)
        hd_semaphore_release(self->strand->requests);
    if (self->is_stream)
        self->strand->streams--;
    self->has_turn = self->is_stream = false;
}

static void end_left(void *arg) {
    answer *self = arg;
    http_transfer_destroy(self->left);
}

static void left_has_ended(void *arg) {
    answer *self = arg;
    self->left = NULL;
    settle(self);
    answer_let_go(self);
}

/* It goes on until its driver hears of that. */
static void leave(answer *self, http_transfer *transfer) {
    self->left = transfer;
    self->holders++;
    if (errand_leave(self->strand, end_left, left_has_ended, self))
        return;
    http_transfer_break_off(transfer);
    http_transfer_put(transfer);
    left_has_ended(self);
}

void answer_drop_transfer(answer *self) {
    http_transfer *transfer = self->transfer;
    self->transfer = NULL;
    if (self->left)
        return;
    if (transfer && self->is_started && !self->has_ended) {
        leave(self, transfer);
        return;
    }
    http_transfer_put(transfer);
    settle(self);
}

void answer_drop(answer *self) {
    answer_drop_transfer(self);
    answer_drop_body(self);
}

void answer_let_go(answer *self) {
    if (--self->holders > 0)
        return;
    self->holders = 1;
    answer_drop(self);
    if (--self->holders == 0)
        free(self);
}

/* ---- its turn --------------------------------------------------------------------------------------------------------- */

static unsigned turns_of_a_script(void) {
    unsigned turns = (unsigned)http_connections() / SHARE;
    return turns ? turns : 1;
}

typedef struct turn_wait {
    operation op;
    answer *answer;
    uint64_t deadline_ns;
    int code; /* 0: it has the turn */
    lua_CFunction go_on;
} turn_wait;

static void turn_run(operation *op) {
    turn_wait *self = (turn_wait *)op;
    self->code = hd_semaphore_acquire(op->strand->requests, self->deadline_ns);
}

static _Noreturn void fail_late(lua_State *L, answer *self, const char *why) {
    char text[160];
    snprintf(text, sizeof text, "no answer within %g seconds%s", (double)self->timeout_ns / 1e9, why);
    answer_fail(L, self, text);
}

static _Noreturn void fail_in_line(lua_State *L, answer *self) {
    char why[100];
    snprintf(why, sizeof why, ": the script has %u requests under way, which is the most it may have", turns_of_a_script());
    fail_late(L, self, why);
}

static int turn_finish(lua_State *L, operation *op) {
    turn_wait *self = (turn_wait *)op;
    int code = self->code;
    self->code = HD_ECANCELED;
    self->answer->has_turn = code == 0;
    if (code == HD_ETIMEDOUT)
        fail_in_line(L, self->answer);
    if (code)
        answer_fail(L, self->answer, hd_strerror(code));
    return self->go_on(L);
}

static void turn_destroy(operation *op) {
    turn_wait *self = (turn_wait *)op;
    if (self->code == 0)
        hd_semaphore_release(self->answer->strand->requests);
    answer_let_go(self->answer);
    free(self);
}

int answer_take_turn(lua_State *L, answer *self, lua_CFunction go_on) {
    static const operation_class class = {"http (in line)", turn_run, turn_finish, turn_destroy};
    strand *strand = self->strand;
    if (!strand->requests)
        strand->requests = hd_semaphore_create(turns_of_a_script());
    turn_wait *made = calloc(1, sizeof *made);
    if (!strand->requests || !made) {
        free(made);
        answer_fail(L, self, "not enough memory");
    }
    bool has_turn = hd_semaphore_try(strand->requests) == 0;
    if (!has_turn && strand->streams >= turns_of_a_script()) {
        lua_gc(L, LUA_GCCOLLECT); /* nobody may have some of them any more */
        has_turn = hd_semaphore_try(strand->requests) == 0;
    }
    if (has_turn) {
        free(made);
        self->has_turn = true;
        return go_on(L);
    }
    *made = (turn_wait){.op.class = &class,
                        .answer = self,
                        .deadline_ns = self->deadline_ns,
                        .code = HD_ECANCELED,
                        .go_on = go_on};
    self->holders++;
    return operation_await(L, &made->op);
}

/* ---- what is copied --------------------------------------------------------------------------------------------------- */

static size_t copied_bytes(const http_request *request) {
    size_t copied = strlen(request->url) + request->body_bytes + 2 * request->ca_bytes;
    if (request->proxy)
        copied += strlen(request->proxy);
    for (size_t i = 0; i < request->header_count; i++)
        copied += strlen(request->headers[i]);
    return copied;
}

bool answer_reserve(lua_State *L, answer *self) {
    size_t needed = TRANSFER_BYTES + copied_bytes(&self->request);
    if (!strand_take(L, &self->strand->beside, needed))
        return false;
    self->reserved_bytes = needed;
    return true;
}

/* ---- the transfer ----------------------------------------------------------------------------------------------------- */

typedef struct waiting {
    operation op;
    answer *answer;
    http_transfer *transfer;
    bool starts, leaves; /* if nobody waits for it any more */
    http_until until;
    uint64_t deadline_ns;
    int code;
    lua_CFunction go_on;
} waiting;

static int64_t wait_in_scope(hd_scope *scope, void *arg) {
    waiting *self = arg;
    (void)scope;
    if (self->starts) {
        int code = http_transfer_start(self->transfer);
        if (code)
            return code;
        self->starts = false;
    }
    return http_transfer_wait(self->transfer, self->until);
}

static void wait_run(operation *op) {
    waiting *self = (waiting *)op;
    if (self->deadline_ns == HD_NEVER)
        self->code = (int)wait_in_scope(NULL, self);
    else
        self->code = (int)hd_scope_run(self->deadline_ns, wait_in_scope, self);
}

static int wait_finish(lua_State *L, operation *op) {
    waiting *self = (waiting *)op;
    answer *answer = self->answer;
    self->leaves = false;
    answer->is_started = !self->starts;
    if (self->code == HD_ETIMEDOUT && self->deadline_ns != HD_NEVER)
        fail_late(L, answer, "");
    if (self->code) {
        const char *text = self->starts ? http_transfer_error(self->transfer) : "";
        answer_fail(L, answer, *text ? text : hd_strerror(self->code));
    }
    return self->go_on(L);
}

static void wait_destroy(operation *op) {
    waiting *self = (waiting *)op;
    if (self->leaves) {
        self->answer->is_started = !self->starts;
        answer_drop(self->answer);
    }
    http_transfer_put(self->transfer);
    answer_let_go(self->answer);
    free(self);
}

int answer_wait(lua_State *L, answer *self, http_until until, lua_CFunction go_on) {
    static const operation_class classes[] = {{"http", wait_run, wait_finish, wait_destroy},
                                              {"http.read", wait_run, wait_finish, wait_destroy}};
    waiting *made = calloc(1, sizeof *made);
    if (!made)
        answer_fail(L, self, "not enough memory");
    *made = (waiting){.op.class = &classes[until == HTTP_PIECE],
                      .answer = self,
                      .transfer = http_transfer_get(self->transfer),
                      .starts = !self->is_started,
                      .leaves = until != HTTP_PIECE,
                      .until = until,
                      .deadline_ns = self->deadline_ns,
                      .go_on = go_on};
    self->holders++;
    return operation_await(L, &made->op);
}
