/* db:transaction(function(t) ... end): BEGIN IMMEDIATE, the function, and COMMIT, or ROLLBACK if it raised an error, which is
 * then raised again.
 *
 * All of it has one turn at the database, so that other tasks' calls come before or after. What is done within goes through
 * `t`, by whichever task, and lines up there. A task that would wait for the end of its own transaction is told so.
 *
 * The errand that ends it is made before its function runs, whose user of the transaction it is: so what has begun needs no
 * memory to end, and a function that is given up (its coroutine is dropped, or closed) lets go of it.
 *
 * The stack: 1 the database, 2 the transaction's handle, 3 what is called, with its arguments behind it, and at the end an
 * errand's guard. While it runs, 3 is the guard of the errand that ends it, and 4 what is called, or its results. */
#include "sql.h"
#include "vocabulary.h"

#include <lauxlib.h>
#include <stdlib.h>

enum { HANDLE = 2, GUARD = 3, BODY = 4 };

typedef struct ending {
    sql_call call;
    bool failed; /* the function has, and its error is on the stack */
    bool ran;    /* it has seen to the end */
} ending;

/* ---- its end, whoever sees to it ---- */

static void forget(transaction *self) {
    if (self->database->current == self)
        self->database->current = NULL;
}

static void leave(transaction *self) {
    forget(self);
    turns_leave(&self->database->turns, &self->turn);
}

static int64_t roll_back(void *arg) {
    sqlite3 *handle = ((transaction *)arg)->database->handle;
    if (!sqlite3_get_autocommit(handle))
        sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL);
    return 0;
}

static void roll_back_aside(void *arg) {
    if (hd_blocking(HD_POOL_USER, roll_back, arg))
        roll_back(arg);
}

static void rolled_back(void *arg) {
    leave(arg);
    transaction_release(arg);
}

/* Nobody is within it, and nobody has ended it. */
static void abandon(transaction *self) {
    self->ended = self->over = true;
    if (!self->tried) {
        leave(self);
        return;
    }
    atomic_store_explicit(&self->database->stop, false, memory_order_relaxed);
    self->holders++;
    if (errand_leave(self->database->strand, roll_back_aside, rolled_back, self))
        return;
    self->holders--; /* whoever abandons it is one */
    roll_back(self);
    leave(self);
}

void transaction_join(transaction *self) {
    if (self->users++ == 0)
        self->holders++;
}

void transaction_quit(transaction *self) {
    if (--self->users > 0)
        return;
    if (!self->ended)
        abandon(self);
    transaction_release(self);
}

void transaction_release(transaction *self) {
    if (--self->holders > 0)
        return;
    turns_fini(&self->turns);
    database_release(self->database);
    free(self);
}

void transaction_drop(kept *kept) {
    transaction_release(chain_entry(kept, transaction, kept));
}

/* ---- commit, rollback ---- */

static void ending_run(operation *op) {
    ending *self = (ending *)op;
    sqlite3 *handle = self->call.database->handle;
    self->ran = true;
    self->call.is_shielded = true;
    hd_shield_begin();
    (void)!turns_wait(&self->call.turn);
    hd_shield_end();
    if (!self->failed)
        sql_call_perform_text(&self->call, "COMMIT");
    if ((self->failed || self->call.code) && !sqlite3_get_autocommit(handle)) {
        char *error = self->call.error;
        int64_t code = self->call.code;
        self->call.error = NULL;
        sql_call_perform_text(&self->call, "ROLLBACK");
        free(self->call.error);
        self->call.error = error;
        self->call.code = code;
    }
}

static void end(ending *self) {
    self->call.transaction->ended = true;
    leave(self->call.transaction);
}

static int ending_finish(lua_State *L, operation *op) {
    ending *self = (ending *)op;
    end(self);
    if (self->failed)
        return lua_error(L);
    if (self->call.code)
        return sql_call_fail(L, &self->call);
    return lua_gettop(L) - BODY; /* that is where the message handler is */
}

static void ending_destroy(operation *op) {
    ending *self = (ending *)op;
    transaction *within = self->call.transaction;
    within->over = true;
    forget(within); /* its task may wait for the end now */
    if (self->ran)
        end(self);
    sql_call_destroy(op);
}

/* The function has returned, or raised an error. */
static int body_ended(lua_State *L, int status, lua_KContext context) {
    ending *self = (ending *)context;
    transaction *within = self->call.transaction;
    within->over = true;
    self->failed = status != LUA_OK && status != LUA_YIELD;
    if (!lua_checkstack(L, 8) || !turns_join(&within->turns, &self->call.turn)) {
        errand_drop(&self->call.errand);
        lua_settop(L, HANDLE);
        return errand_raise(L, "not enough memory");
    }
    return errand_await(L, &self->call.errand);
}

/* ---- begin ---- */

static void beginning_run(operation *op) {
    sql_call *self = (sql_call *)op;
    self->code = turns_wait(&self->transaction->turn);
    if (self->code)
        return;
    /* one that the script began by hand is not ours to roll back */
    self->transaction->tried = sqlite3_get_autocommit(self->database->handle);
    sql_call_perform_text(self, "BEGIN IMMEDIATE");
}

static int beginning_finish(lua_State *L, operation *op) {
    static const operation_class class = {
        .name = "sql.transaction", .run = ending_run, .finish = ending_finish, .destroy = ending_destroy};
    sql_call *begun = (sql_call *)op;
    transaction *within = begun->transaction;
    lua_pop(L, 1);
    if (begun->code)
        return sql_call_fail(L, begun);
    int arguments = lua_gettop(L) - (BODY - 1);
    ending *self = sql_call_create(L, sizeof *self, &class, within->database, within);
    lua_insert(L, GUARD);
    within->database->current = within;
    lua_pushcfunction(L, error_on_the_way);
    lua_insert(L, BODY);
    lua_KContext context = (lua_KContext)self;
    return body_ended(L, lua_pcallk(L, arguments, LUA_MULTRET, BODY, context, body_ended), context);
}

static transaction *transaction_create(lua_State *L, database *database) {
    sql_handle *handle = sql_push_handle(L);
    transaction *self = calloc(1, sizeof *self);
    if (!self)
        errand_raise(L, "not enough memory");
    *self = (transaction){.holders = 1, .database = database, .owner = task_current(L)};
    turns_init(&self->turns);
    database->holders++;
    handle->database = database;
    handle->within = self;
    kept_add(database->strand, &self->kept, transaction_drop);
    return self;
}

int sql_transaction(lua_State *L) {
    static const operation_class class = {.name = "sql.transaction",
                                          .run = beginning_run,
                                          .finish = beginning_finish,
                                          .destroy = sql_call_destroy};
    sql_handle *handle = sql_check(L, class.name);
    luaL_checkany(L, 2);
    if (handle->within)
        return errand_raise(L, "sql.transaction: %s: a transaction is under way, and they do not nest",
                            handle->database->name);
    luaL_checkstack(L, 8, "arguments");
    transaction *within = transaction_create(L, handle->database);
    lua_insert(L, HANDLE);
    lua_pushvalue(L, HANDLE);
    lua_insert(L, HANDLE + 2); /* the first argument */
    sql_call *self = sql_call_create(L, sizeof *self, &class, within->database, within);
    if (!turns_join(&within->database->turns, &within->turn))
        return errand_raise(L, "not enough memory");
    return errand_await(L, &self->errand);
}
