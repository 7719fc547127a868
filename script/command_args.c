#include "command_args.h"
#include "errand.h"
#include "fields.h"
#include "output.h"
#include "pace.h"
#include "strand.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_BYTES = 2 << 20, /* of words and environment: the kernel takes less, and copies are made until it is asked */
    MOST_STRINGS = MOST_BYTES / sizeof(char *),
    LINE_BYTES = 128 << 10, /* of a word, with its zero: the kernel takes no longer ones (MAX_ARG_STRLEN) */
    BLOCK_BYTES = 16, /* that malloc adds to each copy, more or less */
};

/* ---- copies, which count for the script's memory ---- */

static void take_room(lua_State *L, command *self, size_t bytes) {
    if (!strand_take(L, &self->strand->beside, bytes))
        errand_fail(L, "exec", "the command", BUDGET_EXCEEDED);
    self->held += bytes;
}

static char **new_list(lua_State *L, command *self, size_t count) {
    take_room(L, self, (count + 1) * sizeof(char *));
    char **list = calloc(count + 1, sizeof *list);
    if (!list)
        errand_raise(L, "not enough memory");
    return list;
}

static char *copy_of(lua_State *L, command *self, const char *text) {
    take_room(L, self, strlen(text) + BLOCK_BYTES);
    char *copy = strdup(text);
    if (!copy)
        errand_raise(L, "not enough memory");
    return copy;
}

/* ---- words ---- */

const char *command_check_line(lua_State *L, const char *function) {
    const char *line = fields_text(L, 1);
    if (strlen(line) >= LINE_BYTES)
        errand_raise(L, "%s: the line is longer than %d bytes", function, LINE_BYTES - 1);
    return line;
}

static void set_shell(lua_State *L, const char *function, command *self) {
    const char *line = command_check_line(L, function);
    self->argv = new_list(L, self, 3);
    self->argv[0] = copy_of(L, self, "/bin/sh");
    self->argv[1] = copy_of(L, self, "-c");
    self->argv[2] = copy_of(L, self, line);
}

static char *word_of(lua_State *L, command *self, lua_Integer place, size_t *total) {
    size_t length;
    if (lua_rawgeti(L, 1, place) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
        errand_raise(L, "exec: word %d: a string was expected, and not a %s", (int)place,
                     luaL_typename(L, -1));
    const char *word = lua_tolstring(L, -1, &length);
    if (strlen(word) != length)
        errand_raise(L, "exec: word %d: the string has a zero byte in it", (int)place);
    *total += length;
    if (*total > MOST_BYTES)
        errand_raise(L, "exec: arguments and environment are too large together");
    char *copy = copy_of(L, self, word);
    lua_pop(L, 1);
    return copy;
}

static void set_words(lua_State *L, command *self, size_t *total) {
    size_t count = lua_rawlen(L, 1);
    uint32_t steps = 0;
    if (count == 0)
        errand_raise(L, "exec: there is no command (try: exec{\"echo\", \"hello\"})");
    if (count > MOST_STRINGS)
        errand_raise(L, "exec: arguments and environment are too large together");
    self->argv = new_list(L, self, count);
    for (size_t i = 0; i < count; i++) {
        self->argv[i] = word_of(L, self, (lua_Integer)i + 1, total);
        pace(L, &steps);
    }
    if (self->argv[0][0] == '\0')
        errand_raise(L, "exec: \"\" is not the name of a command");
}

/* ---- the environment ---- */

/* The table of changes lies on top of the stack. Is the variable among them? */
static bool is_changed(lua_State *L, const char *entry) {
    lua_pushlstring(L, entry, strcspn(entry, "="));
    bool is = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 1);
    return is;
}

