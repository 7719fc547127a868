/* The transfer's driver collects what comes, and pauses when that is not taken. The strand takes it, and operations only wait
 * until there is something (answer_wait.c); so the body is in the script's memory, and a read that is cancelled takes nothing
 * along. */
#include "answer.h"

#include "answer_wait.h"
#include "headers.h"
#include "strand.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define RESPONSE "http.response"

/* The user values of what the script has: what begins errors; the fields of a response that streams; and why it failed. */
enum { RESPONSE_WHAT = 1, RESPONSE_FIELDS, RESPONSE_ERROR, RESPONSE_VALUES = RESPONSE_ERROR };

static answer *check(lua_State *L) {
    return *(answer **)luaL_checkudata(L, 1, RESPONSE);
}

static void drop(kept *kept) {
    answer_let_go(chain_entry(kept, answer, kept));
}

static int answer_gc(lua_State *L) {
    answer **place = luaL_checkudata(L, 1, RESPONSE);
    if (*place && kept_remove(&(*place)->kept))
        drop(&(*place)->kept);
    *place = NULL;
    type_is_gone(L);
    return 0;
}

static int answer_close(lua_State *L) {
    answer *self = check(L);
    self->is_closed = true;
    answer_drop(self);
    return 0;
}

/* Whoever reads it again is told the same. */
void answer_fail(lua_State *L, answer *self, const char *why) {
    lua_pushfstring(L, "%s: %s", self->what, why);
    answer_drop(self);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, RESPONSE_ERROR);
    lua_error(L);
    abort();
}

/* ---- the whole answer ------------------------------------------------------------------------------------------------- */

static _Noreturn void fail_by_memory(lua_State *L, answer *self) {
    answer_fail(L, self, "the answer is larger than the script's memory allows");
}

static int take(answer *self, http_piece *piece, http_result *result) {
    int taken = http_transfer_take(self->transfer, piece, result);
    self->has_ended = taken == 0;
    return taken;
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
        answer_fail(L, self, lua_tostring(L, -1));
    }
    if (result->broken)
        answer_fail(L, self, hd_strerror(result->broken));
    if (result->error)
        answer_fail(L, self, result->error);
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
    headers_end(L);
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
    while ((taken = take(self, &piece, &result)) == 1)
        keep_piece(L, self, &piece);
    if (taken == HD_EAGAIN)
        return answer_wait(L, self, HTTP_MUCH, take_all);
    check_result(L, self, &result);
    push_fields(L, self);
    answer_drop_transfer(self);
    lua_pushcfunction(L, push_body);
    lua_pushlightuserdata(L, self);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        fail_by_memory(L, self);
    answer_drop(self);
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
    if (head.status == 0 && take(self, &piece, &result) == 0)
        check_result(L, self, &result); /* there will be none */
    push_fields(L, self);
    lua_setiuservalue(L, 1, RESPONSE_FIELDS);
    lua_settop(L, 1);
    if (self->has_turn)
        self->strand->streams++;
    self->is_stream = self->has_turn;
    return 1;
}

static int read_piece(lua_State *L) {
    answer *self = check(L);
    http_piece piece;
    http_result result;
    if (self->is_closed)
        answer_fail(L, self, "the response is closed");
    if (!self->transfer) /* that was all: nil; or it failed */
        return lua_getiuservalue(L, 1, RESPONSE_ERROR) == LUA_TNIL ? 1 : lua_error(L);
    int taken = take(self, &piece, &result);
    if (taken == HD_EAGAIN)
        return answer_wait(L, self, HTTP_PIECE, read_piece);
    if (taken == 1) {
        self->piece = piece.data;
        lua_pushlstring(L, piece.data, piece.length);
        answer_drop_body(self);
        return 1;
    }
    check_result(L, self, &result);
    answer_drop_transfer(self);
    lua_pushnil(L);
    return 1;
}

/* read() -> the next piece; nil: that was all */
static int response_read(lua_State *L) {
    answer *self = check(L);
    lua_settop(L, 1);
    answer_drop_body(self); /* what memory did not suffice for */
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
    if (lua_getiuservalue(L, 1, RESPONSE_FIELDS) != LUA_TTABLE)
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
    answer **place = lua_newuserdatauv(L, sizeof *place, RESPONSE_VALUES);
    *place = NULL;
    luaL_setmetatable(L, RESPONSE);
    *place = answer_create(strand_of(L));
    if (!*place)
        luaL_error(L, "not enough memory");
    kept_add(strand_of(L), &(*place)->kept, drop);
    return *place;
}

/* Stack: the answer, and what the request is made of. */
static int begin(lua_State *L) {
    answer *self = check(L);
    if (!answer_reserve(L, self))
        answer_fail(L, self, "the requests under way are larger than the script's memory allows");
    self->transfer = http_transfer_create(&self->request);
    if (!self->transfer)
        answer_fail(L, self, "not enough memory");
    lua_settop(L, 1);
    return answer_wait(L, self, self->streams ? HTTP_HEAD : HTTP_MUCH, self->streams ? give_head : take_all);
}

int answer_await(lua_State *L, const http_request *request, const char *what, bool streams, uint64_t timeout_ns) {
    answer *self = answer_new(L);
    self->request = *request;
    self->streams = streams;
    self->timeout_ns = timeout_ns;
    self->deadline_ns = hd_after(timeout_ns);
    self->what = what;
    self->max_bytes = request->max_bytes;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, RESPONSE_WHAT);
    lua_insert(L, 1);
    return answer_take_turn(L, self, begin);
}
