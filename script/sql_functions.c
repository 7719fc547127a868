/* SQL's functions that could run for long at one go. SQLite looks whether a statement is to end between its steps, and a
 * function is one step: so none may take much more than 100 ms. What is linear is, as values are limited
 * (SQL_LONGEST_VALUE). These take as long as the product of two values in SQLite, and are written anew: they are linear, or
 * look themselves. LIKE and GLOB are SQLite's, which uses an index for them, and have short patterns instead; json_patch is refused
 * (sql_database.c). */
#include "sql.h"

#include <string.h>

/* How many matches to take between two looks. */
enum { LOOK = 4096 };

/* Is the statement to end? Then so does the function. */
static bool stops(sqlite3_context *context) {
    const database *self = sqlite3_user_data(context);
    if (!atomic_load_explicit(&self->stop, memory_order_relaxed))
        return false;
    sqlite3_result_error_code(context, SQLITE_INTERRUPT);
    return true;
}

/* A value's bytes; NULL: it is NULL, or there is no memory. */
typedef struct piece {
    const char *data;
    size_t length;
} piece;

static piece text_of(sqlite3_value *value) {
    const char *data = (const char *)sqlite3_value_text(value);
    return (piece){.data = data, .length = (size_t)sqlite3_value_bytes(value)};
}

static piece blob_of(sqlite3_value *value) {
    const char *data = sqlite3_value_blob(value);
    return (piece){.data = data ? data : "", .length = (size_t)sqlite3_value_bytes(value)};
}

static bool continues(char byte) {
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* ---- instr(whole, part) ---- */

static void instr(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    int whole_type = sqlite3_value_type(values[0]), part_type = sqlite3_value_type(values[1]);
    if (whole_type == SQLITE_NULL || part_type == SQLITE_NULL || stops(context))
        return;
    piece whole = whole_type == SQLITE_BLOB ? blob_of(values[0]) : text_of(values[0]);
    piece part = part_type == SQLITE_BLOB ? blob_of(values[1]) : text_of(values[1]);
    if (!whole.data || !part.data) {
        sqlite3_result_error_nomem(context);
        return;
    }
    bool in_bytes = whole_type == SQLITE_BLOB && part_type == SQLITE_BLOB;
    const char *found = memmem(whole.data, whole.length, part.data, part.length);
    sqlite3_int64 place = found ? 1 : 0;
    for (const char *at = whole.data; found && at < found; at++)
        place += in_bytes || !continues(at[0]);
    sqlite3_result_int64(context, place);
}

/* ---- replace(whole, part, by) ---- */

static void result_of(sqlite3_context *context, sqlite3_str *text) {
    int code = sqlite3_str_errcode(text);
    sqlite3_uint64 length = (sqlite3_uint64)sqlite3_str_length(text);
    char *data = sqlite3_str_finish(text);
    if (code == SQLITE_NOMEM)
        sqlite3_result_error_nomem(context);
    else if (code)
        sqlite3_result_error_toobig(context);
    else if (data)
        sqlite3_result_text64(context, data, length, sqlite3_free, SQLITE_UTF8);
    else
        sqlite3_result_text(context, "", 0, SQLITE_STATIC);
}

static void replace(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    piece whole = text_of(values[0]), part = text_of(values[1]), by = text_of(values[2]);
    if (!whole.data || !part.data || !by.data)
        return;
    if (part.length == 0 || *part.data == '\0') {
        sqlite3_result_value(context, values[0]);
        return;
    }
    sqlite3_str *text = sqlite3_str_new(sqlite3_context_db_handle(context));
    const char *at = whole.data, *end = at + whole.length, *found;
    for (int i = 0; (found = memmem(at, (size_t)(end - at), part.data, part.length)); i++) {
        if (i % LOOK == 0 && stops(context)) {
            sqlite3_free(sqlite3_str_finish(text));
            return;
        }
        sqlite3_str_append(text, at, (int)(found - at));
        sqlite3_str_append(text, by.data, (int)by.length);
        at = found + part.length;
    }
    sqlite3_str_append(text, at, (int)(end - at));
    result_of(context, text);
}

/* ---- trim(text [, characters]) ---- */

enum { LEFT = 1, RIGHT = 2 };

/* The length of the character of `set` with which `text` begins, or ends; 0: with none of them. */
static size_t one_of(const char *set, piece text, int side) {
    for (size_t length; *set; set += length) {
        length = 1;
        while ((unsigned char)*set >= 0xC0 && continues(set[length]))
            length++;
        const char *at = side == LEFT ? text.data : text.data + text.length - length;
        if (length <= text.length && memcmp(at, set, length) == 0)
            return length;
    }
    return 0;
}

static void trim(sqlite3_context *context, int count, sqlite3_value **values, int sides) {
    piece text = text_of(values[0]);
    const char *set = count == 1 ? " " : text_of(values[1]).data;
    size_t length;
    if (!text.data || !set)
        return;
    while ((sides & LEFT) && (length = one_of(set, text, LEFT))) {
        if (stops(context))
            return;
        text.data += length;
        text.length -= length;
    }
    while ((sides & RIGHT) && (length = one_of(set, text, RIGHT))) {
        if (stops(context))
            return;
        text.length -= length;
    }
    sqlite3_result_text64(context, text.data, text.length, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void trim_left(sqlite3_context *context, int count, sqlite3_value **values) {
    trim(context, count, values, LEFT);
}

static void trim_right(sqlite3_context *context, int count, sqlite3_value **values) {
    trim(context, count, values, RIGHT);
}

static void trim_both(sqlite3_context *context, int count, sqlite3_value **values) {
    trim(context, count, values, LEFT | RIGHT);
}

/* ---- all of them ---- */

int sql_functions_add(database *self) {
    static const struct {
        const char *name;
        int arguments;
        void (*call)(sqlite3_context *context, int count, sqlite3_value **values);
    } all[] = {
        {"instr", 2, instr},      {"replace", 3, replace},  {"trim", 1, trim_both},   {"trim", 2, trim_both},
        {"ltrim", 1, trim_left},  {"ltrim", 2, trim_left},  {"rtrim", 1, trim_right}, {"rtrim", 2, trim_right},
    };
    int result = SQLITE_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && result == SQLITE_OK; i++)
        result = sqlite3_create_function(self->handle, all[i].name, all[i].arguments,
                                         SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, self,
                                         all[i].call, NULL, NULL);
    return result;
}
