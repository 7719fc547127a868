/* Tables by libsmartcols. On a terminal, columns that may be cut are cut to fit, the longest first; elsewhere nothing is.
 * (libsmartcols alone would cut one column to nothing for the sake of another.) Control characters and malformed bytes in
 * cells are escaped here, with the same rules as in messages, before libsmartcols sees them. */
#include "render.h"
#include "scratch.h"
#include "text.h"

#include <assert.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 24 };

struct table {
    struct libscols_table *grid;
    struct libscols_line *line; /* the row being filled; NULL before the first cell */
    size_t columns, filled;
    struct {
        size_t width; /* characters of its longest cell */
        bool cut;
    } column[COLUMNS_MAX];
};

static size_t characters(const char *text) {
    size_t count = 0;
    for (; *text != '\0'; count++)
        text += utf8_character(text, strlen(text)); /* not 0: what is malformed has been escaped */
    return count;
}

static void note_width(struct table *table, size_t column, const char *text) {
    size_t width = characters(text);
    if (width > table->column[column].width)
        table->column[column].width = width;
}

struct table *table_create(const table_column *columns) {
    struct table *table = must(calloc(1, sizeof *table));
    table->grid = must(scols_new_table());
    bool terminal = render_width() > 0;
    for (; columns->title != NULL; columns++, table->columns++) {
        assert(table->columns < COLUMNS_MAX);
        int flags = (columns->flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
                    (columns->flags & TABLE_CUT && terminal ? SCOLS_FL_TRUNC : 0);
        must(scols_table_new_column(table->grid, columns->title, 0.01, flags));
        table->column[table->columns].cut = columns->flags & TABLE_CUT;
        note_width(table, table->columns, columns->title);
    }
    scols_table_enable_noencoding(table->grid, 1);
    scols_table_enable_colors(table->grid, render_in_colour());
    return table;
}

void table_text(struct table *table, const char *text) {
    if (table->line == NULL || table->filled == table->columns) {
        table->line = must(scols_table_new_line(table->grid, NULL));
        table->filled = 0;
    }
    char *escaped = must(text_escape(text == NULL ? "" : text, text == NULL ? 0 : strlen(text)));
    note_width(table, table->filled, escaped);
    scols_line_refer_data(table->line, table->filled++, escaped); /* the line owns it now */
}

void table_printf(struct table *table, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = must(NULL);
    va_end(arguments);
    table_text(table, text);
    free(text);
}

void table_colour(struct table *table, const char *colour) {
    if (colour != NULL && table->line != NULL)
        scols_cell_set_color(scols_line_get_cell(table->line, table->filled - 1), colour);
}

/* ---- fitting ---- */

/* How wide the table is if no column that may be cut is wider than `most`. */
static size_t width_with(const struct table *table, size_t most) {
    size_t sum = table->columns - 1;
    for (size_t i = 0; i < table->columns; i++)
        sum += table->column[i].cut && table->column[i].width > most ? most : table->column[i].width;
    return sum;
}

static void cut_cell(struct libscols_line *line, size_t column, size_t most) {
    const char *text = scols_cell_get_data(scols_line_get_cell(line, column)), *end = text;
    for (size_t count = 0; *end != '\0' && count < most; count++)
        end += utf8_character(end, strlen(end));
    if (*end != '\0')
        scols_line_refer_data(line, column, must(strndup(text, (size_t)(end - text))));
}

static void fit(struct table *table, size_t width) {
    size_t most = width;
    while (most > 1 && width_with(table, most) > width)
        most--;
    struct libscols_iter *lines = must(scols_new_iter(SCOLS_ITER_FORWARD));
    for (struct libscols_line *line; scols_table_next_line(table->grid, lines, &line) == 0;)
        for (size_t i = 0; i < table->columns; i++)
            if (table->column[i].cut)
                cut_cell(line, i, most);
    scols_free_iter(lines);
}

void table_print(struct table *table) {
    if (render_width() > 0)
        fit(table, render_width());
    if (scols_table_get_nlines(table->grid) > 0)
        scols_print_table(table->grid);
    scols_unref_table(table->grid);
    free(table);
}
