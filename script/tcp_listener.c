/* Listeners: accepting connections, and serving them, one task each. */
#include "descriptors.h"
#include "errand.h"
#include "tcp.h"
#include "vocabulary.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define LISTENER "tcp.listener"

typedef struct listener {
    socket_ref *socket; /* NULL: closed */
    int port;
    bool is_patient; /* where the system has no descriptors left, the task that accepts waits for some */
} listener;

static listener *check(lua_State *L) {
    return luaL_checkudata(L, 1, LISTENER);
}

static bool is_shortage(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Room for one more. False: there is none now, and it is waited for. */
static bool take_descriptor(lua_State *L, const listener *self) {
    if (descriptors_try(strand_of(L), 1))
        return true;
    if (self->is_patient)
        return false;
    descriptors_take(L, "tcp.accept", 1);
    return true;
}

/* Stack: the listener, a connection that is closed as yet. */
static int accept_one(lua_State *L) {
    listener *self = check(L);
    while (self->socket) {
        if (!take_descriptor(L, self))
            return socket_wait_for_descriptors(L, self->socket, accept_one);
        int fd = accept4(self->socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
            tcp_connection_set(L, 2, fd);
            return 1;
        }
        descriptors_give(strand_of(L), 1);
        if (errno == EAGAIN)
            return socket_wait(L, self->socket, SOCKET_ACCEPT, accept_one);
        if (is_shortage(errno) && self->is_patient)
            return socket_wait_for_descriptors(L, self->socket, accept_one);
        if (is_shortage(errno) || errno == EINVAL || errno == EBADF)
            return errand_raise(L, "tcp.accept: port %d: %s", self->port, strerrordesc_np(errno));
        /* else it was the connection's error, which has gone with it */
    }
    lua_pushnil(L);
    return 1;
}

static int accept_begins(lua_State *L, bool is_patient) {
    listener *self = check(L);
    if (self->socket && socket_is_waited_for(self->socket, SOCKET_ACCEPT))
        return errand_raise(L, "tcp.accept: port %d: another task is at it already", self->port);
    self->is_patient = is_patient;
    lua_settop(L, 1);
    tcp_connection_push(L);
    return accept_one(L);
}

/* accept() -> a connection; nil: the listener was closed */
static int listener_accept(lua_State *L) {
    return accept_begins(L, false);
}

static int listener_accept_patiently(lua_State *L) {
    return accept_begins(L, true);
}

/* close(): also ends the wait of a task that accepts. May be repeated. */
static int listener_close(lua_State *L) {
    listener *self = check(L);
    socket_ref *socket = self->socket;
    self->socket = NULL;
    if (socket)
        socket_close(socket);
    return 0;
}

static int listener_field(lua_State *L) {
    const listener *self = check(L);
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "port") != 0)
        return 0;
    lua_pushinteger(L, self->port);
    return 1;
}

static int listener_tostring(lua_State *L) {
    lua_pushfstring(L, "listener at port %d", check(L)->port);
    return 1;
}

void tcp_listener_push(lua_State *L) {
    listener *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (listener){.socket = NULL};
    luaL_setmetatable(L, LISTENER);
}

void tcp_listener_set(lua_State *L, int index, int fd) {
    listener *self = luaL_checkudata(L, index, LISTENER);
    self->port = hd_tcp_port(fd);
    self->socket = socket_create(strand_of(L), fd);
    if (!self->socket)
        errand_raise(L, "not enough memory");
}

/* serve(f [, most]): f(connection) in a task for each, at most so many at a time, until the listener is closed. A connection
 * is closed when its task ends, and at once where there is no room for one more. */
static const char serve[] = "local accept, try_spawn, call, semaphore, place_of = ...\n"
                            "local function leave(place, connection)\n"
                            "  local place <close> = place\n"
                            "  local connection <close> = connection\n"
                            "end\n"
                            "local function one(place, f, connection)\n"
                            "  local place <close> = place\n"
                            "  local connection <close> = connection\n"
                            "  call(f, connection)\n"
                            "end\n"
                            "return function(listener, f, most)\n"
                            "  local semaphore = semaphore(most or 1000)\n"
                            "  local place = place_of(semaphore)\n"
                            "  while true do\n"
                            "    semaphore:acquire()\n"
                            "    local connection = accept(listener)\n"
                            "    if not connection then return end\n"
                            "    if not try_spawn(one, place, f, connection) then leave(place, connection) end\n"
                            "  end\n"
                            "end\n";

/* A place among those who are served, which is given back when it is closed. */
static int leave_place(lua_State *L) {
    lua_rawgeti(L, 1, 1);
    lua_getfield(L, -1, "release");
    lua_insert(L, -2);
    lua_call(L, 1, 0);
    return 0;
}

static int place_of(lua_State *L) {
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setmetatable(L, -2);
    return 1;
}

/* try_spawn(f, ...) -> is there room for one more task? */
static int try_spawn(lua_State *L) {
    lua_pushcfunction(L, script_spawn);
    lua_insert(L, 1);
    lua_pushboolean(L, lua_pcall(L, lua_gettop(L) - 1, 0, 0) == LUA_OK);
    return 1;
}

/* call(f, connection): nobody can ask for the error of f, so it is told at once. */
static int called(lua_State *L, int status, lua_KContext context) {
    strand *self = strand_of(L);
    size_t length;
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD)
        return 0;
    if (self->kill_reason || task_is_cancelled_value(self, L, -1))
        return lua_error(L);
    const char *peer = luaL_tolstring(L, 1, NULL), *error = task_push_kept_error(L);
    lua_pushfstring(L, "tcp.serve: %s: %s\n", peer, error);
    const char *line = lua_tolstring(L, -1, &length);
    output_print(L, true, line, length);
    return 0;
}

static int call(lua_State *L) {
    lua_pushvalue(L, 2);
    lua_insert(L, 1); /* for who tells of it */
    lua_pushcfunction(L, task_on_error);
    lua_insert(L, 2);
    return called(L, lua_pcallk(L, 1, 0, 2, 0, called), 0);
}

static void open_serve(lua_State *L) {
    locks_types_open(L);
    if (luaL_loadbufferx(L, serve, sizeof serve - 1, "=tcp.serve", "t") != LUA_OK)
        lua_error(L);
    lua_pushcfunction(L, listener_accept_patiently);
    lua_pushcfunction(L, try_spawn);
    lua_pushcfunction(L, call);
    lua_pushcfunction(L, script_semaphore);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, leave_place);
    lua_setfield(L, -2, "__close");
    lua_pushcclosure(L, place_of, 1);
    lua_call(L, 5, 1);
}

void tcp_listener_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", listener_close},
                                    {"__close", listener_close},
                                    {"__tostring", listener_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg methods[] = {{"accept", listener_accept}, {"close", listener_close}, {NULL, NULL}};
    tcp_type_open(L, LISTENER, meta, methods, listener_field);
    luaL_getmetatable(L, LISTENER);
    lua_getfield(L, -1, "methods");
    open_serve(L);
    lua_setfield(L, -2, "serve");
    lua_pop(L, 2);
}
