/* Reading and writing durations, sizes and times. Exact: what is written is read back as the same number. */
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct unit {
    const char *name;
    uint64_t worth;
};

/* Greatest first, as the writers want them. */
static const struct unit durations[] = {
    {"d", 86400000000000u}, {"h", 3600000000000u}, {"m", 60000000000u}, {"s", 1000000000u},
    {"ms", 1000000u},       {"us", 1000u},         {"ns", 1},
};
static const struct unit sizes[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}};

enum { DURATIONS = sizeof durations / sizeof *durations, SIZES = sizeof sizes / sizeof *sizes };

static const uint64_t longest_ns = 100ull * 365 * 86400 * 1000000000;

static bool digits(const char **text, uint64_t *number) {
    const char *at = *text;
    uint64_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *at - '0', &value))
            return false;
    bool any = at != *text;
    *text = at;
    *number = value;
    return any;
}

static const struct unit *unit_at(const struct unit *units, size_t count, const char **text) {
    size_t length = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; i < count; i++)
        if (strlen(units[i].name) == length && memcmp(units[i].name, *text, length) == 0) {
            *text += length;
            return &units[i];
        }
    return NULL;
}

bool text_duration(const char *text, uint64_t *ns) {
    uint64_t sum = 0, number, part;
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return true;
    }
    if (!*text)
        return false;
    while (*text) {
        const struct unit *unit;
        if (!digits(&text, &number) || !(unit = unit_at(durations, DURATIONS, &text)) ||
            __builtin_mul_overflow(number, unit->worth, &part) || __builtin_add_overflow(sum, part, &sum) ||
            sum > longest_ns)
            return false;
    }
    *ns = sum;
    return true;
}

bool text_size(const char *text, uint64_t *bytes) {
    uint64_t number;
    if (!digits(&text, &number))
        return false;
    if (*text) {
        const struct unit *unit = unit_at(sizes, SIZES, &text);
        if (!unit || *text || __builtin_mul_overflow(number, unit->worth, &number))
            return false;
    }
    *bytes = number;
    return true;
}

bool text_count(const char *text, uint64_t *count) {
    return digits(&text, count) && !*text;
}

static void put(const struct unit *units, size_t count, uint64_t number, char *text, size_t bytes) {
    for (size_t i = 0; i < count; i++)
        if (number && number % units[i].worth == 0) {
            snprintf(text, bytes, "%llu%s", (unsigned long long)(number / units[i].worth), units[i].name);
            return;
        }
    snprintf(text, bytes, "0");
}

void text_put_duration(uint64_t ns, char *text, size_t bytes) {
    put(durations, DURATIONS, ns, text, bytes);
}

void text_put_size(uint64_t size, char *text, size_t bytes) {
    put(sizes, SIZES - 1, size, text, bytes);
    if (size % 1024)
        snprintf(text, bytes, "%llu", (unsigned long long)size);
}

void text_put_time(uint64_t epoch_ns, char *text, size_t bytes) {
    time_t seconds = (time_t)(epoch_ns / 1000000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || !strftime(text, bytes, "%Y-%m-%dT%H:%M:%SZ", &parts))
        snprintf(text, bytes, "?");
}

uint64_t text_epoch_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}
