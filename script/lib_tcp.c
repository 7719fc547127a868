/* tcp: connections, and listeners for them. */
#include "descriptors.h"
#include "errand.h"
#include "fields.h"
#include "libraries.h"
#include "tcp.h"

#include <stdlib.h>
#include <string.h>

enum { BACKLOG = 1024, HOST_BYTES = 1024 };

/* ---- connect ---------------------------------------------------------------------------------------------------------- */

typedef struct connecting {
    operation op;
    struct strand *strand;
    uint64_t timeout_ns;
    uint16_t port;
    int result; /* the descriptor, or a negative code */
    bool is_taken; /* the descriptor is the connection's */
    char host[];
} connecting;

static void connect_run(operation *op) {
    connecting *self = (connecting *)op;
    self->result = hd_tcp_connect(self->host, self->port, hd_after(self->timeout_ns));
}

/* Stack: host, port, options, a connection that is closed as yet. */
static int connect_finish(lua_State *L, operation *op) {
    connecting *self = (connecting *)op;
    if (self->result == HD_ETIMEDOUT && self->timeout_ns != HD_NEVER)
        return errand_raise(L, "tcp.connect: %s:%d: no answer within %f seconds", self->host, (int)self->port,
                          (lua_Number)self->timeout_ns / 1e9);
    if (self->result < 0)
        return errand_raise(L, "tcp.connect: %s:%d: %s", self->host, (int)self->port, hd_strerror(self->result));
    self->is_taken = true;
    tcp_connection_set(L, 4, self->result);
    return 1;
}

static void connect_destroy(operation *op) {
    connecting *self = (connecting *)op;
    if (self->result >= 0 && !self->is_taken)
        hd_close(self->result);
    if (!self->is_taken)
        descriptors_give(self->strand, 1);
    free(self);
}

/* tcp.connect(host, port [, {timeout =}]) -> connection */
static int tcp_connect(lua_State *L) {
    static const operation_class class = {"tcp.connect", connect_run, connect_finish, connect_destroy};
    static const char *const known[] = {"timeout", NULL};
    const char *host = fields_text(L, 1);
    luaL_argcheck(L, strlen(host) <= HOST_BYTES, 1, "a host's name is not so long");
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port >= 1 && port <= 65535, 2, "not a port");
    fields options = fields_of(L, 3, "tcp.connect", known);
    lua_Number timeout = 0;
    bool limited = fields_number(&options, "timeout", 0, 1e9, &timeout);
    lua_settop(L, 3);
    tcp_connection_push(L);
    descriptors_take(L, "tcp.connect", 1);
    connecting *self = calloc(1, sizeof *self + strlen(host) + 1);
    if (!self) {
        descriptors_give(strand_of(L), 1);
        return errand_raise(L, "tcp.connect: not enough memory");
    }
    *self = (connecting){.op.class = &class, .strand = strand_of(L), .port = (uint16_t)port, .result = -1};
    self->timeout_ns = limited ? (uint64_t)(timeout * 1e9) : HD_NEVER;
    strcpy(self->host, host);
    return operation_await(L, &self->op);
}

/* ---- listen ----------------------------------------------------------------------------------------------------------- */

/* Pushes it, as the third. */
static void listen_at(lua_State *L, const char *address, int port, int backlog) {
    lua_settop(L, 2);
    tcp_listener_push(L);
    descriptors_take(L, "tcp.listen", 1);
    int fd = hd_tcp_listen(address, (uint16_t)port, backlog);
    if (fd < 0)
        descriptors_give(strand_of(L), 1);
    if (fd == HD_EINVAL)
        errand_raise(L, "tcp.listen: \"%s\" is not an address in numbers", address);
    if (fd < 0)
        errand_raise(L, "tcp.listen: %s:%d: %s", address, port, hd_strerror(fd));
    tcp_listener_set(L, 3, fd);
}

/* The listener lies on top of the stack. */
static void serve_with(lua_State *L, int function) {
    lua_getfield(L, -1, "serve");
    lua_pushvalue(L, -2);
    lua_pushvalue(L, function);
    strand_spawn(L, 2);
    lua_pop(L, 1);
}

/* tcp.listen({port =, address =, backlog =} or port [, f]) -> listener; with `f`, a task of its own serves it */
static int tcp_listen(lua_State *L) {
    static const char *const known[] = {"port", "address", "backlog", NULL};
    lua_Integer port = 0, backlog = BACKLOG;
    const char *address = NULL;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        port = luaL_checkinteger(L, 1);
        luaL_argcheck(L, port >= 0 && port <= 65535, 1, "not a port");
    } else {
        fields options = fields_of(L, 1, "tcp.listen", known);
        fields_integer(&options, "port", 0, 65535, &port);
        fields_integer(&options, "backlog", 1, 65535, &backlog);
        address = fields_string(&options, "address", NULL);
    }
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    listen_at(L, address ? address : "127.0.0.1", (int)port, (int)backlog);
    if (!lua_isnil(L, 2))
        serve_with(L, 2);
    return 1;
}

/* ---- opening ---------------------------------------------------------------------------------------------------------- */

static int find(lua_State *L) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

void tcp_type_open(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods,
                   lua_CFunction field) {
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "methods");
    lua_pushcfunction(L, field);
    lua_pushcclosure(L, find, 2);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void tcp_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"connect", tcp_connect}, {"listen", tcp_listen}, {NULL, NULL}};
    tcp_connection_open(L);
    tcp_listener_open(L);
    luaL_newlib(L, functions);
    lua_setglobal(L, "tcp");
}
