/* Numbers are read by hand: strtoull takes signs, spaces and what overflows, and strtod knows locales and hexadecimals. */
#include "values.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t worth;
};

#define SECOND UINT64_C(1000000000)
static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"µs", 1000},
    {"ms", 1000000},
    {"s", SECOND},
    {"sec", SECOND},
    {"m", 60 * SECOND},
    {"min", 60 * SECOND},
    {"h", 3600 * SECOND},
    {"d", 86400 * SECOND},
    {"w", 604800 * SECOND},
    {0},
};

#define KI UINT64_C(1024)
#define KD UINT64_C(1000)
static const struct unit size_units[] = {
    {"B", 1},
    {"k", KI},
    {"KiB", KI},
    {"kB", KD},
    {"M", KI *KI},
    {"MiB", KI *KI},
    {"MB", KD *KD},
    {"G", KI *KI *KI},
    {"GiB", KI *KI *KI},
    {"GB", KD *KD *KD},
    {"T", KI *KI *KI *KI},
    {"TiB", KI *KI *KI *KI},
    {"TB", KD *KD *KD *KD},
    {0},
};

/* A decimal: whole + fraction / scale. */
struct decimal {
    uint64_t whole, fraction, scale;
};

static bool append_digit(uint64_t *number, char digit) {
    return !__builtin_mul_overflow(*number, 10, number) &&
           !__builtin_add_overflow(*number, (uint64_t)(digit - '0'), number);
}

/* Moves *text behind the decimal. More than 15 digits after the point are not looked at. */
static bool read_decimal(const char **text, struct decimal *decimal) {
    const char *at = *text;
    *decimal = (struct decimal){0, 0, 1};
    if (!isdigit((unsigned char)*at))
        return false;
    for (; isdigit((unsigned char)*at); at++) {
        if (!append_digit(&decimal->whole, *at))
            return false;
    }
    if (*at == '.') {
        if (!isdigit((unsigned char)*++at))
            return false;
        for (int digits = 0; isdigit((unsigned char)*at); at++) {
            if (digits++ < 15) {
                append_digit(&decimal->fraction, *at);
                decimal->scale *= 10;
            }
        }
    }
    *text = at;
    return true;
}

/* Adds a decimal of that unit to the sum. */
static bool add_decimal(uint64_t *sum, const struct decimal *decimal, uint64_t worth) {
    unsigned __int128 value = (unsigned __int128)decimal->whole * worth +
                              (unsigned __int128)decimal->fraction * worth / decimal->scale + *sum;
    if (value > INT64_MAX)
        return false;
    *sum = (uint64_t)value;
    return true;
}

/* The unit whose name is the letters at the text's beginning; moves *text behind them. */
static const struct unit *read_unit(const char **text, const struct unit *units, bool any_case) {
    const char *end = *text;
    while (*end != '\0' && !isdigit((unsigned char)*end) && *end != '.')
        end++;
    size_t length = (size_t)(end - *text);
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strlen(u->name) == length &&
            (any_case ? strncasecmp(*text, u->name, length) : strncmp(*text, u->name, length)) == 0) {
            *text = end;
            return u;
        }
    }
    return NULL;
}

bool value_duration(const char *text, uint64_t *ns) {
    const char *at = text;
    struct decimal number;
    uint64_t sum = 0;
    do {
        if (!read_decimal(&at, &number))
            return false;
        bool bare = *at == '\0' && sum == 0;
        const struct unit *unit = bare ? NULL : read_unit(&at, duration_units, false);
        if ((!bare && unit == NULL) || !add_decimal(&sum, &number, bare ? SECOND : unit->worth))
            return false;
    } while (*at != '\0');
    *ns = sum;
    return true;
}

bool value_size(const char *text, uint64_t *bytes) {
    struct decimal number;
    uint64_t sum = 0;
    if (!read_decimal(&text, &number))
        return false;
    uint64_t worth = 1;
    if (*text != '\0') {
        const struct unit *unit = read_unit(&text, size_units, true);
        if (unit == NULL || *text != '\0')
            return false;
        worth = unit->worth;
    }
    if (!add_decimal(&sum, &number, worth))
        return false;
    *bytes = sum;
    return true;
}

bool value_unsigned(const char *text, uint64_t max, uint64_t *number) {
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (!isdigit((unsigned char)*text) || !append_digit(&value, *text))
            return false;
    }
    if (value > max)
        return false;
    *number = value;
    return true;
}

bool value_signed(const char *text, int64_t min, int64_t max, int64_t *number) {
    bool negative = *text == '-';
    uint64_t magnitude;
    if (!value_unsigned(text + (negative || *text == '+'), INT64_MAX, &magnitude))
        return false;
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (value < min || value > max)
        return false;
    *number = value;
    return true;
}

/* How many letters have to be put in, left out or changed; at most 32 of each word are looked at. */
static size_t distance(const char *a, const char *b) {
    enum { MOST = 32 };
    size_t row[MOST + 1];
    size_t width = strnlen(b, MOST);
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0' && i < MOST; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < width; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            size_t moved = (row[j] < diagonal ? row[j] : diagonal) + 1;
            row[j + 1] = changed < moved ? changed : moved;
        }
    }
    return row[width];
}

const char *value_nearest(const char *word, const char *const *words) {
    const char *nearest = NULL;
    size_t length = strlen(word), least = length <= 4 ? 1 : 2;
    for (; *words != NULL; words++) {
        size_t away = length >= 3 && strncmp(word, *words, length) == 0 ? 0 : distance(word, *words);
        if (away <= least && away < strlen(*words) && (nearest == NULL || away < least)) {
            nearest = *words;
            least = away;
        }
    }
    return nearest;
}
