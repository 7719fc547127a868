#include "web_request.h"

#include "headers.h"
#include "web_response.h"
#include "vocabulary.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct arrival {
    exchange *exchange;
    const char *method, *path;
} arrival;

/* ---- what the handler is given ---------------------------------------------------------------------------------------- */

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                  const char *value, size_t value_length) {
    (void)kind;
    headers_add(arg, name, name_length, value ? value : "", value_length);
    return MHD_YES;
}

/* The first one of a name counts. */
static enum MHD_Result add_query(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                 const char *value, size_t value_length) {
    lua_State *L = arg;
    (void)kind;
    lua_pushlstring(L, name, name_length);
    lua_pushvalue(L, -1);
    bool is_new = lua_rawget(L, -3) == LUA_TNIL;
    lua_pop(L, 1);
    if (is_new) {
        lua_pushlstring(L, value ? value : "", value_length);
        lua_rawset(L, -3);
    } else {
        lua_pop(L, 1);
    }
    return MHD_YES;
}

static void push_peer(lua_State *L, struct MHD_Connection *connection) {
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    const struct sockaddr_in *four = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
    bool is_six = address->sa_family == AF_INET6;
    char host[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 10];
    inet_ntop(address->sa_family, is_six ? (const void *)&six->sin6_addr : &four->sin_addr, host, sizeof host);
    int length = snprintf(text, sizeof text, is_six ? "[%s]:%d" : "%s:%d", host,
                          ntohs(is_six ? six->sin6_port : four->sin_port));
    lua_pushlstring(L, text, (size_t)length);
}

static void push_request(lua_State *L, const arrival *arrival) {
    exchange *exchange = arrival->exchange;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, arrival->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, arrival->path);
    lua_setfield(L, -2, "path");
    lua_newtable(L);
    MHD_get_connection_values_n(exchange->connection, MHD_GET_ARGUMENT_KIND, add_query, L);
    lua_setfield(L, -2, "query");
    headers_push(L);
    MHD_get_connection_values_n(exchange->connection, MHD_HEADER_KIND, add_header, L);
    headers_end(L);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, exchange->body.data ? exchange->body.data : "", exchange->body.length);
    lua_setfield(L, -2, "body");
    push_peer(L, exchange->connection);
    lua_setfield(L, -2, "peer");
}

/* ---- the task --------------------------------------------------------------------------------------------------------- */

/* Its stack: what it is spawned with, and its message handler. */
enum { HANDLER = 1, REQUEST, EXCHANGE, ON_ERROR };

static const char *request_text(lua_State *L, const char *field) {
    lua_pushstring(L, field);
    lua_rawget(L, REQUEST);
    return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
}

/* What a client sent, on a line of ours. */
static void show(const char *text, char *line, size_t bytes) {
    size_t used = 0;
    for (; *text && used + 1 < bytes; text++)
        line[used++] = (char)((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f ? '?' : *text);
    line[used] = '\0';
}

static void tell(lua_State *L, const char *error) {
    char method[32], path[160];
    show(request_text(L, "method"), method, sizeof method);
    show(request_text(L, "path"), path, sizeof path);
    lua_pushfstring(L, "serve: %s %s: %s\n", method, path, error);
    size_t length;
    const char *line = lua_tolstring(L, -1, &length);
    output_print(L, true, line, length);
}

static int build(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    response_build(lua_touserdata(L, EXCHANGE), L, lua_gettop(L));
    return 0;
}

static int call_handler(lua_State *L) {
    lua_pushvalue(L, HANDLER);
    lua_pushvalue(L, REQUEST);
    lua_callk(L, 1, 1, 0, build);
    return build(L, LUA_OK, 0);
}

static int ends(lua_State *L, int status, lua_KContext context) {
    const strand *strand = strand_of(L);
    exchange *exchange = lua_touserdata(L, EXCHANGE);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    bool is_over = failed && (strand->kill_reason || task_is_cancelled_value(strand, L, -1));
    (void)context;
    if (failed)
        response_refuse(exchange, is_over ? 503 : 500, "the server failed\n");
    exchange_answered(exchange);
    if (is_over)
        return lua_error(L);
    if (failed)
        tell(L, task_push_kept_error(L));
    return 0;
}

static int run(lua_State *L) {
    lua_pushcfunction(L, task_on_error);
    lua_pushcfunction(L, call_handler);
    for (int i = HANDLER; i <= EXCHANGE; i++)
        lua_pushvalue(L, i);
    return ends(L, lua_pcallk(L, EXCHANGE, 0, ON_ERROR, 0, ends), 0);
}

static int spawn(lua_State *L) {
    const arrival *arrival = lua_touserdata(L, 1);
    lua_pushcfunction(L, run);
    lua_rawgeti(L, LUA_REGISTRYINDEX, arrival->exchange->server->handler);
    push_request(L, arrival);
    lua_pushlightuserdata(L, arrival->exchange);
    strand_spawn(L, EXCHANGE);
    arrival->exchange->has_task = true;
    return 1;
}

bool request_begin(exchange *self, const char *method, const char *path) {
    lua_State *L = self->server->L;
    arrival arrival = {self, method, path};
    lua_pushcfunction(L, spawn);
    lua_pushlightuserdata(L, &arrival);
    bool spawned = lua_pcall(L, 1, 1, 0) == LUA_OK;
    if (spawned)
        strand_step(L);
    else
        lua_pop(L, 1);
    return spawned;
}
