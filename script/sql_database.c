/* A connection: opened, guarded, shut.
 *
 * What would reach beyond the script is refused: settings that hold for the whole process, memory without bounds, paths that
 * are relative to the process's directory, not the script's. */
#include "sql.h"
#include "strand.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HEAP_BYTES ((sqlite3_int64)1 << 30)
enum { LONGEST_PATTERN = 100 }; /* LIKE takes the product of its and the text's length */

/* ---- what is refused ---- */

typedef struct refusal {
    const char *name, *why;
} refusal;

static const refusal refused_functions[] = {
    {"fts3_tokenizer", "fts3_tokenizer takes addresses in memory"},
    {"jsonb_patch", "json_patch of large values cannot be ended (json.decode makes tables of them)"},
    {"json_patch", "json_patch of large values cannot be ended (json.decode makes tables of them)"},
    {NULL, NULL},
};

static const refusal refused_pragmas[] = {
    {"hard_heap_limit", "holds for the whole process"},
    {"soft_heap_limit", "holds for the whole process"},
    {"temp_store_directory", "holds for the whole process"},
    {"data_store_directory", "holds for the whole process"},
    {"mmap_size", "a file that shrinks would end the process"},
    {"cache_size", "follows from the script's memory limit"},
    {"cache_spill", "follows from the script's memory limit"},
    {"max_page_count", "follows from the script's memory limit"},
    {"temp_store", "temporary tables are in files, for the script's memory limit"},
    {"threads", "there is one thread for a statement"},
    {"writable_schema", "would allow to break the database"},
    {NULL, NULL},
};

static const char *find(const refusal *all, const char *name) {
    while (all->name && sqlite3_stricmp(all->name, name) != 0)
        all++;
    return all->why;
}

static const char *why_refused_pragma(const database *self, const char *name, const char *value) {
    if (!value)
        return NULL;
    if (sqlite3_stricmp(name, "journal_mode") == 0 && sqlite3_strnicmp(value, "w", 1) == 0)
        return "WAL shares memory with other processes, and a file that shrinks would end this one";
    if (self->in_memory && sqlite3_stricmp(name, "page_size") == 0)
        return "is fixed for a database in memory";
    return find(refused_pragmas, name);
}

static const char *why_refused(const database *self, int action, const char *first, const char *second) {
    switch (action) {
    case SQLITE_ATTACH: /* VACUUM attaches "" */
        return first && (*first == '/' || *first == '\0')
                   ? NULL
                   : "ATTACH takes a whole path, from / on, as a literal";
    case SQLITE_FUNCTION: return find(refused_functions, second);
    case SQLITE_PRAGMA: return why_refused_pragma(self, first, second);
    default: return NULL;
    }
}

static int authorize(void *arg, int action, const char *first, const char *second, const char *schema,
                     const char *trigger) {
    database *self = arg;
    (void)schema, (void)trigger;
    const char *why = why_refused(self, action, first, second);
    if (!why)
        return SQLITE_OK;
    self->refused = why;
    return SQLITE_DENY;
}

static int is_to_stop(void *arg) {
    return atomic_load_explicit(&((database *)arg)->stop, memory_order_relaxed);
}

/* The code of what could not be set. */
static int set_limits(database *self) {
    size_t most = self->budget->most;
    char text[80];
    sqlite3_limit(self->handle, SQLITE_LIMIT_LENGTH, most < SQL_LONGEST_VALUE ? (int)most : SQL_LONGEST_VALUE);
    sqlite3_limit(self->handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN);
    sqlite3_limit(self->handle, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_db_config(self->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(self->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_extended_result_codes(self->handle, 1);
    if (self->in_memory)
        snprintf(text, sizeof text, "PRAGMA max_page_count = %zu", self->reserved / 4096);
    else
        snprintf(text, sizeof text, "PRAGMA cache_size = -%zu", self->reserved >> 10);
    sqlite3_exec(self->handle, text, NULL, NULL, NULL);
    sqlite3_set_authorizer(self->handle, authorize, self);
    sqlite3_progress_handler(self->handle, 1000, is_to_stop, self);
    return sql_functions_add(self);
}

/* ---- opening and shutting ---- */

/* SQLite's own memory is counted for the process alone: a statement of many large values is refused when all of them together
 * would be too much. */
static void set_up(void) {
    sqlite3_hard_heap_limit64(HEAP_BYTES);
    sql_files_set_up();
}

static char *text_of(const char *text) {
    return strdup(text);
}

int64_t database_open(database *self, const char *path, bool read_only, char **error) {
    struct stat about;
    if (!self->in_memory && stat(path, &about) == 0 && !S_ISREG(about.st_mode)) {
        *error = text_of("is not a file");
        return HD_EINVAL;
    }
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_up);
    int flags =
        SQLITE_OPEN_NOMUTEX | (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    int result = sqlite3_open_v2(self->in_memory ? ":memory:" : path, &self->handle, flags, SQL_FILES);
    if (result == SQLITE_OK)
        result = set_limits(self);
    if (result != SQLITE_OK) {
        int cause = self->handle && result != SQLITE_NOMEM ? sqlite3_system_errno(self->handle) : 0;
        *error = text_of(cause ? strerrordesc_np(cause) : sqlite3_errstr(result));
        sqlite3_close(self->handle);
        self->handle = NULL;
        return result == SQLITE_NOMEM ? HD_ENOMEM : -EIO;
    }
    return 0;
}

void database_shut(database *self) {
    sqlite3_close_v2(self->handle);
    self->handle = NULL;
}

static int64_t shut(void *arg) {
    database_shut(arg);
    return 0;
}

static void shut_aside(void *arg) {
    if (hd_blocking(HD_POOL_USER, shut, arg))
        database_shut(arg);
}

static void destroy(void *arg) {
    database *self = arg;
    turns_fini(&self->turns);
    budget_give(self->budget, self->reserved);
    free(self->name);
    free(self);
}

void database_release(database *self) {
    if (--self->holders > 0)
        return;
    if (self->handle && errand_leave(self->strand, shut_aside, destroy, self))
        return;
    database_shut(self);
    destroy(self);
}

void database_drop(kept *kept) {
    database_release(chain_entry(kept, database, kept));
}
