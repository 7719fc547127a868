#include "slice.h"
#include "strand.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUT_BYTES = 2048 };

void output_fini(output *self) {
    free(self->bytes);
}

/* Awaits. A cancellation that is met here first is noticed, and the bytes are written nevertheless. */
static void hand_on(strand *self, bool is_stderr, const char *bytes, size_t length) {
    if (!self->options->write || length == 0)
        return;
    int code = self->options->write(self->options->arg, is_stderr, bytes, length);
    if (code == HD_ECANCELED && !self->cancelled_at_ns) {
        strand_notice_cancel(self);
        code = self->options->write(self->options->arg, is_stderr, bytes, length);
    }
    if (code < 0) {
        snprintf(self->kill_text, sizeof self->kill_text, "the output could not be written: %s",
                 hd_strerror(code));
        strand_kill(self, self->kill_text);
    }
}

void output_flush(strand *self) {
    size_t used = self->output.used;
    self->output.used = 0;
    hand_on(self, false, self->output.bytes, used);
}

/* Within a C function that L called. */
static void leave_and_write(lua_State *L, bool is_stderr, const char *bytes, size_t length) {
    strand *self = strand_of(L);
    slice_leave(self);
    output_flush(self);
    hand_on(self, is_stderr, bytes, length);
    slice_reenter(self, L);
    if (self->kill_reason)
        slice_die(L);
}

static void count(lua_State *L, size_t length) {
    strand *self = strand_of(L);
    uint64_t most = self->options->output_bytes;
    self->output.total += length;
    if (!most || self->output.total <= most)
        return;
    snprintf(self->kill_text, sizeof self->kill_text, "output: more than the limit of %llu bytes",
             (unsigned long long)most);
    strand_kill(self, self->kill_text);
    slice_die(L);
}

void output_print(lua_State *L, bool is_stderr, const char *bytes, size_t length) {
    output *self = &strand_of(L)->output;
    count(L, length);
    if (!self->bytes)
        self->bytes = malloc(OUTPUT_BYTES);
    if (is_stderr || !self->bytes || length > OUTPUT_BYTES) {
        leave_and_write(L, is_stderr, bytes, length);
        return;
    }
    if (self->used + length > OUTPUT_BYTES)
        leave_and_write(L, false, NULL, 0);
    memcpy(self->bytes + self->used, bytes, length);
    self->used += length;
}

/* The arguments as Lua's print shows them, as one line. */
static int write_line(lua_State *L, bool is_stderr) {
    int count = lua_gettop(L);
    luaL_Buffer line;
    size_t length;
    for (int i = 1; i <= count; i++) {
        luaL_tolstring(L, i, NULL);
        lua_replace(L, i);
    }
    luaL_buffinit(L, &line);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        lua_pushvalue(L, i);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    const char *text = lua_tolstring(L, -1, &length);
    output_print(L, is_stderr, text, length);
    return 0;
}

static int script_print(lua_State *L) {
    return write_line(L, false);
}

static int script_log(lua_State *L) {
    return write_line(L, true);
}

void output_open(lua_State *L) {
    lua_register(L, "print", script_print);
    lua_register(L, "log", script_log);
}
