/* sql: SQLite's databases.
 *
 *   sql.open(path [, {timeout = 5, readonly = true}]) -> db          ":memory:" is one in memory
 *   db:query(text, ...) -> rows, columns: a list of tables by column name, and the columns' names
 *   db:run(text, ...) -> changes, rowid: any number of statements; the rowid is that of the last row inserted
 *   db:transaction(f, ...) -> the results of f(t, ...), see sql_transaction.c
 *   db:close()
 *
 * Values are given in their order (`?`), or in one table, by name (`:name`) or as a list. sql.null is NULL, sql.blob(data) a
 * blob. Calls of several tasks have the database one after another, in order. */
#include "fields.h"
#include "libraries.h"
#include "null.h"
#include "sql.h"
#include "task.h"
#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

#define TYPE "database"

/* ---- handles ---- */

sql_handle *sql_push_handle(lua_State *L) {
    sql_handle *self = lua_newuserdatauv(L, sizeof *self, 0);
    *self = (sql_handle){.database = NULL};
    luaL_setmetatable(L, TYPE);
    return self;
}

static void handle_drop(sql_handle *self) {
    database *database = self->database;
    transaction *within = self->within;
    *self = (sql_handle){.database = NULL};
    if (within && kept_remove(&within->kept))
        transaction_release(within);
    if (database && !within && kept_remove(&database->kept))
        database_release(database);
}

static int handle_gc(lua_State *L) {
    handle_drop(lua_touserdata(L, 1));
    return 0;
}

/* A transaction ends when its function does. */
static int handle_leave(lua_State *L) {
    sql_handle *self = luaL_checkudata(L, 1, TYPE);
    if (!self->within)
        handle_drop(self);
    return 0;
}

sql_handle *sql_check(lua_State *L, const char *function) {
    sql_handle *self = luaL_checkudata(L, 1, TYPE);
    if (!self->database)
        errand_raise(L, "%s: the database is closed", function);
    const transaction *current = self->database->current;
    if (self->within && self->within->over)
        errand_raise(L, "%s: %s: the transaction has ended", function, self->database->name);
    if (!self->within && current && current->owner == task_current(L))
        errand_raise(
            L,
            "%s: %s: this waits for the end of the transaction that it is in (use the handle that its "
            "function was given)",
            function, self->database->name);
    return self;
}

/* ---- calls ---- */

void *sql_call_create(lua_State *L, size_t bytes, const operation_class *class, database *database,
                      transaction *within) {
    sql_call *self = errand_create(L, bytes, class);
    self->data.budget = self->names.budget = self->rows.budget = database->budget;
    self->database = database;
    database->holders++;
    self->transaction = within;
    if (within)
        transaction_join(within);
    return self;
}

static turns *line_of(const sql_call *self) {
    return self->transaction ? &self->transaction->turns : &self->database->turns;
}

void sql_call_line_up(lua_State *L, sql_call *self) {
    if (!turns_join(line_of(self), &self->turn))
        errand_raise(L, "not enough memory");
}

void sql_call_destroy(operation *op) {
    sql_call *self = (sql_call *)op;
    if (self->database) {
        turns_leave(line_of(self), &self->turn);
        if (self->transaction)
            transaction_quit(self->transaction);
        database_release(self->database);
    }
    bytes_fini(&self->data);
    bytes_fini(&self->names);
    bytes_fini(&self->rows);
    free(self->text);
    free(self->values);
    free(self->error);
    free(self);
}

int sql_call_fail(lua_State *L, const sql_call *self) {
    const char *function = self->errand.operation.class->name;
    if (self->error)
        return errand_raise(L, "%s: %s: %s", function, self->database->name, self->error);
    return errand_fail(L, function, self->database->name, self->code);
}

static void call_run(operation *op) {
    sql_call *self = (sql_call *)op;
    self->code = turns_wait(&self->turn);
    if (!self->code)
        sql_call_perform(self);
}

static int call_finish(lua_State *L, operation *op) {
    sql_call *self = (sql_call *)op;
    if (self->code)
        return sql_call_fail(L, self);
    if (self->wants_rows)
        return sql_push_rows(L, self);
    lua_pushinteger(L, self->changes);
    lua_pushinteger(L, self->rowid);
    return 2;
}

static int call(lua_State *L, const operation_class *class, bool wants_rows) {
    sql_handle *handle = sql_check(L, class->name);
    const char *text = fields_text(L, 2);
    int last = lua_gettop(L);
    sql_call *self = sql_call_create(L, sizeof *self, class, handle->database, handle->within);
    self->wants_rows = wants_rows;
    self->text = errand_copy(L, text);
    sql_take_values(L, self, 3, last);
    sql_call_line_up(L, self);
    return errand_await(L, &self->errand);
}

static int sql_query(lua_State *L) {
    static const operation_class class = {
        .name = "sql.query", .run = call_run, .finish = call_finish, .destroy = sql_call_destroy};
    return call(L, &class, true);
}

static int sql_run(lua_State *L) {
    static const operation_class class = {
        .name = "sql.run", .run = call_run, .finish = call_finish, .destroy = sql_call_destroy};
    return call(L, &class, false);
}

