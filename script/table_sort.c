/* table.sort: a merge sort, so its end does not depend on the order function's making sense, and it takes no more than
 * n log n comparisons. It sorts the numbers of the elements, which are moved to their places when all is known: if comparing fails,
 * the table is as it was, and equal elements stay in their order. */
#include "table_sort.h"
#include "pace.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { SORT_TABLE = 1, SORT_LESS, SORT_NUMBERS };

/* Ranges so short are not looked at for being in order. */
enum { SHORT_RANGE = 16, TEXT_BYTES_A_STEP = 64 };

typedef struct sorter {
    lua_State *L;
    uint32_t *order; /* the elements' numbers */
    uint32_t *spare; /* half as many */
    uint32_t steps, steps_a_field;
    bool by_function;
} sorter;

/* Is one element less than another? */
static bool is_less(sorter *s, uint32_t one, uint32_t other) {
    lua_State *L = s->L;
    if (s->by_function)
        lua_pushvalue(L, SORT_LESS);
    lua_geti(L, SORT_TABLE, one);
    lua_geti(L, SORT_TABLE, other);
    size_t text = lua_type(L, -1) == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
    pace_by(L, &s->steps, s->steps_a_field + (uint32_t)(text / TEXT_BYTES_A_STEP));
    bool less;
    if (s->by_function) {
        lua_call(L, 2, 1);
        less = lua_toboolean(L, -1);
    } else {
        less = lua_compare(L, -2, -1, LUA_OPLT);
    }
    lua_settop(L, SORT_NUMBERS);
    return less;
}

/* The first `count` numbers change places with the rest. */
static void swap_halves(sorter *s, uint32_t *numbers, uint32_t count, uint32_t all) {
    memcpy(s->spare, numbers, count * sizeof *numbers);
    memmove(numbers, numbers + count, (all - count) * sizeof *numbers);
    memcpy(numbers + all - count, s->spare, count * sizeof *numbers);
    pace_by(s->L, &s->steps, all / SHORT_RANGE);
}

/* Merges two sorted ranges, one behind the other. */
static void merge(sorter *s, uint32_t *numbers, uint32_t count, uint32_t all) {
    if (all > SHORT_RANGE) {
        if (!is_less(s, numbers[count], numbers[count - 1]))
            return;
        if (is_less(s, numbers[all - 1], numbers[0])) {
            swap_halves(s, numbers, count, all);
            return;
        }
    }
    const uint32_t *left = s->spare, *left_end = left + count;
    const uint32_t *right = numbers + count, *right_end = numbers + all;
    memcpy(s->spare, numbers, count * sizeof *numbers);
    while (left < left_end && right < right_end)
        *numbers++ = is_less(s, *right, *left) ? *right++ : *left++;
    memcpy(numbers, left, (size_t)(left_end - left) * sizeof *numbers);
}

static void sort_range(sorter *s, uint32_t *numbers, uint32_t count) {
    if (count < 2)
        return;
    uint32_t half = count / 2;
    sort_range(s, numbers, half);
    sort_range(s, numbers + half, count - half);
    merge(s, numbers, half, count);
}

/* Moves the elements along the circles that their order makes. Where one has come, its number is that of the place. */
static void move_elements(sorter *s, uint32_t count) {
    for (uint32_t first = 1; first <= count; first++) {
        if (s->order[first - 1] == first)
            continue;
        lua_geti(s->L, SORT_TABLE, first);
        uint32_t place = first, from;
        while ((from = s->order[place - 1]) != first) {
            lua_geti(s->L, SORT_TABLE, from);
            lua_seti(s->L, SORT_TABLE, place);
            s->order[place - 1] = place;
            place = from;
            pace_by(s->L, &s->steps, 2 * s->steps_a_field);
        }
        lua_seti(s->L, SORT_TABLE, place);
        s->order[place - 1] = place;
        pace_by(s->L, &s->steps, 2 * s->steps_a_field);
    }
}

static bool has_metatable(lua_State *L) {
    if (!lua_getmetatable(L, SORT_TABLE))
        return false;
    lua_pop(L, 1);
    return true;
}

int tables_sort(lua_State *L) {
    lua_Integer length = luaL_len(L, SORT_TABLE);
    if (length < 2)
        return 0;
    luaL_argcheck(L, length < INT_MAX, SORT_TABLE, "array too big");
    if (!lua_isnoneornil(L, SORT_LESS))
        luaL_checktype(L, SORT_LESS, LUA_TFUNCTION);
    lua_settop(L, SORT_LESS);
    uint32_t count = (uint32_t)length;
    sorter s = {.L = L, .steps_a_field = TABLE_STEPS_PLAIN, .by_function = !lua_isnil(L, SORT_LESS)};
    if (has_metatable(L))
        s.steps_a_field = TABLE_STEPS_META;
    else if (!s.by_function && tables_sort_numbers(L, SORT_TABLE, count))
        return 0;
    s.order = lua_newuserdatauv(L, (count + (size_t)count / 2) * sizeof *s.order, 0);
    s.spare = s.order + count;
    for (uint32_t i = 0; i < count; i++) {
        s.order[i] = i + 1;
        pace(L, &s.steps);
    }
    sort_range(&s, s.order, count);
    move_elements(&s, count);
    return 0;
}
