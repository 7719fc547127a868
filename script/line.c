/* A line is compiled in its own task, as an expression if it can be ("return LINE"), since compiling may take its time and fails
 * as anything else does. What breaks off within ("near <eof>") is incomplete. */
#include "line.h"
#include "source.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ------------------------------------------------------------------------------------------------------------- */

void script_line_result_free(script_line_result *result) {
    free(result->text);
    free(result->traceback);
    *result = (script_line_result){.text = NULL};
}

line *line_create(script_lines *lines, const script_line *given) {
    size_t name_bytes = given->name ? strlen(given->name) + 1 : 0;
    line *self = calloc(1, sizeof *self + given->bytes + 1 + name_bytes);
    if (!self)
        return NULL;
    self->over = hd_event_create();
    if (!self->over) {
        free(self);
        return NULL;
    }
    self->lines = lines;
    chain_init(&self->link);
    self->reference = LUA_NOREF;
    self->bytes = given->bytes;
    memcpy(self->text, given->code, given->bytes);
    if (given->name)
        self->name = memcpy(self->text + given->bytes + 1, given->name, name_bytes);
    return self;
}

void line_destroy(line *self) {
    hd_event_destroy(self->over);
    script_line_result_free(&self->result);
    free(self->shown.bytes);
    free(self);
}

void line_end(line *self, int code) {
    self->code = code;
    self->is_over = true;
    if (self->is_alone)
        line_destroy(self);
    else
        hd_event_set(self->over);
}

/* ---- its task ----------------------------------------------------------------------------------------------------- */

static bool breaks_off(lua_State *L, int status) {
    static const char mark[] = "<eof>";
    size_t length, ending = sizeof mark - 1;
    const char *message = status == LUA_ERRSYNTAX ? lua_tolstring(L, -1, &length) : NULL;
    return message && length >= ending && strcmp(message + length - ending, mark) == 0;
}

/* Pushes the function, or a message. */
static int compile_expression(lua_State *L, const line *self) {
    size_t length;
    lua_pushliteral(L, "return ");
    lua_pushlstring(L, self->text, self->bytes);
    lua_concat(L, 2);
    const char *code = lua_tolstring(L, -1, &length);
    int status = source_load(L, code, length, "=shell");
    lua_remove(L, -2);
    return status;
}

static int compile(lua_State *L, line *self) {
    bool breaks = false;
    if (!self->name) {
        int status = compile_expression(L, self);
        if (status == LUA_OK)
            return status;
        breaks = breaks_off(L, status);
        lua_pop(L, 1);
    }
    const char *name = self->name ? lua_pushfstring(L, "@%s", self->name) : "=shell";
    int status = source_load(L, self->text, self->bytes, name);
    self->incomplete = status != LUA_OK && !self->name && (breaks || breaks_off(L, status));
    self->uncompiled = status != LUA_OK;
    return status;
}

/* Its values stand from 2 on. The first one is kept as `_`. */
static int line_returns(lua_State *L, int status, lua_KContext context) {
    line *self = (line *)context;
    int count = lua_gettop(L) - 1;
    (void)status;
    if (self->name || count == 0)
        return 0;
    show_values(L, 2, count, &self->shown);
    if (!lua_isnil(L, 2)) {
        lua_pushglobaltable(L);
        lua_pushliteral(L, "_");
        lua_pushvalue(L, 2);
        lua_rawset(L, -3);
        lua_pop(L, 1);
    }
    return count;
}

/* A file has the script's. */
static int push_arguments(lua_State *L) {
    const script_options *options = strand_of(L)->options;
    luaL_checkstack(L, (int)options->arg_count + 8, "too many arguments");
    for (size_t i = 0; i < options->arg_count; i++)
        lua_pushstring(L, options->args[i]);
    return (int)options->arg_count;
}

