/* Options that a function of a library takes in a table. All errors name the function and the option, and the way out. */
#ifndef FIELDS_H
#define FIELDS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct fields {
    lua_State *L;
    int table;            /* its place on the stack; 0: there is none, and no option is set */
    const char *function; /* as people write it: "exec" */
} fields;

/* The options at `index`: a table whose string keys are all among `known` (NULL ends them), or nothing. */
fields fields_of(lua_State *L, int index, const char *function, const char *const known[]);

/* NULL: it is not set. The string is valid as long as the table is there and holds it. `length` may be NULL, and then the
 * string has no zero within. */
const char *fields_string(const fields *self, const char *name, size_t *length);

/* False: it is not set, and `*value` stays. */
bool fields_number(const fields *self, const char *name, lua_Number least, lua_Number most,
                   lua_Number *value);
bool fields_integer(const fields *self, const char *name, lua_Integer least, lua_Integer most,
                    lua_Integer *value);

/* True: it is set, and true. */
bool fields_flag(const fields *self, const char *name);

/* Pushes the table that is the option, or nil. */
void fields_push_table(const fields *self, const char *name);

/* Raises the error "FUNCTION: NAME: WHY". */
_Noreturn void fields_fail(const fields *self, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A string argument without zeros within, such as a path. */
const char *fields_text(lua_State *L, int argument);

#endif
