/* table.sort for tables of numbers, the usual case: outside of Lua, where it takes a fraction of the time. All integers, or all
 * floats, are sorted as 64-bit keys of the same order. NaN, which has no order, goes to an end. */
#include "table_sort.h"
#include "pace.h"

#include <lauxlib.h>
#include <string.h>

enum { FEW = 8, KEYS_A_STEP = 4 };

#define SIGN (UINT64_C(1) << 63)

typedef struct sorter {
    lua_State *L;
    uint64_t *spare; /* half as many keys */
    uint32_t steps;
} sorter;

/* Negative floats are in order the wrong way round. */
static uint64_t key_of(lua_State *L, bool integers) {
    if (integers)
        return (uint64_t)lua_tointeger(L, -1) ^ SIGN;
    lua_Number number = lua_tonumber(L, -1);
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static void push_key(lua_State *L, bool integers, uint64_t key) {
    if (integers) {
        lua_pushinteger(L, (lua_Integer)(key ^ SIGN));
        return;
    }
    uint64_t bits = key & SIGN ? key & ~SIGN : ~key;
    lua_Number number;
    memcpy(&number, &bits, sizeof number);
    lua_pushnumber(L, number);
}

static void sort_few(uint64_t *keys, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        uint64_t key = keys[i];
        uint32_t place = i;
        for (; place > 0 && keys[place - 1] > key; place--)
            keys[place] = keys[place - 1];
        keys[place] = key;
    }
}

/* Merges two sorted ranges, one behind the other. */
static void merge(sorter *s, uint64_t *keys, uint32_t count, uint32_t all) {
    if (keys[count - 1] <= keys[count])
        return;
    const uint64_t *left = s->spare, *left_end = left + count;
    const uint64_t *right = keys + count, *right_end = keys + all;
    memcpy(s->spare, keys, count * sizeof *keys);
    while (left < left_end && right < right_end) {
        bool take_right = *right < *left;
        *keys++ = take_right ? *right : *left;
        right += take_right;
        left += !take_right;
    }
    memcpy(keys, left, (size_t)(left_end - left) * sizeof *keys);
}

static void sort_range(sorter *s, uint64_t *keys, uint32_t count) {
    if (count <= FEW) {
        sort_few(keys, count);
        return;
    }
    uint32_t half = count / 2;
    sort_range(s, keys, half);
    sort_range(s, keys + half, count - half);
    merge(s, keys, half, count);
    pace_by(s->L, &s->steps, count / KEYS_A_STEP);
}

/* Are the first elements all integers, or all floats? */
static bool is_of_one_kind(sorter *s, int table, uint32_t count, bool *integers) {
    for (uint32_t i = 1; i <= count; i++) {
        bool number = lua_geti(s->L, table, i) == LUA_TNUMBER, integer = lua_isinteger(s->L, -1);
        lua_pop(s->L, 1);
        pace(s->L, &s->steps);
        if (!number || (i > 1 && integer != *integers))
            return false;
        *integers = integer;
    }
    return true;
}

bool tables_sort_numbers(lua_State *L, int table, uint32_t count) {
    sorter s = {.L = L};
    bool integers = false;
    if (!is_of_one_kind(&s, table, count, &integers))
        return false;
    uint64_t *keys = lua_newuserdatauv(L, (count + (size_t)count / 2) * sizeof *keys, 0);
    s.spare = keys + count;
    for (uint32_t i = 0; i < count; i++) {
        lua_geti(L, table, i + 1);
        keys[i] = key_of(L, integers);
        lua_pop(L, 1);
        pace(L, &s.steps);
    }
    sort_range(&s, keys, count);
    for (uint32_t i = 0; i < count; i++) {
        push_key(L, integers, keys[i]);
        lua_seti(L, table, i + 1);
        pace(L, &s.steps);
    }
    lua_pop(L, 1);
    return true;
}