/* ---- opening and closing ---- */

typedef struct opening {
    errand errand;
    database *database; /* held */
    char *path, *error;
    bool read_only;
    int64_t code;
} opening;

static int64_t open_database(void *arg) {
    opening *self = arg;
    return database_open(self->database, self->path, self->read_only, &self->error);
}

static void opening_run(operation *op) {
    opening *self = (opening *)op;
    self->code = hd_blocking(HD_POOL_USER, open_database, self);
}

/* The stack: path, options, the handle. */
static int opening_finish(lua_State *L, operation *op) {
    opening *self = (opening *)op;
    if (self->code && self->error)
        return errand_raise(L, "sql.open: %s: %s", self->database->name, self->error);
    if (self->code)
        return errand_fail(L, "sql.open", self->database->name, self->code);
    lua_pushvalue(L, 3);
    return 1;
}

static void opening_destroy(operation *op) {
    opening *self = (opening *)op;
    if (self->database)
        database_release(self->database);
    free(self->path);
    free(self->error);
    free(self);
}

/* One in memory may have a quarter of the script's memory for its pages, a file's cache a thirty-second. */
static void reserve(lua_State *L, database *database) {
    size_t most = database->budget->most, wanted = most / (database->in_memory ? 4 : 32);
    if (!database->in_memory && wanted > (size_t)2 << 20)
        wanted = (size_t)2 << 20;
    if (!budget_take(database->budget, wanted))
        errand_fail(L, "sql.open", database->name, BUDGET_EXCEEDED);
    database->reserved = wanted;
}

/* Held by `*holder` from the beginning, so that nothing is lost if an error is raised. */
static void database_create(lua_State *L, database **holder, const char *path) {
    database *self = *holder = calloc(1, sizeof *self);
    if (!self)
        errand_raise(L, "not enough memory");
    self->strand = strand_of(L);
    self->budget = errand_budget(L);
    self->holders = 1;
    turns_init(&self->turns);
    self->in_memory = strcmp(path, ":memory:") == 0;
    self->name = errand_copy(L, path);
    reserve(L, self);
}

static int open_script(lua_State *L) {
    static const operation_class class = {
        .name = "sql.open", .run = opening_run, .finish = opening_finish, .destroy = opening_destroy};
    static const char *const known[] = {"timeout", "readonly", NULL};
    const char *path = fields_text(L, 1);
    fields options = fields_of(L, 2, "sql.open", known);
    lua_Number timeout = 5;
    bool read_only = fields_flag(&options, "readonly");
    fields_number(&options, "timeout", 0, 86400, &timeout);
    luaL_argcheck(L, *path, 1, "the path is empty");
    lua_settop(L, 2);
    sql_handle *handle = sql_push_handle(L);
    opening *self = errand_create(L, sizeof *self, &class);
    database_create(L, &self->database, path);
    self->database->busy_ns = (uint64_t)(timeout * 1e9);
    /* SQLite would take it for a URI */
    self->path = errand_path(L, strncmp(path, "file:", 5) == 0 ? lua_pushfstring(L, "./%s", path) : path);
    self->read_only = read_only;
    self->database->holders++;
    handle->database = self->database;
    kept_add(self->database->strand, &self->database->kept, database_drop);
    return errand_await(L, &self->errand);
}

static int64_t shut(void *arg) {
    database_shut(arg);
    return 0;
}

/* After the calls that stand in line. */
static void closing_run(operation *op) {
    sql_call *self = (sql_call *)op;
    self->code = turns_wait(&self->turn);
    if (!self->code)
        (void)!hd_blocking(HD_POOL_USER, shut, self->database);
}

static int closing_finish(lua_State *L, operation *op) {
    (void)L, (void)op;
    return 0;
}

static int sql_close(lua_State *L) {
    static const operation_class class = {
        .name = "sql.close", .run = closing_run, .finish = closing_finish, .destroy = sql_call_destroy};
    sql_handle *handle = luaL_checkudata(L, 1, TYPE);
    if (!handle->database)
        return 0;
    sql_check(L, class.name);
    if (handle->within)
        return errand_raise(L, "sql.close: %s: a transaction ends when its function does",
                            handle->database->name);
    sql_call *self = sql_call_create(L, sizeof *self, &class, handle->database, NULL);
    sql_call_line_up(L, self);
    handle_drop(handle);
    return errand_await(L, &self->errand);
}

static int handle_tostring(lua_State *L) {
    sql_handle *self = luaL_checkudata(L, 1, TYPE);
    lua_pushfstring(L, "database: %s", self->database ? self->database->name : "closed");
    return 1;
}

void sql_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"open", open_script}, {"blob", sql_blob}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"query", sql_query},
                                       {"run", sql_run},
                                       {"transaction", sql_transaction},
                                       {"close", sql_close},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {
        {"__gc", handle_gc}, {"__close", handle_leave}, {"__tostring", handle_tostring}, {NULL, NULL}};
    type_open(L, TYPE, methods, meta);
    sql_values_open(L);
    luaL_newlib(L, functions);
    null_push(L);
    lua_setfield(L, -2, "null");
    lua_setglobal(L, "sql");
}
