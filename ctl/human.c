/* Values for people: three digits or two units, never more. */
#include "render.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define MICROSECOND UINT64_C(1000)
#define MILLISECOND UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

/* 1.5ms, 15ms: one decimal below ten, cut, so that 9.99 does not become 10.0. */
static const char *with_unit(human buffer, uint64_t ns, uint64_t unit, const char *name) {
    uint64_t tenths = ns * 10 / unit;
    if (tenths < 100 && tenths % 10 != 0)
        snprintf(buffer, HUMAN_BYTES, "%" PRIu64 ".%" PRIu64 "%s", tenths / 10, tenths % 10, name);
    else
        snprintf(buffer, HUMAN_BYTES, "%" PRIu64 "%s", tenths / 10, name);
    return buffer;
}

static const char *two_units(human buffer, uint64_t ns, uint64_t large, char large_name, uint64_t small,
                             char small_name) {
    snprintf(buffer, HUMAN_BYTES, "%" PRIu64 "%c%02" PRIu64 "%c", ns / large, large_name, ns % large / small,
             small_name);
    return buffer;
}

const char *human_duration(human buffer, uint64_t ns) {
    if (ns == 0)
        return strcpy(buffer, "0s");
    if (ns < MICROSECOND)
        return with_unit(buffer, ns, 1, "ns");
    if (ns < MILLISECOND)
        return with_unit(buffer, ns, MICROSECOND, "us");
    if (ns < SECOND)
        return with_unit(buffer, ns, MILLISECOND, "ms");
    if (ns < MINUTE)
        return with_unit(buffer, ns, SECOND, "s");
    if (ns < HOUR)
        return two_units(buffer, ns, MINUTE, 'm', SECOND, 's');
    if (ns < DAY)
        return two_units(buffer, ns, HOUR, 'h', MINUTE, 'm');
    return two_units(buffer, ns, DAY, 'd', HOUR, 'h');
}

const char *human_size(human buffer, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    uint64_t whole = bytes, rest = 0;
    for (; whole >= 1024; unit++) {
        rest = whole % 1024;
        whole /= 1024;
    }
    if (unit > 0 && whole < 10)
        snprintf(buffer, HUMAN_BYTES, "%" PRIu64 ".%" PRIu64 " %s", whole, rest * 10 / 1024, units[unit]);
    else
        snprintf(buffer, HUMAN_BYTES, "%" PRIu64 " %s", whole, units[unit]);
    return buffer;
}

const char *human_ago(human buffer, uint64_t epoch_ns) {
    if (epoch_ns == 0)
        return strcpy(buffer, "-");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ns = (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
    bool past = epoch_ns <= now_ns;
    uint64_t away = past ? now_ns - epoch_ns : epoch_ns - now_ns;
    human text;
    human_duration(text, away >= SECOND ? away - away % SECOND : away);
    snprintf(buffer, HUMAN_BYTES, past ? "%.30s ago" : "in %.30s", text);
    return buffer;
}

const char *human_count(human buffer, uint64_t number) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    char *out = buffer;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return buffer;
}
