/* See source.h. `load` is Lua's own but for that, and for what it takes, which is text. */
#include "source.h"
#include "libraries.h"
#include "pace.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

enum { LOAD_CHUNK = 1, LOAD_NAME, LOAD_MODE, LOAD_ENVIRONMENT, LOAD_PIECE };

enum { PIECE_BYTES = 64 };

typedef struct source {
    const char *rest;
    size_t left;
} source;

/* A lua_Reader for a text that is there. */
static const char *next_piece(lua_State *L, void *arg, size_t *bytes) {
    source *s = arg;
    const char *piece = s->rest; /* NULL: a function has no more */
    if (!piece)
        return NULL;
    *bytes = s->left < PIECE_BYTES ? s->left : PIECE_BYTES;
    s->rest += *bytes;
    s->left -= *bytes;
    pace_check(L);
    return piece;
}

/* The same for one whose parts a function returns, one a call, until there is no more. */
static const char *next_called(lua_State *L, void *arg, size_t *bytes) {
    source *s = arg;
    if (s->left == 0) {
        luaL_checkstack(L, 2, "too many nested functions");
        lua_pushvalue(L, LOAD_CHUNK);
        lua_call(L, 0, 1);
        if (!lua_isnil(L, -1) && !lua_isstring(L, -1))
            luaL_error(L, "reader function must return a string");
        lua_replace(L, LOAD_PIECE);
        s->rest = lua_tolstring(L, LOAD_PIECE, &s->left);
        if (!s->rest)
            s->left = 0;
    }
    return next_piece(L, s, bytes);
}

int source_load(lua_State *L, const char *code, size_t bytes, const char *name) {
    source s = {code, bytes};
    return lua_load(L, next_piece, &s, name, "t");
}

int source_load_file(lua_State *L, const char *code, size_t bytes, const char *name) {
    static const char mark[] = "\xef\xbb\xbf";
    const char *end = code + bytes;
    if (bytes >= sizeof mark - 1 && memcmp(code, mark, sizeof mark - 1) == 0)
        code += sizeof mark - 1;
    if (code < end && *code == '#') {
        code = memchr(code, '\n', (size_t)(end - code)); /* which stays: lines are counted */
        code = code ? code : end;
    }
    return source_load(L, code, (size_t)(end - code), name);
}

static int load(lua_State *L) {
    source s = {NULL, 0};
    const char *mode = luaL_optstring(L, LOAD_MODE, "t");
    if (!strchr(mode, 't')) {
        /* Binary chunks can do anything to the process. */
        lua_pushnil(L);
        lua_pushfstring(L, "only text can be loaded (mode is '%s')", mode);
        return 2;
    }
    bool has_environment = !lua_isnone(L, LOAD_ENVIRONMENT);
    lua_Reader reader = next_piece;
    const char *name = "=(load)";
    if ((s.rest = lua_tolstring(L, LOAD_CHUNK, &s.left))) {
        name = s.rest;
    } else {
        luaL_checktype(L, LOAD_CHUNK, LUA_TFUNCTION);
        reader = next_called;
    }
    name = luaL_optstring(L, LOAD_NAME, name);
    lua_settop(L, LOAD_PIECE);
    if (lua_load(L, reader, &s, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_environment) {
        lua_pushvalue(L, LOAD_ENVIRONMENT);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

void source_open(lua_State *L) {
    lua_pushcfunction(L, load);
    lua_setglobal(L, "load");
}
