/* The parts of sql. A database is a connection of SQLite's that one call at a time works on, on a thread of the pool; calls
 * have it in turns. Private to sql_*.c and lib_sql.c. */
#ifndef SQL_H
#define SQL_H

#include "budget.h"
#include "errand.h"
#include "turns.h"

#include <sqlite3.h>
#include <stdint.h>

/* What SQLite calls our way to reach files. */
#define SQL_FILES "heddle"

/* In bytes; also of a row. */
enum { SQL_LONGEST_VALUE = 16 << 20 };

typedef struct database {
    /* the strand's */
    struct strand *strand;
    int holders;
    kept kept;                   /* by its handle */
    char *name;                  /* the path, as the script gave it */
    struct transaction *current; /* NULL: none */
    bool in_memory;
    uint64_t busy_ns; /* how long to wait for other processes' locks */
    turns turns;
    budget *budget;
    size_t reserved; /* of it: for its pages */

    /* of who has the turn, on a thread of the pool */
    sqlite3 *handle;     /* NULL: not open */
    const char *refused; /* why the authorizer refused; constant */

    atomic_bool stop; /* what runs is to end soon. relaxed: a hint */
} database;

/* A transaction holds the database's turn, and has a line of its own for what is done within it. */
typedef struct transaction {
    int holders; /* its handle, and its users, together */
    int users;   /* calls within it, and who begins it, runs its function and ends it. The last one rolls it back, if it
                    has not been ended */
    kept kept;   /* by its handle */
    database *database; /* held */
    struct task *owner; /* to be compared only */
    turn turn; /* at the database; whose handle is used from then on by who has the turn in this line: */
    turns turns;
    bool tried; /* it has had its turn, and perhaps begun. The errand's that begins it */
    bool over;  /* to the script */
    bool ended; /* or somebody sees to its end */
} transaction;

/* A value, as it goes to SQLite. */
typedef struct sql_value {
    int type; /* SQLITE_INTEGER... */
    int64_t integer;
    double number;
    size_t at, length; /* of text and blobs, in the call's `data` */
    size_t name_at;    /* of named ones, with a zero at the end */
} sql_value;

/* What is done to a database. */
typedef struct sql_call {
    errand errand;
    database *database;       /* held */
    transaction *transaction; /* within it; a user of it; NULL: by itself */
    turn turn;
    bool wants_rows;  /* one statement, and what it gives; else any number of them */
    bool is_shielded; /* being cancelled ends only its wait for other processes' locks */

    char *text, *next; /* `next`: the statement that is the next one to run */
    sql_value *values;
    size_t value_count;
    bool named;
    bytes data;     /* texts, blobs and names of values */
    uint32_t steps; /* while they are taken; see pace.h */

    bytes names; /* of the columns, each with its zero */
    int columns;
    bytes
        rows; /* for each value its type in a byte, then an int64_t, a double, or a size_t and so many bytes */
    int64_t changes, rowid;

    int64_t code; /* 0, or a negative code; */
    char *error;  /* what SQLite says of it, malloc'ed; NULL: nothing */
} sql_call;

/* ---- sql_database.c ---- */

/* Opens it, read-only or not. `path` is whole. 0, or a negative code with `*error` (see sql_call). On a pool thread. */
int64_t database_open(database *self, const char *path, bool read_only, char **error);

/* On a pool thread. */
void database_shut(database *self);

/* On the strand. The last one shuts it, aside, and frees it. */
void database_release(database *self);

/* For its handle. */
void database_drop(kept *kept);

/* ---- sql_files.c ---- */

/* Once. */
void sql_files_set_up(void);

/* ---- sql_functions.c ---- */

/* SQLite's code. */
int sql_functions_add(database *self);

/* ---- sql_statement.c ---- */

/* Runs the call's statements. On the errand's task, at its turn. Sets `code` and `error`. */
void sql_call_perform(sql_call *self);

/* The same with another text. */
void sql_call_perform_text(sql_call *self, const char *text);

/* ---- sql_values.c ---- */

/* Takes the values of a call from the arguments from `first` to `last`. Raises errors. */
void sql_take_values(lua_State *L, sql_call *call, int first, int last);

/* Pushes the rows, and the columns' names. */
int sql_push_rows(lua_State *L, const sql_call *call);

/* sql.blob(data) */
int sql_blob(lua_State *L);
void sql_values_open(lua_State *L);

/* ---- sql_transaction.c ---- */

/* A user more, and less; a handle less. On the strand. */
void transaction_join(transaction *self);
void transaction_quit(transaction *self);
void transaction_release(transaction *self);

/* For its handle. */
void transaction_drop(kept *kept);

/* db:transaction(f, ...) */
int sql_transaction(lua_State *L);

/* ---- lib_sql.c ---- */

/* What scripts have: a database, or a transaction's. */
typedef struct sql_handle {
    database *database;  /* held, if there is no transaction. NULL: it is closed */
    transaction *within; /* held */
} sql_handle;

/* The handle at index 1, if it can be used. */
sql_handle *sql_check(lua_State *L, const char *function);

/* Pushes an empty one. */
sql_handle *sql_push_handle(lua_State *L);

void sql_call_destroy(operation *op);

/* Raises its error. */
int sql_call_fail(lua_State *L, const sql_call *call);

/* An errand of `bytes` bytes at the database, or within the transaction if that is not NULL. */
void *sql_call_create(lua_State *L, size_t bytes, const operation_class *class, database *database,
                      transaction *within);

/* Lines it up. Raises errors. */
void sql_call_line_up(lua_State *L, sql_call *call);

#endif
