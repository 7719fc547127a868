#include "reader.h"
#include "strand.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMERAL_BYTES = 200,   /* the longest number that is looked at, as in Lua */
    READER_BYTES = 2048,   /* that each reader holds of the budget, whatever it reads from */
    LOOK_BYTES = 64 << 10, /* of what is there, before others may run */
};

/* Is all there that is wanted? */
typedef enum sight {
    SIGHT_COMPLETE, /* or nothing more will come */
    SIGHT_INCOMPLETE,
    SIGHT_UNCLEAR, /* there is more to look at */
} sight;

typedef struct reading {
    errand errand;
    reader *reader;
    turn turn;
    reader_want want;
    int64_t code;
} reading;

/* ---- what is there ---- */

static const char *unread(const reader *self) {
    return self->data.data ? self->data.data + self->at : "";
}

static size_t unread_bytes(const reader *self) {
    return self->data.length - self->at;
}

static size_t numeral_bytes(const reader *self) {
    static const char part[] = "0123456789abcdefABCDEFxXpP+-.";
    size_t length = 0;
    while (length < unread_bytes(self) && length < NUMERAL_BYTES && unread(self)[length] &&
           strchr(part, unread(self)[length]))
        length++;
    return length;
}

static bool starts_with_space(const reader *self) {
    return unread_bytes(self) && unread(self)[0] && strchr(" \f\n\r\t\v", unread(self)[0]);
}

static sight sight_if(bool complete) {
    return complete ? SIGHT_COMPLETE : SIGHT_INCOMPLETE;
}

static sight look_for_number(reader *self) {
    self->looked_at = 0;
    for (size_t skipped = 0; starts_with_space(self); self->at++)
        if (++skipped > LOOK_BYTES)
            return SIGHT_UNCLEAR;
    size_t length = numeral_bytes(self);
    return sight_if(self->ended || length < unread_bytes(self) || length == NUMERAL_BYTES);
}

static sight look_for_line(reader *self) {
    size_t left = unread_bytes(self) - self->looked_at, now = left < LOOK_BYTES ? left : LOOK_BYTES;
    if (memchr(unread(self) + self->looked_at, '\n', now))
        return SIGHT_COMPLETE;
    self->looked_at += now;
    return now < left ? SIGHT_UNCLEAR : sight_if(self->ended);
}

static sight look(reader *self, reader_want want) {
    switch (want.format) {
    case 'a': return sight_if(self->ended);
    case 'c': return sight_if(self->ended || unread_bytes(self) >= (want.count ? want.count : 1));
    case 'n': return look_for_number(self);
    default: return look_for_line(self);
    }
}

/* ---- giving it ---- */

static void took(reader *self, size_t length) {
    self->at += length;
    self->looked_at = 0;
}

static int give(lua_State *L, reader *self, size_t length, size_t more) {
    lua_pushlstring(L, unread(self), length);
    took(self, length + more);
    return 1;
}

static int give_numeral(lua_State *L, reader *self) {
    char text[NUMERAL_BYTES + 1];
    size_t length = numeral_bytes(self);
    memcpy(text, unread(self), length);
    text[length] = '\0';
    took(self, length);
    if (lua_stringtonumber(L, text) == 0)
        lua_pushnil(L);
    return 1;
}

static int give_line(lua_State *L, reader *self, bool keep) {
    size_t left = unread_bytes(self);
    const char *end = memchr(unread(self) + self->looked_at, '\n', left - self->looked_at);
    if (!end && left)
        return give(L, self, left, 0);
    if (!end) {
        lua_pushnil(L);
        return 1;
    }
    size_t length = (size_t)(end - unread(self));
    return give(L, self, keep ? length + 1 : length, keep ? 0 : 1);
}

static int give_wanted(lua_State *L, reader *self, reader_want want) {
    size_t left = unread_bytes(self);
    switch (want.format) {
    case 'a': return give(L, self, left, 0);
    case 'n': return give_numeral(L, self);
    case 'c':
        if (left)
            return give(L, self, left < want.count ? left : want.count, 0);
        lua_pushnil(L);
        return 1;
    default: return give_line(L, self, want.format == 'L');
    }
}

/* ---- waiting for it ---- */

