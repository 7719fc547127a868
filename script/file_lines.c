#include "file_lines.h"
#include "descriptors.h"
#include "fields.h"
#include "fs.h"
#include "reader.h"
#include "vocabulary.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10 };
#define TYPE "fs.lines"

typedef struct lines {
    reader reader;
    struct strand *strand; /* of which it holds a descriptor; NULL: it does not */
    int fd;                /* -1: closed */
} lines;

/* ---- the source ---- */

static int64_t fill(void *arg) {
    lines *self = arg;
    bytes *data = &self->reader.data;
    for (;;) {
        ssize_t got = read(self->fd, data->data + data->length, data->room - data->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got > 0)
            data->length += (size_t)got;
        return got < 0 ? -errno : got;
    }
}

static int64_t lines_fill(reader *reader) {
    int code = bytes_reserve(&reader->data, BLOCK_BYTES);
    return code ? code : hd_blocking(HD_POOL_FS, fill, reader);
}

static void lines_close(reader *reader) {
    lines *self = (lines *)reader;
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
    if (self->strand)
        descriptors_give(self->strand, 1);
    self->strand = NULL;
}

static void lines_destroy(reader *reader) {
    free(reader);
}

static const reader_source source = {.name = "fs.lines", .fill = lines_fill, .close = lines_close};

/* ---- opening ---- */

typedef struct opening {
    errand errand;
    char *path;
    lines *lines; /* held by this errand */
    const char *why;
    int code;
    bool is_given; /* to the script; else nobody closes it */
} opening;

static int64_t open_file(void *arg) {
    opening *self = arg;
    self->lines->fd = fs_open_file(self->path, O_RDONLY, &self->why);
    return self->lines->fd;
}

static void opening_run(operation *op) {
    opening *self = (opening *)op;
    self->code = (int)hd_blocking(HD_POOL_FS, open_file, self);
}

/* The stack: path, format, the userdata. */
static int opening_finish(lua_State *L, operation *op);

static void opening_destroy(operation *op) {
    opening *self = (opening *)op;
    if (self->lines && !self->is_given)
        reader_close(&self->lines->reader);
    if (self->lines)
        reader_let_go(&self->lines->reader);
    free(self->path);
    free(self);
}

static const operation_class opening_class = {
    .name = "fs.lines", .run = opening_run, .finish = opening_finish, .destroy = opening_destroy};

/* ---- in the script ---- */

static int next_line(lua_State *L) {
    lines **box = luaL_testudata(L, lua_upvalueindex(1), TYPE);
    if (!box)
        return errand_raise(L, "fs.lines: it is closed");
    lua_settop(L, 0);
    return reader_read(L, &(*box)->reader, reader_check_want(L, lua_upvalueindex(2)));
}

static int opening_finish(lua_State *L, operation *op) {
    opening *self = (opening *)op;
    if (self->code < 0 && self->why)
        return errand_raise(L, "fs.lines: %s: %s", lua_tostring(L, 1), self->why);
    if (self->code < 0)
        return errand_fail(L, "fs.lines", lua_tostring(L, 1), self->code);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, next_line, 2);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, 3);
    self->is_given = true;
    return 4;
}

int file_lines(lua_State *L) {
    const char *path = fields_text(L, 1);
    lua_settop(L, 2);
    reader_check_want(L, 2);
    lines **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, TYPE);
    opening *self = errand_create(L, sizeof *self, &opening_class);
    self->path = errand_path(L, path);
    lines *made = calloc(1, sizeof *made);
    int code = made ? reader_init(L, &made->reader, &source, path, lines_destroy) : HD_ENOMEM;
    if (code) {
        free(made);
        return errand_fail(L, "fs.lines", path, code);
    }
    *box = made;
    made->fd = -1;
    reader_hold(&made->reader);
    self->lines = made;
    descriptors_take(L, "fs.lines", 1);
    made->strand = strand_of(L);
    return errand_await(L, &self->errand);
}

static int lines_gc(lua_State *L) {
    lines **box = lua_touserdata(L, 1);
    if (*box)
        reader_drop(&(*box)->reader);
    *box = NULL;
    type_is_gone(L);
    return 0;
}

static int lines_leave(lua_State *L) {
    lines **box = luaL_checkudata(L, 1, TYPE);
    if (*box)
        reader_close(&(*box)->reader);
    return 0;
}

void file_lines_open(lua_State *L) {
    static const luaL_Reg meta[] = {{"__gc", lines_gc}, {"__close", lines_leave}, {NULL, NULL}};
    type_open(L, TYPE, NULL, meta);
}
