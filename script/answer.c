/* The transfer's driver collects what comes, and pauses when that is not taken. The strand takes it, and operations only wait
 * until there is something; so the body is in the script's memory, and a read that is cancelled takes nothing along. */
#include "answer.h"

#include "descriptors.h"
#include "headers.h"
#include "kept.h"
#include "strand.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE "http.response"

/* The script has a userdata that points to it. That one's user values: 1 `what`; 2 the fields of a response that streams. */
typedef struct answer {
    kept kept;
    struct strand *strand;
    http_transfer *transfer; /* which holds a descriptor; NULL: it has ended, or was closed */
    bool is_started, is_closed;
    uint64_t timeout_ns;
    uint64_t deadline_ns; /* of the wait that it is in */
    const char *what;
    uint64_t max_bytes;
    size_t held; /* of the budget: by the request, which the transfer has a copy of */
    bytes body;  /* the whole, as far as it has come */
    char *piece; /* that is being given to the script; malloc'ed */
} answer;

static answer *check(lua_State *L) {
    return *(answer **)luaL_checkudata(L, 1, RESPONSE);
}

static void drop_body(answer *self) {
    bytes_fini(&self->body);
    free(self->piece);
    self->piece = NULL;
}

static void drop_transfer(answer *self) {
    if (self->transfer)
        descriptors_give(self->strand, 1);
    if (self->transfer && self->is_started)
        http_transfer_break_off(self->transfer);
    http_transfer_put(self->transfer);
    self->transfer = NULL;
    budget_give(self->body.budget, self->held);
    self->held = 0;
}

static void destroy(kept *kept) {
    answer *self = chain_entry(kept, answer, kept);
    drop_transfer(self);
    drop_body(self);
    free(self);
}

static int answer_gc(lua_State *L) {
    answer **place = luaL_checkudata(L, 1, RESPONSE);
    if (*place && kept_remove(&(*place)->kept))
        destroy(&(*place)->kept);
    *place = NULL;
    type_is_gone(L);
    return 0;
}

static int answer_close(lua_State *L) {
    answer *self = check(L);
    self->is_closed = true;
    drop_transfer(self);
    drop_body(self);
    return 0;
}

static _Noreturn void fail(lua_State *L, answer *self, const char *why) {
    lua_pushfstring(L, "%s: %s", self->what, why);
    drop_transfer(self);
    drop_body(self);
    lua_error(L);
    abort();
}

/* ---- waiting ---------------------------------------------------------------------------------------------------------- */

typedef struct waiting {
    operation op;
    answer *answer; /* which the waiting task's stack holds; for finish */
    http_transfer *transfer;
    bool starts, breaks_off; /* if nobody waits for it any more */
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
    self->breaks_off = false;
    answer->is_started = !self->starts;
    if (self->code == HD_ETIMEDOUT && self->deadline_ns != HD_NEVER) {
        lua_pushfstring(L, "no answer within %f seconds", (lua_Number)answer->timeout_ns / 1e9);
        fail(L, answer, lua_tostring(L, -1));
    }
    if (self->code) {
        const char *text = self->starts ? http_transfer_error(self->transfer) : "";
        fail(L, answer, *text ? text : hd_strerror(self->code));
    }
    return self->go_on(L);
}

static void wait_destroy(operation *op) {
    waiting *self = (waiting *)op;
    if (self->breaks_off && !self->starts)
        http_transfer_break_off(self->transfer);
    http_transfer_put(self->transfer);
    free(self);
}

static int wait_for(lua_State *L, answer *self, http_until until, lua_CFunction go_on) {
    static const operation_class classes[] = {{"http", wait_run, wait_finish, wait_destroy},
                                              {"http.read", wait_run, wait_finish, wait_destroy}};
    waiting *made = calloc(1, sizeof *made);
    if (!made)
        fail(L, self, "not enough memory");
    *made = (waiting){.op.class = &classes[until == HTTP_PIECE],
                      .answer = self,
                      .transfer = http_transfer_get(self->transfer),
                      .starts = !self->is_started,
                      .breaks_off = until != HTTP_PIECE,
                      .until = until,
                      .deadline_ns = self->deadline_ns,
                      .go_on = go_on};
    return operation_await(L, &made->op);
}

/* ---- the whole answer ------------------------------------------------------------------------------------------------- */

static _Noreturn void fail_by_memory(lua_State *L, answer *self) {
    fail(L, self, "the answer is larger than the script's memory allows");
}

static void keep_piece(lua_State *L, answer *self, const http_piece *piece) {
    int code = bytes_add(&self->body, piece->data, piece->length);
    free(piece->data);
    if (code)
        fail_by_memory(L, self);
}

static void check_result(lua_State *L, answer *self, const http_result *result) {
    if (result->too_large) {
        lua_pushfstring(L, "the answer is larger than %I bytes", (lua_Integer)self->max_bytes);
        fail(L, self, lua_tostring(L, -1));
    }
    if (result->broken)
        fail(L, self, hd_strerror(result->broken));
    if (result->error)
        fail(L, self, result->error);
}

static void push_headers(lua_State *L, const http_head *head) {
    const char *line = head->lines, *end = head->lines + head->length;
    headers_push(L);
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop ? stop + 1 : end;
        const char *colon = memchr(line, ':', (size_t)(next - line));
        if (colon) {
            const char *from = colon + 1, *to = next;
            while (from < to && (*from == ' ' || *from == '\t'))
                from++;
            while (to > from && (to[-1] == '\n' || to[-1] == '\r' || to[-1] == ' ' || to[-1] == '\t'))
                to--;
            headers_add(L, line, (size_t)(colon - line), from, (size_t)(to - from));
        }
        line = next;
    }
}