static void drop_read(reader *self) {
    if (self->at == 0)
        return;
    memmove(self->data.data, unread(self), unread_bytes(self));
    self->data.length -= self->at;
    self->at = 0;
}

static int64_t fill(reader *self) {
    drop_read(self);
    int64_t code = self->source->fill(self);
    if (code == 0)
        self->ended = true;
    return code;
}

static void reading_run(operation *op) {
    reading *self = (reading *)op;
    sight sight;
    self->code = turns_wait(&self->turn);
    while (self->code >= 0 && (sight = look(self->reader, self->want)) != SIGHT_COMPLETE)
        self->code = sight == SIGHT_UNCLEAR ? hd_yield() : fill(self->reader);
}

static int reading_finish(lua_State *L, operation *op) {
    reading *self = (reading *)op;
    if (self->reader->source->arrive)
        self->reader->source->arrive(L, self->reader);
    if (self->code == BUDGET_EXCEEDED)
        self->reader->closed = true; /* and what it holds is given back */
    if (self->code < 0)
        return errand_fail(L, self->reader->source->name, self->reader->what, self->code);
    int count = give_wanted(L, self->reader, self->want);
    turns_leave(&self->reader->turns, &self->turn);
    return count;
}

static void reading_destroy(operation *op) {
    reading *self = (reading *)op;
    if (self->reader) {
        turns_leave(&self->reader->turns, &self->turn);
        if (self->reader->closed)
            reader_close(self->reader);
        reader_let_go(self->reader);
    }
    free(self);
}

int reader_read(lua_State *L, reader *self, reader_want want) {
    if (self->closed)
        return errand_raise(L, "%s: %s: it is closed", self->source->name, self->what);
    if (turns_idle(&self->turns) && look(self, want) == SIGHT_COMPLETE)
        return give_wanted(L, self, want);
    reading *errand = errand_create(L, sizeof *errand, &self->class);
    reader_hold(self);
    errand->reader = self;
    errand->want = want;
    if (!turns_join(&self->turns, &errand->turn))
        return errand_raise(L, "not enough memory");
    return errand_await(L, &errand->errand);
}

reader_want reader_check_want(lua_State *L, int argument) {
    if (lua_type(L, argument) == LUA_TNUMBER) {
        lua_Integer count = luaL_checkinteger(L, argument);
        luaL_argcheck(L, count >= 0, argument, "a number of bytes is not negative");
        return (reader_want){.format = 'c', .count = (size_t)count};
    }
    const char *format = luaL_optstring(L, argument, "l");
    if (*format == '*')
        format++;
    if (!*format || !strchr("lLan", *format))
        luaL_argerror(L, argument, "a format is \"l\", \"L\", \"a\", \"n\" or a number of bytes");
    return (reader_want){.format = *format};
}

/* ---- its life ---- */

static void drop(kept *kept) {
    reader_let_go(chain_entry(kept, reader, kept));
}

int reader_init(lua_State *L, reader *self, const reader_source *source, const char *what,
                void (*destroy)(reader *self)) {
    strand *strand = strand_of(L);
    self->held = READER_BYTES + strlen(what);
    if (!strand_take(L, &strand->beside, self->held))
        return BUDGET_EXCEEDED;
    self->what = strdup(what);
    if (!self->what) {
        budget_give(&strand->beside, self->held);
        return HD_ENOMEM;
    }
    self->source = source;
    self->class = (operation_class){
        .name = source->name, .run = reading_run, .finish = reading_finish, .destroy = reading_destroy};
    turns_init(&self->turns);
    self->data.budget = &strand->beside;
    self->holders = 1;
    self->destroy = destroy;
    kept_add(strand, &self->kept, drop);
    return 0;
}

void reader_drop(reader *self) {
    if (kept_remove(&self->kept))
        reader_let_go(self);
}

void reader_hold(reader *self) {
    self->holders++;
}

void reader_close(reader *self) {
    self->closed = true;
    if (!turns_idle(&self->turns))
        return;
    self->source->close(self);
    bytes_fini(&self->data);
    self->at = self->looked_at = 0;
}

void reader_let_go(reader *self) {
    if (--self->holders > 0)
        return;
    reader_close(self);
    turns_fini(&self->turns);
    budget_give(self->data.budget, self->held);
    free(self->what);
    self->destroy(self);
}