static int line_body(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    if (self->number == 0) {
        show_names(L, self->text, &self->shown);
        return 0;
    }
    if (compile(L, self) == LUA_OK) {
        lua_insert(L, 2);
        lua_settop(L, 2);
        int arguments = self->name ? push_arguments(L) : 0;
        lua_callk(L, arguments, LUA_MULTRET, (lua_KContext)self, line_returns);
        return line_returns(L, LUA_OK, (lua_KContext)self);
    }
    if (!self->incomplete)
        return lua_error(L);
    self->result.text = error_text(L, -1);
    return 0;
}

/* In protected mode. Nothing fails once the task is there, for it has the line. */
static int spawn_line(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    if (self->number)
        lua_pushfstring(L, "line-%I", (lua_Integer)self->number);
    else
        lua_pushliteral(L, "names");
    lua_pushboolean(L, 1);
    self->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, line_body);
    lua_pushlightuserdata(L, self);
    self->task = task_spawn(L, 1);
    lua_pushvalue(L, 2);
    task_set_name(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, self->reference);
    return 0;
}

/* Of a traceback the places alone, without those that each line has; NULL: there are no others. Changes the text. */
static char *places(char *trace) {
    char *at = strstr(trace, "\nstack traceback:\n"), *to = trace;
    bool worth = false;
    at = at ? strchr(at + 1, '\n') + 1 : trace;
    while (*at) {
        size_t length = strcspn(at, "\n");
        bool last = at[length] == '\0';
        const char *place = at + (*at == '\t');
        size_t bytes = length - (*at == '\t');
        if (bytes != 9 || strncmp(place, "[C]: in ?", 9)) {
            worth = worth || (strncmp(place, "[C]:", 4) && strncmp(place, "shell:", 6));
            memmove(to, place, bytes);
            to += bytes;
            *to++ = '\n';
        }
        at += length + !last;
    }
    to[to > trace ? -1 : 0] = '\0';
    if (worth)
        return trace;
    free(trace);
    return NULL;
}

/* In protected mode: what it ended with. */
static int read_result(lua_State *L) {
    line *self = lua_touserdata(L, 1);
    task *task = self->task;
    lua_rawgeti(L, LUA_REGISTRYINDEX, self->reference);
    luaL_unref(L, LUA_REGISTRYINDEX, self->reference);
    if (task->future.state == FUTURE_FAILED) {
        const char *traceback = self->uncompiled ? NULL : task_push_traceback(L, 2);
        char *trace = traceback ? strdup(traceback) : NULL;
        self->result.traceback = trace ? places(trace) : NULL;
        task_mark_retrieved(strand_of(L), task);
        lua_getiuservalue(L, 2, TASK_ERROR);
        self->result.text = error_text(L, -1);
    }
    return 0;
}

/* What is wrong otherwise is the line's text. */
static bool protect(strand *self, lua_CFunction function, line *line) {
    lua_State *L = self->state;
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, line);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        return true;
    const char *text = lua_tostring(L, -1);
    if (!line->result.text)
        line->result.text = strdup(text ? text : "?");
    lua_pop(L, 1);
    return false;
}

bool line_spawn(strand *strand, line *self) {
    if (protect(strand, spawn_line, self))
        return true;
    luaL_unref(strand->state, LUA_REGISTRYINDEX, self->reference);
    self->result.end = SCRIPT_LINE_FAILED;
    return false;
}

void line_take_result(strand *strand, line *self) {
    switch (self->task->future.state) {
    case FUTURE_DONE: self->result.end = self->incomplete ? SCRIPT_LINE_INCOMPLETE : SCRIPT_LINE_DONE; break;
    case FUTURE_CANCELLED: self->result.end = SCRIPT_LINE_CANCELLED; break;
    default: self->result.end = SCRIPT_LINE_FAILED;
    }
    protect(strand, read_result, self);
    if (self->result.end != SCRIPT_LINE_DONE)
        return;
    self->result.text = self->shown.bytes;
    self->shown.bytes = NULL;
}
