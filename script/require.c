/* require: the other files of a script, as they were submitted with it. "a.b" is a/b.lua or a/b/init.lua. */
#include "source.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <string.h>

#define LOADED "heddle.loaded"

static const script_file *find(const script_options *options, const char *path, const char *ending) {
    size_t length = strlen(path);
    for (size_t i = 0; i < options->file_count; i++) {
        const char *name = options->files[i].name;
        if (strncmp(name, path, length) == 0 && strcmp(name + length, ending) == 0)
            return &options->files[i];
    }
    return NULL;
}

/* Stack: 1 name, 2 what is loaded, 3 the module's value, or its error. */
static int loaded(lua_State *L, int status, lua_KContext context) {
    bool failed = status != LUA_OK && status != LUA_YIELD;
    (void)context;
    lua_pushvalue(L, 1);
    if (failed)
        lua_pushnil(L); /* it may be tried again */
    else if (lua_isnil(L, 3))
        lua_pushboolean(L, 1);
    else
        lua_pushvalue(L, 3);
    lua_rawset(L, 2);
    if (failed)
        return lua_error(L);
    lua_pushvalue(L, 1);
    lua_rawget(L, 2);
    return 1;
}

static int script_require(lua_State *L) {
    const script_options *options = strand_of(L)->options;
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) != LUA_TNIL) {
        if (lua_islightuserdata(L, 3))
            return luaL_error(L, "require: \"%s\" is being loaded already: files that require each other", name);
        return 1;
    }
    lua_pop(L, 1);
    const char *path = luaL_gsub(L, name, ".", "/");
    const script_file *file = find(options, path, ".lua");
    if (!file)
        file = find(options, path, "/init.lua");
    if (!file)
        return luaL_error(L, "require: the script was submitted without \"%s.lua\" or \"%s/init.lua\"", path, path);
    if (source_load_file(L, file->code, file->bytes, lua_pushfstring(L, "@%s", file->name)) != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, (void *)file);
    lua_rawset(L, 2);
    lua_replace(L, 3);
    lua_settop(L, 3);
    lua_pushvalue(L, 1);
    return loaded(L, lua_pcallk(L, 1, 1, 0, 0, loaded), 0);
}

void require_open(lua_State *L) {
    lua_register(L, "require", script_require);
}
