/* Connections: reading, writing, closing.
 *
 * What was received and not yet read lies in a buffer, a userdata of Lua's, so that it counts for the script's memory. A
 * function that reads looks there first, then asks the system, and waits only if that has nothing, or has had much. */
#include "errand.h"
#include "tcp.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#define CONNECTION "tcp.connection"

enum {
    FIRST_BYTES = 4 << 10,
    READ_BYTES = 64 << 10,     /* that read gives at most, if it is not told */
    LINE_MAX_BYTES = 64 << 10, /* of a line, likewise */
    ASK_BYTES = 256 << 10,     /* of the system, at once */
    TURN_BYTES = 1 << 20,      /* after so many the script's other tasks have a turn, if the other side is that fast */
};

typedef struct connection {
    socket_ref *socket; /* NULL: closed */
    char *buffer;       /* its first user value */
    size_t capacity, start, end;
    size_t seen; /* of what is there: there is no line break in it */
    bool filled; /* the last time the system filled all the room there was */
    bool at_end; /* the other side sends no more */
    size_t written;
    char peer[TCP_PEER_BYTES];
} connection;

static connection *check(lua_State *L) {
    return luaL_checkudata(L, 1, CONNECTION);
}

static _Noreturn void fail(lua_State *L, const connection *self, const char *function, int error) {
    errand_raise(L, "tcp.%s: %s: %s", function, self->peer, error ? strerrordesc_np(error) : "it is closed");
    __builtin_unreachable();
}

