#include "popen.h"
#include "command_args.h"
#include "descriptors.h"
#include "reader.h"
#include "strand.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "io.popen"

typedef struct popened {
    reader reader;
    command *command; /* NULL: let go of */
} popened;

/* An errand for it. */
typedef struct popening {
    errand errand;
    popened *handle; /* held */
    turn turn;
    int64_t code;
} popening;

/* ---- reading ---- */

static int64_t popened_fill(reader *reader) {
    command *command = ((popened *)reader)->command;
    bytes *came = &command->output[COMMAND_OUT], *data = &reader->data;
    int64_t code = command_run(command, COMMAND_UNTIL_OUTPUT);
    if (code || came->length == 0)
        return code;
    int64_t length = (int64_t)came->length;
    if (data->length == 0) {
        bytes whole = *came;
        *came = *data;
        *data = whole;
        return length;
    }
    code = bytes_add(data, came->data, came->length);
    came->length = 0;
    return code ? code : length;
}

static void popened_arrive(lua_State *L, reader *reader) {
    command_print(L, ((popened *)reader)->command, COMMAND_ERR);
}

static void popened_close(reader *reader) {
    popened *self = (popened *)reader;
    command_release(self->command);
    self->command = NULL;
}

static void popened_destroy(reader *reader) {
    free(reader);
}

static const reader_source source = {
    .name = "io.popen", .fill = popened_fill, .arrive = popened_arrive, .close = popened_close};

/* ---- opening and closing ---- */

static void popening_destroy(operation *op) {
    popening *self = (popening *)op;
    if (self->handle) {
        turns_leave(&self->handle->reader.turns, &self->turn);
        if (self->handle->reader.closed)
            reader_close(&self->handle->reader);
        reader_let_go(&self->handle->reader);
    }
    free(self);
}

/* An errand that has its turn at the handle. */
static popening *popening_create(lua_State *L, popened *handle, const operation_class *class) {
    popening *self = errand_create(L, sizeof *self, class);
    reader_hold(&handle->reader);
    self->handle = handle;
    if (!turns_join(&handle->reader.turns, &self->turn))
        errand_raise(L, "not enough memory");
    return self;
}

static void open_run(operation *op) {
    popening *self = (popening *)op;
    self->code = command_run(self->handle->command, COMMAND_UNTIL_STARTED);
}

/* The stack: line, mode, the handle. */
static int open_finish(lua_State *L, operation *op) {
    popening *self = (popening *)op;
    if (self->code)
        return command_fail(L, "io.popen", self->handle->command, self->code);
    lua_pushvalue(L, 3);
    return 1;
}

int popen_script(lua_State *L) {
    static const operation_class class = {
        .name = "io.popen", .run = open_run, .finish = open_finish, .destroy = popening_destroy};
    const char *line = command_check_line(L, "io.popen"), *mode = luaL_optstring(L, 2, "r");
    luaL_argcheck(L, strcmp(mode, "r") == 0, 2,
                  "only \"r\" can be had (exec{..., stdin = text} writes to a command)");
    lua_settop(L, 2);
    popened **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = NULL;
    luaL_setmetatable(L, TYPE);
    popened *self = calloc(1, sizeof *self);
    int code = self ? reader_init(L, &self->reader, &source, line, popened_destroy) : HD_ENOMEM;
    if (code) {
        free(self);
        return errand_fail(L, "io.popen", line, code);
    }
    *box = self;
    self->command = command_create(strand_of(L));
    if (!self->command)
        return errand_raise(L, "not enough memory");
    descriptors_take(L, "io.popen", COMMAND_DESCRIPTORS);
    self->command->descriptors = COMMAND_DESCRIPTORS;
    popening *errand = popening_create(L, self, &class);
    command_check_shell(L, "io.popen", self->command);
    return errand_await(L, &errand->errand);
}

/* If it is cancelled before its turn, somebody reads: then the command is ended when that has been done, as the handle is
 * closed. */
static void close_run(operation *op) {
    popening *self = (popening *)op;
    command *command = self->handle->command;
    self->code = turns_wait(&self->turn);
    if (self->code)
        return;
    command_close(command, COMMAND_OUT); /* it need not go on for us */
    self->code = command_run(command, COMMAND_UNTIL_END);
    if (self->code)
        command_stop(command);
}

static int close_finish(lua_State *L, operation *op) {
    popening *self = (popening *)op;
    command_print(L, self->handle->command, COMMAND_ERR);
    if (self->code)
        return command_fail(L, "io.popen", self->handle->command, self->code);
    return command_push_end(L, self->handle->command);
}

/* ---- in the script ---- */

static popened *check(lua_State *L) {
    popened **box = luaL_checkudata(L, 1, TYPE);
    if ((*box)->reader.closed)
        errand_raise(L, "io.popen: %s: it is closed", (*box)->reader.what);
    return *box;
}

static int popened_read(lua_State *L) {
    popened *self = check(L);
    return reader_read(L, &self->reader, reader_check_want(L, 2));
}

static int next_piece(lua_State *L) {
    popened **box = luaL_testudata(L, lua_upvalueindex(1), TYPE);
    if (!box)
        return errand_raise(L, "io.popen: it is closed");
    lua_settop(L, 0);
    return reader_read(L, &(*box)->reader, reader_check_want(L, lua_upvalueindex(2)));
}

static int popened_lines(lua_State *L) {
    check(L);
    lua_settop(L, 2);
    reader_check_want(L, 2);
    lua_pushcclosure(L, next_piece, 2);
    return 1;
}

static int popened_end(lua_State *L) {
    static const operation_class class = {
        .name = "io.popen", .run = close_run, .finish = close_finish, .destroy = popening_destroy};
    popened *self = check(L);
    popening *errand = popening_create(L, self, &class);
    self->reader.closed = true;
    return errand_await(L, &errand->errand);
}

static int popened_gc(lua_State *L) {
    popened **box = lua_touserdata(L, 1);
    if (*box)
        reader_drop(&(*box)->reader);
    *box = NULL;
    type_is_gone(L);
    return 0;
}

static int popened_leave(lua_State *L) {
    popened **box = luaL_checkudata(L, 1, TYPE);
    reader_close(&(*box)->reader);
    return 0;
}

void popen_open(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"read", popened_read}, {"lines", popened_lines}, {"close", popened_end}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__gc", popened_gc}, {"__close", popened_leave}, {NULL, NULL}};
    type_open(L, TYPE, methods, meta);
}
