/* Tables by libsmartcols. On a terminal, columns that may be cut are cut to fit; elsewhere nothing is. Control characters
 * and malformed bytes in cells are escaped here, with the same rules as in messages, before libsmartcols sees them. */
#include "render.h"
#include "scratch.h"
#include "text.h"

#include <libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table {
    struct libscols_table *grid;
    struct libscols_line *line; /* the row being filled; NULL before the first cell */
    size_t columns, filled;
};

struct table *table_create(const table_column *columns) {
    struct table *table = must(calloc(1, sizeof *table));
    table->grid = must(scols_new_table());
    bool terminal = render_width() > 0;
    for (; columns->title != NULL; columns++, table->columns++) {
        int flags = (columns->flags & TABLE_RIGHT ? SCOLS_FL_RIGHT : 0) |
                    (columns->flags & TABLE_CUT && terminal ? SCOLS_FL_TRUNC : 0);
        must(scols_table_new_column(table->grid, columns->title, 0.01, flags));
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

void table_print(struct table *table) {
    if (scols_table_get_nlines(table->grid) > 0)
        scols_print_table(table->grid);
    scols_unref_table(table->grid);
    free(table);
}