/* At the beginning of a function. */
static connection *check_free(lua_State *L, const char *function, socket_wait_kind kind) {
    connection *self = check(L);
    if (!self->socket)
        fail(L, self, function, 0);
    if (socket_is_waited_for(self->socket, kind))
        errand_raise(L, "tcp.%s: %s: another task is at it already", function, self->peer);
    return self;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

static size_t available(const connection *self) {
    return self->end - self->start;
}

/* Before the first bytes come there is no buffer. */
static const char *unread(const connection *self) {
    return self->buffer ? self->buffer + self->start : "";
}

/* Room for `bytes` in all, from the first that is not yet read. */
static void make_room(lua_State *L, connection *self, size_t bytes) {
    if (self->start > 0)
        memmove(self->buffer, self->buffer + self->start, available(self));
    self->end -= self->start;
    self->start = 0;
    if (bytes <= self->capacity)
        return;
    char *larger = lua_newuserdatauv(L, bytes, 0);
    if (self->end > 0)
        memcpy(larger, self->buffer, self->end);
    lua_setiuservalue(L, 1, 1);
    self->buffer = larger;
    self->capacity = bytes;
}

/* For a function that does not know how much it needs: what there is, or half as much again. */
static size_t room_for_more(const connection *self) {
    size_t there = available(self);
    return there < self->capacity ? there + 1 : there + there / 2 + 1;
}

/* Asks the system for more. 1: there is, or it has ended; 0: it would have to wait. */
static int receive(lua_State *L, connection *self, const char *function, size_t want) {
    size_t room = self->capacity ? self->capacity : FIRST_BYTES;
    if (self->filled && room < ASK_BYTES)
        room *= 2;
    self->filled = false;
    make_room(L, self, room > want ? room : want);
    size_t space = self->capacity - self->end;
    if (space > ASK_BYTES)
        space = ASK_BYTES;
    ssize_t got;
    do {
        got = recv(self->socket->fd, self->buffer + self->end, space, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got < 0)
        fail(L, self, function, errno);
    self->at_end = got == 0;
    self->end += (size_t)got;
    self->filled = (size_t)got == space;
    return 1;
}

static int take(lua_State *L, connection *self, size_t bytes, size_t line_break) {
    lua_pushlstring(L, unread(self), bytes);
    self->start += bytes + line_break;
    self->seen = 0;
    if (self->start < self->end)
        return 1;
    self->start = self->end = 0;
    if (self->capacity > ASK_BYTES) {
        lua_pushnil(L);
        lua_setiuservalue(L, 1, 1);
        self->buffer = NULL;
        self->capacity = 0;
    }
    return 1;
}

static int give_end(lua_State *L) {
    lua_pushnil(L);
    return 1;
}

static int read_some(lua_State *L) {
    connection *self = check(L);
    size_t most = (size_t)lua_tointeger(L, 2);
    if (!self->socket)
        fail(L, self, "read", 0);
    if (available(self) == 0 && !self->at_end && !receive(L, self, "read", 1))
        return socket_wait(L, self->socket, SOCKET_READ, read_some);
    if (available(self) == 0)
        return give_end(L);
    return take(L, self, most < available(self) ? most : available(self), 0);
}

/* read([most]) -> what is there, at least a byte; nil: the other side sends no more */
static int connection_read(lua_State *L) {
    check_free(L, "read", SOCKET_READ);
    lua_Integer most = luaL_optinteger(L, 2, READ_BYTES);
    luaL_argcheck(L, most > 0, 2, "not a number of bytes");
    lua_settop(L, 1);
    lua_pushinteger(L, most);
    return read_some(L);
}

static int read_line(lua_State *L) {
    connection *self = check(L);
    size_t most = (size_t)lua_tointeger(L, 2), turn_ends = available(self) + TURN_BYTES;
    for (;;) {
        if (!self->socket)
            fail(L, self, "read_line", 0);
        const char *from = unread(self);
        const char *found = available(self) > self->seen
                                ? memchr(from + self->seen, '\n', available(self) - self->seen)
                                : NULL;
        size_t length = found ? (size_t)(found - from) : available(self);
        if (found && length > 0 && from[length - 1] == '\r' && length - 1 <= most)
            return take(L, self, length - 1, 2);
        if (length > most + !found)
            return errand_raise(L, "tcp.read_line: %s: the line is longer than %I bytes", self->peer,
                              (lua_Integer)most);
        if (found)
            return take(L, self, length, 1);
        self->seen = length;
        if (self->at_end)
            return length ? take(L, self, length, 0) : give_end(L);
        if (length >= turn_ends)
            return socket_let_others(L, self->socket, SOCKET_READ, read_line);
        if (!receive(L, self, "read_line", room_for_more(self)))
            return socket_wait(L, self->socket, SOCKET_READ, read_line);
    }
}

/* read_line([most]) -> the next line, without its "\n" or "\r\n"; what is left at the end; nil */
static int connection_read_line(lua_State *L) {
    check_free(L, "read_line", SOCKET_READ);
    lua_Integer most = luaL_optinteger(L, 2, LINE_MAX_BYTES);
    luaL_argcheck(L, most >= 0, 2, "not a number of bytes");
    lua_settop(L, 1);
    lua_pushinteger(L, most);
    return read_line(L);
}

static int read_exactly(lua_State *L) {
    connection *self = check(L);
    size_t bytes = (size_t)lua_tointeger(L, 2), turn_ends = available(self) + TURN_BYTES;
    while (available(self) < bytes) {
        if (!self->socket)
            fail(L, self, "read_exactly", 0);
        if (self->at_end)
            return errand_raise(L, "tcp.read_exactly: %s: it ended after %I of %I bytes", self->peer,
                              (lua_Integer)available(self), (lua_Integer)bytes);
        if (available(self) >= turn_ends)
            return socket_let_others(L, self->socket, SOCKET_READ, read_exactly);
        if (!receive(L, self, "read_exactly", bytes))
            return socket_wait(L, self->socket, SOCKET_READ, read_exactly);
    }
    return take(L, self, bytes, 0);
}

/* read_exactly(bytes) -> so many */
static int connection_read_exactly(lua_State *L) {
    check_free(L, "read_exactly", SOCKET_READ);
    lua_Integer bytes = luaL_checkinteger(L, 2);
    luaL_argcheck(L, bytes >= 0, 2, "not a number of bytes");
    lua_settop(L, 1);
    lua_pushinteger(L, bytes);
    return read_exactly(L);
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static int write_all(lua_State *L) {
    connection *self = check(L);
    size_t length;
    const char *data = lua_tolstring(L, 2, &length);
    size_t turn_ends = self->written + TURN_BYTES;
    while (self->written < length) {
        if (!self->socket)
            fail(L, self, "write", 0);
        if (self->written >= turn_ends)
            return socket_let_others(L, self->socket, SOCKET_WRITE, write_all);
        size_t most = length - self->written < ASK_BYTES ? length - self->written : ASK_BYTES;
        ssize_t sent = send(self->socket->fd, data + self->written, most, MSG_NOSIGNAL);
        if (sent >= 0)
            self->written += (size_t)sent;
        else if (errno == EAGAIN)
            return socket_wait(L, self->socket, SOCKET_WRITE, write_all);
        else if (errno != EINTR)
            fail(L, self, "write", errno);
    }
    return 0;
}

/* write(data): returns when the system has all of it */
static int connection_write(lua_State *L) {
    connection *self = check_free(L, "write", SOCKET_WRITE);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    self->written = 0;
    return write_all(L);
}

/* shutdown(): sends no more; the other side reads its end */
static int connection_shutdown(lua_State *L) {
    connection *self = check_free(L, "shutdown", SOCKET_WRITE);
    if (shutdown(self->socket->fd, SHUT_WR) && errno != ENOTCONN)
        fail(L, self, "shutdown", errno);
    return 0;
}

/* ---- the rest --------------------------------------------------------------------------------------------------------- */

/* close(): also ends the waits of other tasks for it. May be repeated. */
static int connection_close(lua_State *L) {
    connection *self = check(L);
    socket_ref *socket = self->socket;
    self->socket = NULL;
    if (socket)
        socket_close(socket);
    return 0;
}

static int connection_field(lua_State *L) {
    const connection *self = check(L);
    if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "peer") != 0)
        return 0;
    lua_pushstring(L, self->peer);
    return 1;
}

static int connection_tostring(lua_State *L) {
    lua_pushfstring(L, "connection with %s", check(L)->peer);
    return 1;
}

static void name_peer(connection *self) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[48], port[8];
    if (getpeername(self->socket->fd, (struct sockaddr *)&address, &length) ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(self->peer, sizeof self->peer, "its peer"); /* which has gone already */
    else
        snprintf(self->peer, sizeof self->peer, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                 port);
}

void tcp_connection_push(lua_State *L) {
    connection *self = lua_newuserdatauv(L, sizeof *self, 1);
    *self = (connection){.peer = "nobody"};
    luaL_setmetatable(L, CONNECTION);
}

void tcp_connection_set(lua_State *L, int index, int fd) {
    connection *self = luaL_checkudata(L, index, CONNECTION);
    self->socket = socket_create(strand_of(L), fd);
    if (!self->socket)
        errand_raise(L, "not enough memory");
    name_peer(self);
}

void tcp_connection_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", connection_close},
                                    {"__close", connection_close},
                                    {"__tostring", connection_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg methods[] = {{"read", connection_read},
                                       {"read_line", connection_read_line},
                                       {"read_exactly", connection_read_exactly},
                                       {"write", connection_write},
                                       {"shutdown", connection_shutdown},
                                       {"close", connection_close},
                                       {NULL, NULL}};
    tcp_type_open(L, CONNECTION, meta, methods, connection_field);
}