/* On top of the stack lie a variable's name and its value. The entry, or NULL: it is to be taken away. */
static char *entry_of(lua_State *L, command *self, size_t *total) {
    if (lua_type(L, -2) != LUA_TSTRING)
        errand_raise(L, "exec: env: a name is a string, and not a %s", luaL_typename(L, -2));
    size_t name_length, length;
    const char *name = lua_tolstring(L, -2, &name_length);
    if (name_length == 0 || strlen(name) != name_length || strchr(name, '='))
        errand_raise(L, "exec: env: \"%s\" cannot be a variable's name", name);
    if (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1))
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
        errand_raise(L, "exec: env: %s: a string was expected (or false, to take it away), and not a %s",
                     name, luaL_typename(L, -1));
    lua_pushvalue(L, -1); /* a number in the table stays one */
    const char *value = lua_tolstring(L, -1, &length);
    if (strlen(value) != length)
        errand_raise(L, "exec: env: %s: the string has a zero byte in it", name);
    *total += name_length + length;
    if (*total > MOST_BYTES)
        errand_raise(L, "exec: arguments and environment are too large together");
    lua_pushfstring(L, "%s=%s", name, value);
    char *entry = copy_of(L, self, lua_tostring(L, -1));
    lua_pop(L, 2);
    return entry;
}

/* The script's environment, with the changes in the table on top of the stack, which may be nil. */
static void set_environment(lua_State *L, command *self, size_t *total) {
    const char *const *base = strand_options(strand_of(L))->env;
    size_t count = 0, room = 0;
    uint32_t steps = 0;
    bool changes = lua_istable(L, -1);
    if (!base && !changes)
        return;
    base = base ? base : (const char *const *)environ;
    while (base[room])
        room++;
    if (changes)
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
            if (++room > MOST_STRINGS)
                errand_raise(L, "exec: arguments and environment are too large together");
    self->envp = new_list(L, self, room);
    for (; *base; base++)
        if (!changes || !is_changed(L, *base))
            self->envp[count++] = copy_of(L, self, *base);
    if (!changes)
        return;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        self->envp[count] = entry_of(L, self, total);
        count += self->envp[count] != NULL;
        pace(L, &steps);
    }
}

/* ---- options ---- */

static void set_options(lua_State *L, command *self, const fields *options, size_t *total) {
    size_t length;
    const char *cwd = fields_string(options, "cwd", NULL);
    const char *input = fields_string(options, "stdin", &length);
    const char *own = strand_options(strand_of(L))->cwd;
    if (cwd)
        self->cwd = errand_path(L, cwd);
    else if (own)
        self->cwd = copy_of(L, self, own);
    if (input && bytes_add(&self->input, input, length))
        errand_raise(L, "exec: stdin: more than the script's memory has room for");
    fields_push_table(options, "env");
    set_environment(L, self, total);
    lua_pop(L, 1);
}

void command_check(lua_State *L, command *self) {
    static const char *const known[] = {"stdin", "env", "cwd", NULL}, *const none[] = {NULL};
    bool is_table = lua_type(L, 1) == LUA_TTABLE;
    size_t total = 0;
    luaL_argexpected(L, is_table || lua_isstring(L, 1), 1, "a table of words, or a string for the shell");
    fields options = fields_of(L, is_table && lua_isnoneornil(L, 2) ? 1 : 2, "exec", known);
    if (is_table && options.table != 1)
        fields_of(L, 1, "exec", none);
    if (is_table)
        set_words(L, self, &total);
    else
        set_shell(L, "exec", self);
    set_options(L, self, &options, &total);
}

void command_check_shell(lua_State *L, const char *function, command *self) {
    size_t total = 0;
    fields none = {.L = L, .function = function};
    set_shell(L, function, self);
    set_options(L, self, &none, &total);
}

int command_fail(lua_State *L, const char *function, const command *self, int64_t code) {
    if (code == BUDGET_EXCEEDED)
        return errand_fail(L, function, "its output", code);
    if (self->why)
        return errand_raise(L, "%s: %s: %s", function, self->what, self->why);
    return errand_fail(L, function, self->what ? self->what : self->argv[0], code);
}

/* ---- results ---- */

int command_push_end(lua_State *L, const command *self) {
    const hd_exit *status = &self->status;
    if (status->signal == 0 && status->code == 0)
        lua_pushboolean(L, true);
    else
        lua_pushnil(L);
    lua_pushstring(L, status->signal ? "signal" : "exit");
    lua_pushinteger(L, status->signal ? status->signal : status->code);
    return 3;
}

void command_print(lua_State *L, command *self, int stream) {
    bytes *came = &self->output[stream];
    if (came->length)
        output_print(L, stream == COMMAND_ERR, came->data, came->length);
    came->length = 0;
}
