/* exec: commands.
 *
 *   exec{"sort", "-n", stdin = "...", env = {NAME = "value"}, cwd = "..."} -> {status, signal, stdout, stderr}
 *   exec("sort -n | uniq", {stdin = "..."}): by the shell
 *   os.execute(line) -> true or nil, "exit" or "signal", number: its output is the script's
 *
 * A status other than 0 is no error; that a command could not be started is one. One that was ended by a signal has, as
 * a shell says, the status 128 + signal. If who waits for it is cancelled, the command is ended, with its whole group. */
#include "command_args.h"
#include "errand.h"
#include "libraries.h"
#include "popen.h"

#include <stdlib.h>

typedef struct executing {
    errand errand;
    command *command;
    int64_t code;
} executing;

static void let_go(operation *op) {
    command_release(((executing *)op)->command);
    free(op);
}

/* ---- exec ---- */

static void exec_run(operation *op) {
    executing *self = (executing *)op;
    self->code = command_run(self->command, COMMAND_UNTIL_END);
    if (self->code)
        command_stop(self->command);
}

static void push_output(lua_State *L, const bytes *output, const char *name) {
    lua_pushlstring(L, output->data, output->length);
    lua_setfield(L, -2, name);
}

static int exec_finish(lua_State *L, operation *op) {
    executing *self = (executing *)op;
    const hd_exit *status = &self->command->status;
    if (self->code)
        return command_fail(L, "exec", self->command, self->code);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, status->signal ? 128 + status->signal : status->code);
    lua_setfield(L, -2, "status");
    if (status->signal) {
        lua_pushinteger(L, status->signal);
        lua_setfield(L, -2, "signal");
    }
    push_output(L, &self->command->output[COMMAND_OUT], "stdout");
    push_output(L, &self->command->output[COMMAND_ERR], "stderr");
    return 1;
}

static executing *executing_create(lua_State *L, const operation_class *class) {
    executing *self = errand_create(L, sizeof *self, class);
    self->command = command_create(strand_of(L));
    if (!self->command || !command_line_up(self->command))
        errand_raise(L, "not enough memory");
    return self;
}

static int script_exec(lua_State *L) {
    static const operation_class class = {
        .name = "exec", .run = exec_run, .finish = exec_finish, .destroy = let_go};
    lua_settop(L, 2);
    executing *self = executing_create(L, &class);
    command_check(L, self->command);
    return errand_await(L, &self->errand);
}

/* ---- os.execute ---- */

static const operation_class execute_class;

static void execute_run(operation *op) {
    executing *self = (executing *)op;
    self->code = command_run(self->command, COMMAND_UNTIL_ANYTHING);
    if (self->code)
        command_stop(self->command);
}

/* Prints what came, and waits for more: by another errand, so that a slow reader of the script's output makes the command
 * wait, and not the memory grow. */
static int execute_finish(lua_State *L, operation *op) {
    executing *self = (executing *)op;
    command_print(L, self->command, COMMAND_OUT);
    command_print(L, self->command, COMMAND_ERR);
    if (self->code)
        return command_fail(L, "os.execute", self->command, self->code);
    if (self->command->ended)
        return command_push_end(L, self->command);
    lua_settop(L, 1);
    executing *next = errand_create(L, sizeof *next, &execute_class);
    next->command = self->command;
    self->command = NULL;
    return errand_await(L, &next->errand);
}

static const operation_class execute_class = {
    .name = "os.execute", .run = execute_run, .finish = execute_finish, .destroy = let_go};

static int script_execute(lua_State *L) {
    if (lua_isnoneornil(L, 1)) {
        lua_pushboolean(L, true); /* there is a shell */
        return 1;
    }
    lua_settop(L, 1);
    executing *self = executing_create(L, &execute_class);
    command_check_shell(L, "os.execute", self->command);
    return errand_await(L, &self->errand);
}

void exec_open(lua_State *L) {
    static const luaL_Reg os[] = {{"execute", script_execute}, {NULL, NULL}};
    static const luaL_Reg io[] = {{"popen", popen_script}, {NULL, NULL}};
    popen_open(L);
    lua_register(L, "exec", script_exec);
    library_extend(L, "os", os);
    library_extend(L, "io", io);
}
