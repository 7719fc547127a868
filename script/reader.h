/* A stream that a script reads in pieces: a file's lines, a command's output. It is fetched by blocks, so that most lines
 * cost no wait. Tasks that read from the same one have it in turns.
 *
 * The strand touches it while nobody has a turn, and else who has; `finish` of an errand has, too. */
#ifndef READER_H
#define READER_H

#include "budget.h"
#include "errand.h"
#include "turns.h"

typedef struct reader reader;

typedef struct reader_source {
    const char *name; /* of the errand, and in messages */
    /* Adds at least a byte to `data`. How many, 0 at the end, or a negative code. On an errand's task. */
    int64_t (*fill)(reader *self);
    /* Before an errand gives what it read. May raise errors. On the strand; may be NULL. */
    void (*arrive)(lua_State *L, reader *self);
    /* Lets go of what it reads from. On the strand; may come twice. */
    void (*close)(reader *self);
} reader_source;

struct reader {
    const reader_source *source;
    operation_class class; /* of its errands */
    turns turns;
    bytes data;
    size_t at;        /* what is before was read */
    size_t looked_at; /* from `at` on: there is no end of a line in it */
    bool ended, closed;
    int holders; /* the userdata, and errands */
    kept kept;   /* by the userdata */
    char *what;  /* for messages: a path, a command */
    size_t held; /* of the budget: for all of this, as long as it is there */
    void (*destroy)(reader *self);
};

typedef struct reader_want {
    char format; /* 'l', 'L', 'a', 'n' as in Lua, or 'c': so many bytes */
    size_t count;
} reader_want;

/* Zeroed memory is made one. Its first holder is a userdata, whose finalizer calls reader_drop. With the last one goes
 * `destroy(self)`. BUDGET_EXCEEDED or HD_ENOMEM: it is none, and remains the caller's. */
HD_CHECKED int reader_init(lua_State *L, reader *self, const reader_source *source, const char *what,
                           void (*destroy)(reader *self));
void reader_drop(reader *self);
void reader_hold(reader *self);
void reader_let_go(reader *self);

/* Closes it, at once or as soon as nobody has a turn. */
void reader_close(reader *self);

/* The argument as a format, 'l' if there is none. */
reader_want reader_check_want(lua_State *L, int argument);

/* Reads: pushes what is wanted, or nil at the end. To be returned from a lua_CFunction, as it may wait. */
int reader_read(lua_State *L, reader *self, reader_want want);

#endif
