/* fs: files and directories.
 *
 *   fs.read(path) -> data                     fs.write(path, data), fs.append(path, data)
 *   fs.lines(path [, format]) -> iterator     fs.list(path) -> sorted names
 *   fs.stat(path) -> {type, size, mode, modified, uid, gid}
 *   fs.exists(path) -> boolean                fs.mkdir(path [, {parents = true}])
 *   fs.remove(path)                           fs.rename(from, to)
 *
 * and io.lines, which is fs.lines. */
#include "fields.h"
#include "file_lines.h"
#include "fs.h"
#include "libraries.h"
#include "pace.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* What a function of fs is. */
typedef struct verb {
    operation_class class; /* the first member: an errand's class leads to its verb */
    int64_t (*work)(file_call *self);
    int (*give)(lua_State *L, file_call *self); /* pushes results */
} verb;

/* ---- the errand ---- */

static const verb *verb_of(const file_call *self) {
    return (const verb *)self->errand.operation.class;
}

static int64_t work(void *arg) {
    file_call *self = arg;
    return verb_of(self)->work(self);
}

static void interrupt(void *arg) {
    atomic_store_explicit(&((file_call *)arg)->stop, true, memory_order_relaxed);
}

static void call_run(operation *op) {
    file_call *self = (file_call *)op;
    self->code = errand_block(HD_POOL_FS, work, self, interrupt);
}

static int call_finish(lua_State *L, operation *op) {
    file_call *self = (file_call *)op;
    const char *name = op->class->name;
    if (self->code < 0 && self->why)
        return errand_raise(L, "%s: %s: %s", name, self->said, self->why);
    if (self->code < 0)
        return errand_fail(L, name, self->said, self->code);
    return verb_of(self)->give(L, self);
}

static void call_destroy(operation *op) {
    file_call *self = (file_call *)op;
    bytes_fini(&self->data);
    free(self->path);
    free(self->to);
    free(self);
}

/* An errand for the path that is the first argument; it stays on the stack, so that messages can show it. */
static file_call *call_create(lua_State *L, const verb *verb) {
    const char *path = fields_text(L, 1);
    file_call *self = errand_create(L, sizeof *self, &verb->class);
    self->said = path;
    self->data.budget = errand_budget(L);
    self->path = errand_path(L, path);
    return self;
}

/* ---- results ---- */

static int give_nothing(lua_State *L, file_call *self) {
    (void)L, (void)self;
    return 0;
}

static int give_data(lua_State *L, file_call *self) {
    lua_pushlstring(L, self->data.data, self->data.length);
    return 1;
}

static int give_flag(lua_State *L, file_call *self) {
    lua_pushboolean(L, self->flag);
    return 1;
}

static int give_names(lua_State *L, file_call *self) {
    uint32_t steps = 0;
    lua_Integer count = 0;
    const char *names = self->data.data; /* NULL: none */
    lua_newtable(L);
    for (size_t at = 0; at < self->data.length; at += strlen(names + at) + 1) {
        lua_pushstring(L, names + at);
        lua_rawseti(L, -2, ++count);
        pace(L, &steps);
    }
    return 1;
}

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFIFO: return "pipe";
    case S_IFSOCK: return "socket";
    default: return "device";
    }
}

static int give_about(lua_State *L, file_call *self) {
    const struct stat *about = &self->about;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, type_name(about->st_mode));
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, about->st_size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, about->st_mode & 07777);
    lua_setfield(L, -2, "mode");
    lua_pushnumber(L, (lua_Number)about->st_mtim.tv_sec + (lua_Number)about->st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "modified");
    lua_pushinteger(L, about->st_uid);
    lua_setfield(L, -2, "uid");
    lua_pushinteger(L, about->st_gid);
    lua_setfield(L, -2, "gid");
    return 1;
}

/* ---- the functions ---- */

#define VERB(its_name, its_work, its_give)                                                            \
    {                                                                                                 \
        .class = {.name = its_name, .run = call_run, .finish = call_finish, .destroy = call_destroy}, \
        .work = its_work, .give = its_give                                                            \
    }

/* A path, and no more. */
static int plain(lua_State *L, const verb *verb) {
    return errand_await(L, &call_create(L, verb)->errand);
}

static int with_data(lua_State *L, const verb *verb) {
    size_t length;
    const char *data = luaL_checklstring(L, 2, &length);
    file_call *self = call_create(L, verb);
    int code = bytes_add(&self->data, data, length);
    return code ? errand_fail(L, verb->class.name, self->said, code) : errand_await(L, &self->errand);
}

static int script_read(lua_State *L) {
    static const verb it = VERB("fs.read", fs_do_read, give_data);
    return plain(L, &it);
}

static int script_write(lua_State *L) {
    static const verb it = VERB("fs.write", fs_do_write, give_nothing);
    return with_data(L, &it);
}

static int script_append(lua_State *L) {
    static const verb it = VERB("fs.append", fs_do_append, give_nothing);
    return with_data(L, &it);
}

static int script_list(lua_State *L) {
    static const verb it = VERB("fs.list", fs_do_list, give_names);
    return plain(L, &it);
}

static int script_stat(lua_State *L) {
    static const verb it = VERB("fs.stat", fs_do_stat, give_about);
    return plain(L, &it);
}

static int script_exists(lua_State *L) {
    static const verb it = VERB("fs.exists", fs_do_exists, give_flag);
    return plain(L, &it);
}

static int script_remove(lua_State *L) {
    static const verb it = VERB("fs.remove", fs_do_remove, give_nothing);
    return plain(L, &it);
}

static int script_mkdir(lua_State *L) {
    static const verb it = VERB("fs.mkdir", fs_do_mkdir, give_nothing);
    static const char *const known[] = {"parents", NULL};
    fields options = fields_of(L, 2, it.class.name, known);
    bool parents = fields_flag(&options, "parents");
    file_call *self = call_create(L, &it);
    self->flag = parents;
    return errand_await(L, &self->errand);
}

static int script_rename(lua_State *L) {
    static const verb it = VERB("fs.rename", fs_do_rename, give_nothing);
    const char *to = fields_text(L, 2);
    file_call *self = call_create(L, &it);
    self->to = errand_path(L, to);
    return errand_await(L, &self->errand);
}

void fs_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"read", script_read},
                                         {"write", script_write},
                                         {"append", script_append},
                                         {"list", script_list},
                                         {"stat", script_stat},
                                         {"exists", script_exists},
                                         {"remove", script_remove},
                                         {"mkdir", script_mkdir},
                                         {"rename", script_rename},
                                         {"lines", file_lines},
                                         {NULL, NULL}};
    static const luaL_Reg io[] = {{"lines", file_lines}, {NULL, NULL}};
    file_lines_open(L);
    luaL_newlib(L, functions);
    lua_setglobal(L, "fs");
    library_extend(L, "io", io);
}
