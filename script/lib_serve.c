/* serve: an HTTP server inside of a script, one task for each request. */
#include "errand.h"
#include "fields.h"
#include "headers.h"
#include "libraries.h"
#include "vocabulary.h"
#include "web.h"

#include <stdlib.h>

#define SERVER "server"

enum { BODY_BYTES = 1 << 20, TIMEOUT_SECONDS = 30, CONNECTIONS = 1000, CONNECTIONS_MAX = 100000 };

typedef struct box {
    web *server;
} box;

static web *check(lua_State *L) {
    return ((box *)luaL_checkudata(L, 1, SERVER))->server;
}

/* close(): accepts no more; what was asked is answered */
static int server_close_method(lua_State *L) {
    web_close(check(L));
    return 0;
}

/* ---- wait ------------------------------------------------------------------------------------------------------------- */

typedef struct waiting {
    operation op;
    web *server;
} waiting;

static void wait_run(operation *op) {
    (void)!hd_event_wait(((waiting *)op)->server->stopped, HD_NEVER);
}

static int wait_finish(lua_State *L, operation *op) {
    (void)L, (void)op;
    return 0;
}

static void wait_destroy(operation *op) {
    web_put(((waiting *)op)->server);
    free(op);
}

/* wait(): until it has closed */
static int server_wait_method(lua_State *L) {
    static const operation_class class = {"serve.wait", wait_run, wait_finish, wait_destroy};
    web *self = check(L);
    if (!self->daemon)
        return 0;
    waiting *made = calloc(1, sizeof *made);
    if (!made)
        return errand_raise(L, "serve: not enough memory");
    *made = (waiting){.op.class = &class, .server = web_get(self)};
    return operation_await(L, &made->op);
}

/* ---- its life --------------------------------------------------------------------------------------------------------- */

/* At the end: until it has stopped, the registry holds it. */
static int server_gc(lua_State *L) {
    box *self = luaL_checkudata(L, 1, SERVER);
    if (self->server)
        web_release(self->server);
    self->server = NULL;
    type_is_gone(L);
    return 0;
}

static int server_index(lua_State *L) {
    const web *self = check(L);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    lua_pushliteral(L, "port");
    if (!lua_rawequal(L, 2, -1))
        return 0;
    lua_pushinteger(L, self->port);
    return 1;
}

static void read_options(lua_State *L, web_options *options) {
    static const char *const known[] = {"port", "address", "max_body", "timeout", "connections", NULL};
    fields given = fields_of(L, 1, "serve", known);
    lua_Integer port = 0, most = BODY_BYTES, timeout = TIMEOUT_SECONDS, connections = CONNECTIONS;
    fields_integer(&given, "port", 0, 65535, &port);
    fields_integer(&given, "max_body", 0, (lua_Integer)1 << 40, &most);
    fields_integer(&given, "timeout", 1, 86400, &timeout);
    fields_integer(&given, "connections", 1, CONNECTIONS_MAX, &connections);
    const char *address = fields_string(&given, "address", NULL);
    *options = (web_options){.address = address ? address : "127.0.0.1",
                                .port = (int)port,
                                .max_body_bytes = (size_t)most,
                                .timeout_seconds = (unsigned)timeout,
                                .connections = (unsigned)connections};
}

/* serve{port =, address =, max_body =, timeout =, connections =, function(request) ... end} -> web */
static int serve(lua_State *L) {
    web_options options;
    const char *error;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    read_options(L, &options);
    if (lua_rawgeti(L, 1, 1) != LUA_TFUNCTION)
        return errand_raise(L, "serve: a function that answers requests was expected, and not a %s", luaL_typename(L, -1));
    box *self = lua_newuserdatauv(L, sizeof *self, 0);
    self->server = NULL;
    luaL_setmetatable(L, SERVER);
    lua_insert(L, 2);
    int handler = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 2);
    int anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    self->server = web_create(L, &options, handler, &error);
    if (self->server) {
        self->server->self = anchor;
        return 1;
    }
    luaL_unref(L, LUA_REGISTRYINDEX, handler);
    luaL_unref(L, LUA_REGISTRYINDEX, anchor);
    return errand_raise(L, "serve: %s:%d: %s", options.address, options.port, error);
}

void serve_open(lua_State *L) {
    static const luaL_Reg methods[] = {{"close", server_close_method}, {"wait", server_wait_method}, {NULL, NULL}};
    headers_open(L);
    luaL_newmetatable(L, SERVER);
    lua_pushcfunction(L, server_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_pushcclosure(L, server_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, SERVER);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
    lua_register(L, "serve", serve);
}
