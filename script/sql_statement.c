/* Statements: prepared, given their values, run, on a thread of the pool.
 *
 * While others have the database locked, SQLite would sleep in the pool's thread, and a few scripts that wait could keep
 * all of them from one that would let go: so it gives up at once, and the errand sleeps, and tries again. A statement that
 * found the database locked has done nothing, so that it can be run anew. */
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTEST_PAUSE_NS HD_MS(1)
#define LONGEST_PAUSE_NS  HD_MS(50)

/* The result of a try: also 0 and negative codes. */
enum { TRY_AGAIN = 1 };

/* ---- what is wrong ---- */

static int64_t fail_text(sql_call *self, const char *text) {
    free(self->error);
    self->error = strdup(text);
    return self->error ? -EIO : HD_ENOMEM;
}

/* Is one of the databases in WAL mode? The file's header says so. */
static bool is_in_wal_mode(sqlite3 *handle) {
    const char *schema;
    for (int i = 0; (schema = sqlite3_db_name(handle, i)); i++) {
        sqlite3_file *file = NULL;
        char version;
        if (sqlite3_file_control(handle, schema, SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file &&
            file->pMethods && file->pMethods->xRead(file, &version, 1, 19) == SQLITE_OK && version == 2)
            return true;
    }
    return false;
}

static int64_t fail(sql_call *self, int result) {
    database *database = self->database;
    char text[300];
    switch (result & 0xFF) {
    case SQLITE_BUSY:
        if (result != SQLITE_BUSY_SNAPSHOT)
            return TRY_AGAIN;
        return fail_text(
            self, "the transaction began with a read, and others have written since (begin it with BEGIN "
                  "IMMEDIATE)");
    case SQLITE_NOMEM: return HD_ENOMEM;
    case SQLITE_TOOBIG:
        if (database->budget->most <= SQL_LONGEST_VALUE)
            return BUDGET_EXCEEDED;
        return fail_text(self, "a value, or a row, of more than 16 MiB");
    case SQLITE_FULL:
        if (!database->in_memory)
            break;
        snprintf(text, sizeof text,
                 "a database in memory may have %.4g MiB, a quarter of the script's memory limit",
                 (double)database->reserved / (1 << 20));
        return fail_text(self, text);
    case SQLITE_CANTOPEN:
        if (!is_in_wal_mode(database->handle))
            break;
        return fail_text(self, "it is in WAL mode, which shares memory with other processes (PRAGMA locking_mode = "
                               "EXCLUSIVE goes without; PRAGMA journal_mode = DELETE then ends the mode)");
    case SQLITE_INTERRUPT: return HD_ECANCELED;
    case SQLITE_AUTH:
    case SQLITE_ERROR: /* for functions */
        if (!database->refused)
            break;
        snprintf(text, sizeof text, "this is not for scripts: %s", database->refused);
        return fail_text(self, text);
    default: break;
    }
    return fail_text(self, sqlite3_errmsg(database->handle));
}

/* ---- values ---- */

static int bind_value(sqlite3_stmt *statement, int place, const sql_call *call, const sql_value *value) {
    const char *data = call->data.data ? call->data.data + value->at : "";
    switch (value->type) {
    case SQLITE_INTEGER: return sqlite3_bind_int64(statement, place, value->integer);
    case SQLITE_FLOAT: return sqlite3_bind_double(statement, place, value->number);
    case SQLITE_TEXT:
        return sqlite3_bind_text64(statement, place, data, value->length, SQLITE_STATIC, SQLITE_UTF8);
    case SQLITE_BLOB: return sqlite3_bind_blob64(statement, place, data, value->length, SQLITE_STATIC);
    default: return sqlite3_bind_null(statement, place);
    }
}

static int64_t bind_in_order(sql_call *self, sqlite3_stmt *statement) {
    int wanted = sqlite3_bind_parameter_count(statement), result = SQLITE_OK;
    char text[120];
    if ((size_t)wanted != self->value_count) {
        snprintf(text, sizeof text, "the statement takes %d value%s, and %zu %s given", wanted,
                 wanted == 1 ? "" : "s", self->value_count, self->value_count == 1 ? "was" : "were");
        return fail_text(self, text);
    }
    for (int i = 0; i < wanted && result == SQLITE_OK; i++)
        result = bind_value(statement, i + 1, self, &self->values[i]);
    return result == SQLITE_OK ? 0 : fail(self, result);
}

static const sql_value *value_named(const sql_call *self, const char *name) {
    for (size_t i = 0; i < self->value_count; i++)
        if (strcmp(self->data.data + self->values[i].name_at, name) == 0)
            return &self->values[i];
    return NULL;
}

static int64_t bind_by_name(sql_call *self, sqlite3_stmt *statement) {
    int wanted = sqlite3_bind_parameter_count(statement), result = SQLITE_OK;
    size_t used = 0;
    char text[200];
    for (int i = 1; i <= wanted && result == SQLITE_OK; i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        const sql_value *value = name && *name != '?' ? value_named(self, name + 1) : NULL;
        if (!value) {
            snprintf(text, sizeof text, "there is no value for %.80s (sql.null stands for NULL)",
                     name ? name : "?");
            return fail_text(self, text);
        }
        used++;
        result = bind_value(statement, i, self, value);
    }
    if (result != SQLITE_OK)
        return fail(self, result);
    for (size_t i = 0; used != self->value_count && i < self->value_count; i++) {
        const char *name = self->data.data + self->values[i].name_at;
        bool taken = false;
        for (int j = 1; j <= wanted && !taken; j++)
            taken = strcmp(sqlite3_bind_parameter_name(statement, j) + 1, name) == 0;
        if (!taken) {
            snprintf(text, sizeof text, "the statement has no :%.80s", name);
            return fail_text(self, text);
        }
    }
    return 0;
}

/* ---- rows ---- */

static int64_t keep_names(sql_call *self, sqlite3_stmt *statement) {
    self->columns = sqlite3_column_count(statement);
    for (int i = 0; i < self->columns; i++) {
        const char *name = sqlite3_column_name(statement, i);
        int code = name ? bytes_add(&self->names, name, strlen(name) + 1) : HD_ENOMEM;
        if (code)
            return code;
    }
    return 0;
}

static int keep_data(bytes *rows, const void *data, size_t length) {
    int code = bytes_add(rows, &length, sizeof length);
    return code ? code : bytes_add(rows, data, length);
}

static int keep_value(bytes *rows, sqlite3_stmt *statement, int column) {
    char type = (char)sqlite3_column_type(statement, column);
    int code = bytes_add(rows, &type, 1);
    if (code)
        return code;
    switch (type) {
    case SQLITE_INTEGER: {
        int64_t value = sqlite3_column_int64(statement, column);
        return bytes_add(rows, &value, sizeof value);
    }
    case SQLITE_FLOAT: {
        double value = sqlite3_column_double(statement, column);
        return bytes_add(rows, &value, sizeof value);
    }
    case SQLITE_TEXT: {
        const void *data = sqlite3_column_text(statement, column);
        return data ? keep_data(rows, data, (size_t)sqlite3_column_bytes(statement, column)) : HD_ENOMEM;
    }
    case SQLITE_BLOB: {
        const void *data = sqlite3_column_blob(statement, column);
        return keep_data(rows, data, (size_t)sqlite3_column_bytes(statement, column));
    }
    default: return 0;
    }
}

static int64_t keep_row(sql_call *self, sqlite3_stmt *statement) {
    int code = 0;
    for (int i = 0; i < self->columns && !code; i++)
        code = keep_value(&self->rows, statement, i);
    return code;
}

/* ---- running ---- */

static int64_t step_all(sql_call *self, sqlite3_stmt *statement) {
    sqlite3 *handle = self->database->handle;
    int64_t before = sqlite3_total_changes64(handle), code = 0;
    int result;
    while (!code && (result = sqlite3_step(statement)) != SQLITE_DONE) {
        if (result != SQLITE_ROW)
            code = fail(self, result);
        else if (self->wants_rows)
            code = keep_row(self, statement);
    }
    if (code) {
        self->rows.length = 0;
        return code;
    }
    if (sqlite3_total_changes64(handle) != before)
        self->changes += sqlite3_changes64(handle);
    return 0;
}

static int64_t run_statement(sql_call *self, sqlite3_stmt *statement) {
    int64_t code = self->named ? bind_by_name(self, statement) : bind_in_order(self, statement);
    if (!code && self->wants_rows) {
        self->names.length = 0;
        code = keep_names(self, statement);
    }
    return code ? code : step_all(self, statement);
}

static bool is_blank(sqlite3 *handle, const char *text) {
    sqlite3_stmt *statement = NULL;
    bool blank = sqlite3_prepare_v2(handle, text, -1, &statement, NULL) == SQLITE_OK && !statement;
    sqlite3_finalize(statement);
    return blank;
}

/* Runs the next statement, and goes on behind it. */
static int64_t run_next(sql_call *self) {
    database *database = self->database;
    sqlite3_stmt *statement = NULL;
    const char *tail = self->next;
    database->refused = NULL;
    int result = sqlite3_prepare_v2(database->handle, self->next, -1, &statement, &tail);
    int64_t code = result == SQLITE_OK ? 0 : fail(self, result);
    bool is_first = self->next == self->text;
    if (!code && !statement && is_first)
        code = fail_text(self, "there is no statement");
    if (!code && statement && (self->wants_rows || self->value_count) && !is_blank(database->handle, tail))
        code = fail_text(self, self->wants_rows ? "more than one statement (db:run takes several)"
                                                : "more than one statement, and values (give each its own)");
    if (!code && statement)
        code = run_statement(self, statement);
    sqlite3_finalize(statement);
    if (!code)
        self->next = (char *)tail;
    return code;
}

static int64_t try(void *arg) {
    sql_call *self = arg;
    int64_t code = 0;
    while (!code && (self->next == self->text || *self->next))
        code = run_next(self);
    self->rowid = sqlite3_last_insert_rowid(self->database->handle);
    return code;
}

static void interrupt(void *arg) {
    database *database = ((sql_call *)arg)->database;
    atomic_store_explicit(&database->stop, true, memory_order_relaxed);
    sqlite3_interrupt(database->handle);
}

static int64_t perform_once(sql_call *self) {
    if (self->is_shielded)
        hd_shield_begin();
    int64_t code = errand_block(HD_POOL_USER, try, self, interrupt);
    if (self->is_shielded)
        hd_shield_end();
    return code;
}

void sql_call_perform(sql_call *self) {
    database *database = self->database;
    uint64_t deadline_ns = hd_after(database->busy_ns), pause_ns = SHORTEST_PAUSE_NS;
    self->next = self->text;
    atomic_store_explicit(&database->stop, false, memory_order_relaxed);
    while ((self->code = perform_once(self)) == TRY_AGAIN) {
        if (hd_now() >= deadline_ns) {
            self->code =
                fail_text(self, "the database is locked, and was for too long (sql.open's option timeout)");
            return;
        }
        self->code = hd_sleep(pause_ns);
        if (self->code)
            return;
        pause_ns = pause_ns * 2 < LONGEST_PAUSE_NS ? pause_ns * 2 : LONGEST_PAUSE_NS;
    }
}

void sql_call_perform_text(sql_call *self, const char *text) {
    free(self->text);
    self->text = strdup(text);
    if (self->text)
        sql_call_perform(self);
    else
        self->code = HD_ENOMEM;
}
