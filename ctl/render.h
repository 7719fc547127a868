/* What the tool prints. Data goes to stdout as a table for people or as JSON for programs; messages go to stderr.
 *
 * Nothing that others wrote reaches a terminal raw: tables (libsmartcols) and messages escape control characters.
 * JSON has stable keys: durations are integers in nanoseconds with names in _ns, times are RFC 3339, what is unknown is null.
 * `json` is one value (for lists an array), `jsonl` one value a line. */
#ifndef CTL_RENDER_H
#define CTL_RENDER_H

#include "wire.h"

#include <jansson.h>
#include <stdio.h>

typedef enum render_format { RENDER_TABLE = 0, RENDER_JSON, RENDER_JSONL } render_format;

/* Does stdout take colour: a terminal, and NO_COLOR unset or empty. */
bool render_in_colour(void);
const char *render_state_colour(wire_state state); /* "green", for table_colour; NULL: none */

/* Columns that the terminal behind stdout has; 0: it is none. */
unsigned render_width(void);

/* ---- JSON ---- */

/* One value: indented for json, a line for jsonl. Takes the reference. */
void render_json(render_format format, json_t *value);

/* A list whose members are printed as they come: {0, format} at first. */
typedef struct render_list {
    size_t count;
    render_format format;
} render_list;
void render_list_item(render_list *list, json_t *value); /* takes the reference */
void render_list_end(render_list *list);                 /* closes the array; "[]" if there was nothing */

json_t *render_text(const char *text);  /* null for "" and NULL; bytes that are no UTF-8 are replaced */
json_t *render_time(uint64_t epoch_ns); /* RFC 3339 in UTC, to the microsecond; null for 0 */
json_t *render_number(uint64_t number);
json_t *render_strings(const wire_strings *strings);
json_t *render_outcome(const wire_outcome *outcome); /* {"id", "state", "exit_code", "signal", "error"} */

/* ---- tables ---- */

struct table;

enum { TABLE_RIGHT = 1, TABLE_CUT = 2 /* may be cut to fit the terminal */ };

typedef struct table_column {
    const char *title;
    unsigned flags;
} table_column;

/* The last column has no title. Cells are added from left to right, and a row ends with its last column. */
struct table *table_create(const table_column *columns);
void table_text(struct table *table, const char *text); /* copied */
void table_printf(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_colour(struct table *table, const char *colour); /* of the cell added last; NULL: none */
/* Prints it with its heading and frees it. */
void table_print(struct table *table);

/* ---- values for people; each returns `buffer` ---- */

#define HUMAN_BYTES 40
typedef char human[HUMAN_BYTES];
const char *human_duration(human buffer, uint64_t ns);  /* 812ns 1.5ms 3.2s 4m05s 2h10m 3d04h */
const char *human_size(human buffer, uint64_t bytes);   /* 812 B, 1.4 KiB */
const char *human_ago(human buffer, uint64_t epoch_ns); /* "12s ago", "in 5m00s", "-" for 0 */
const char *human_count(human buffer, uint64_t number); /* 100,000 */

/* ---- messages ---- */

/* `heddlectl: ...` on stderr, with control characters escaped and a newline added. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `text` with control characters escaped, on a stream. */
void render_escaped(FILE *stream, const char *text);

/* Flushes stdout. EXIT_FAILED with a message (once) if something could not be written (a full disk), else `status`. */
int render_finish(int status);

#endif
