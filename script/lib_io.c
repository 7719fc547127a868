/* What a script has of io beside io.lines and io.popen: io.write, io.stdout and io.stderr for what it prints, and io.read, for
 * which a job has nothing. */
#include "libraries.h"
#include "output.h"

#include <stdbool.h>

static int write_from(lua_State *L, int first, bool is_stderr) {
    int count = lua_gettop(L);
    for (int i = first; i <= count; i++) {
        size_t length;
        const char *text = luaL_checklstring(L, i, &length);
        output_print(L, is_stderr, text, length);
    }
    return 0;
}

static int io_write(lua_State *L) {
    return write_from(L, 1, false);
}

/* The first upvalue says which stream it is. */
static int stream_write(lua_State *L) {
    write_from(L, 2, lua_toboolean(L, lua_upvalueindex(1)));
    lua_settop(L, 1);
    return 1;
}

/* What is printed is handed on when the script waits. */
static int stream_flush(lua_State *L) {
    lua_settop(L, 1);
    return 1;
}

static int io_read(lua_State *L) {
    lua_pushnil(L);
    return 1;
}

/* A field of the table on top of the stack. */
static void add_stream(lua_State *L, const char *name, bool is_stderr) {
    static const luaL_Reg methods[] = {{"write", stream_write}, {"flush", stream_flush}, {NULL, NULL}};
    luaL_newlibtable(L, methods);
    lua_pushboolean(L, is_stderr);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, name);
}

void io_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"write", io_write}, {"read", io_read}, {NULL, NULL}};
    library_extend(L, "io", functions);
    lua_getglobal(L, "io");
    add_stream(L, "stdout", false);
    add_stream(L, "stderr", true);
    lua_pop(L, 1);
}
