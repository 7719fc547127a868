/* What the parts of the tcp library share. */
#ifndef TCP_H
#define TCP_H

#include "socket.h"

#include <lauxlib.h>

/* Room for an address in numbers and a port: "[2001:db8::1]:80". */
enum { TCP_PEER_BYTES = 64 };

void tcp_connection_open(lua_State *L);
void tcp_listener_open(lua_State *L);

/* Pushes a connection that is closed as yet; makes it one of the descriptor, which it takes (also where it raises an error). */
void tcp_connection_push(lua_State *L);
void tcp_connection_set(lua_State *L, int index, int fd);

/* The same for listeners. */
void tcp_listener_push(lua_State *L);
void tcp_listener_set(lua_State *L, int index, int fd);

/* The metatable of a type: `meta`, and an __index that knows the methods, and asks `field` for what is none of them. */
void tcp_type_open(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods,
                   lua_CFunction field);

#endif