/* Pushes a table with the status and the headers. */
static void push_fields(lua_State *L, answer *self) {
    http_head head = {.status = 0};
    (void)http_transfer_head(self->transfer, &head);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, head.status);
    lua_setfield(L, -2, "status");
    push_headers(L, &head);
    lua_setfield(L, -2, "headers");
}

static int push_body(lua_State *L) {
    const answer *self = lua_touserdata(L, 1);
    lua_pushlstring(L, self->body.data ? self->body.data : "", self->body.length);
    return 1;
}

/* Stack: the answer. */
static int take_all(lua_State *L) {
    answer *self = check(L);
    http_piece piece;
    http_result result;
    int taken;
    while ((taken = http_transfer_take(self->transfer, &piece, &result)) == 1)
        keep_piece(L, self, &piece);
    if (taken == HD_EAGAIN)
        return wait_for(L, self, HTTP_MUCH, take_all);
    check_result(L, self, &result);
    push_fields(L, self);
    drop_transfer(self);
    lua_pushcfunction(L, push_body);
    lua_pushlightuserdata(L, self);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        fail_by_memory(L, self);
    drop_body(self);
    lua_setfield(L, -2, "body");
    return 1;
}

/* ---- piece by piece --------------------------------------------------------------------------------------------------- */

/* Stack: the answer, which is the response. */
static int give_head(lua_State *L) {
    answer *self = check(L);
    http_head head = {.status = 0};
    http_piece piece;
    http_result result;
    (void)http_transfer_head(self->transfer, &head);
    if (head.status == 0 && http_transfer_take(self->transfer, &piece, &result) == 0)
        check_result(L, self, &result); /* there will be none */
    push_fields(L, self);
    lua_setiuservalue(L, 1, 2);
    lua_settop(L, 1);
    return 1;
}

static int read_piece(lua_State *L) {
    answer *self = check(L);
    http_piece piece;
    http_result result;
    if (self->is_closed)
        fail(L, self, "the response is closed");
    if (!self->transfer) {
        lua_pushnil(L);
        return 1;
    }
    int taken = http_transfer_take(self->transfer, &piece, &result);
    if (taken == HD_EAGAIN)
        return wait_for(L, self, HTTP_PIECE, read_piece);
    if (taken == 1) {
        self->piece = piece.data;
        lua_pushlstring(L, piece.data, piece.length);
        drop_body(self);
        return 1;
    }
    check_result(L, self, &result);
    drop_transfer(self);
    lua_pushnil(L);
    return 1;
}

/* read() -> the next piece; nil: that was all */
static int response_read(lua_State *L) {
    answer *self = check(L);
    lua_settop(L, 1);
    drop_body(self); /* what memory did not suffice for */
    self->deadline_ns = hd_after(self->timeout_ns);
    return read_piece(L);
}

/* for piece in response:chunks() do */
static int response_chunks(lua_State *L) {
    luaL_checkudata(L, 1, RESPONSE);
    lua_pushcfunction(L, response_read);
    lua_pushvalue(L, 1);
    return 2;
}

static int response_index(lua_State *L) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (lua_getiuservalue(L, 1, 2) != LUA_TTABLE)
        return 0;
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

void answer_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", answer_gc}, {"__close", answer_close}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"read", response_read}, {"chunks", response_chunks}, {"close", answer_close}, {NULL, NULL}};
    luaL_newmetatable(L, RESPONSE);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, response_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, RESPONSE);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ---- the request ------------------------------------------------------------------------------------------------------ */

static answer *answer_new(lua_State *L) {
    answer **place = lua_newuserdatauv(L, sizeof *place, 2);
    *place = NULL;
    luaL_setmetatable(L, RESPONSE);
    *place = calloc(1, sizeof **place);
    if (!*place)
        luaL_error(L, "not enough memory");
    (*place)->strand = strand_of(L);
    (*place)->body.budget = &strand_of(L)->beside;
    kept_add(strand_of(L), &(*place)->kept, destroy);
    return *place;
}

static size_t size_of(const http_request *request) {
    size_t bytes = strlen(request->url) + request->body_bytes + 2 * request->ca_bytes; /* for a proxy, too */
    if (request->proxy)
        bytes += strlen(request->proxy);
    for (size_t i = 0; i < request->header_count; i++)
        bytes += strlen(request->headers[i]);
    return bytes;
}

static void hold(lua_State *L, answer *self, size_t bytes) {
    if (!strand_take(L, self->body.budget, bytes))
        fail(L, self, "the request is larger than the script's memory allows");
    self->held = bytes;
}

int answer_await(lua_State *L, const http_request *request, const char *what, bool streams, uint64_t timeout_ns) {
    answer *self = answer_new(L);
    self->timeout_ns = timeout_ns;
    self->deadline_ns = hd_after(timeout_ns);
    self->what = what;
    self->max_bytes = request->max_bytes;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    hold(L, self, size_of(request));
    descriptors_take(L, what, 1);
    self->transfer = http_transfer_create(request);
    if (!self->transfer) {
        descriptors_give(self->strand, 1);
        fail(L, self, "not enough memory");
    }
    lua_replace(L, 1);
    lua_settop(L, 1);
    return wait_for(L, self, streams ? HTTP_HEAD : HTTP_MUCH, streams ? give_head : take_all);
}
