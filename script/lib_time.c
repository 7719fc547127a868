/* time: the wall clock.
 *
 *   time.now() -> seconds since 1970, with their fraction
 *   time.format([format [, t]]) -> text: as os.date's, for local time, or for UTC after "!"; without one, or for "!" alone,
 *                                  "2024-05-31T14:30:00+02:00" or "2024-05-31T12:30:00Z"
 *   time.parse(text [, format]) -> seconds: of that form, or of the given one (strptime); "!": what names no zone is in UTC */
#include "errand.h"
#include "fields.h"
#include "libraries.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LONGEST_FORMAT = 200, LONGEST_TEXT = 4096 };

static int script_now(lua_State *L) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/* ---- format ---- */

/* Only what strftime knows, and without widths, which could ask for any length. */
static void check_format(lua_State *L, const char *format) {
    luaL_argcheck(L, strlen(format) <= LONGEST_FORMAT, 1, "the format is too long");
    for (const char *c = format; (c = strchr(c, '%')); c++) {
        c++;
        if (*c == 'E' || *c == 'O' || *c == '-' || *c == '_' || *c == '0' || *c == '^')
            c++;
        if (!*c || !strchr("aAbBcCdDeFgGhHIjklmMnprRsSTuUVwWxXyYzZ%tP", *c))
            luaL_argerror(
                L, 1,
                lua_pushfstring(L, "there is no conversion %%%c (%%%% is a percent sign)", *c ? *c : ' '));
    }
}

static void push_iso(lua_State *L, const struct tm *tm, bool utc) {
    char text[64];
    long minutes = labs(tm->tm_gmtoff) / 60;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", tm);
    if (utc) {
        lua_pushfstring(L, "%sZ", text);
        return;
    }
    lua_pushfstring(L, "%s%s%d%d:%d%d", text, tm->tm_gmtoff < 0 ? "-" : "+", (int)(minutes / 600),
                    (int)(minutes / 60 % 10), (int)(minutes % 60 / 10), (int)(minutes % 10));
}

static int script_format(lua_State *L) {
    const char *format = luaL_optstring(L, 1, "");
    lua_Number t = luaL_optnumber(L, 2, (lua_Number)time(NULL));
    bool utc = *format == '!';
    time_t seconds = (time_t)(fabs(t) < 1e12 ? floor(t) : 0);
    struct tm tm;
    char text[LONGEST_TEXT];
    format += utc;
    luaL_argcheck(L, fabs(t) < 1e12 && (utc ? gmtime_r(&seconds, &tm) : localtime_r(&seconds, &tm)), 2,
                  "not a number of seconds that a calendar has a date for");
    check_format(L, format);
    if (*format)
        lua_pushlstring(L, text, strftime(text, sizeof text, format, &tm));
    else
        push_iso(L, &tm, utc);
    return 1;
}

/* ---- parse ---- */

static int fail(lua_State *L, const char *why) {
    const char *text = lua_tostring(L, 1);
    return errand_raise(L, "time.parse: \"%s\" %s", strlen(text) <= 100 ? text : "...", why);
}

/* So many digits, within limits. */
static bool take_number(const char **at, int digits, int least, int most, int *value) {
    *value = 0;
    for (; digits; digits--, ++*at) {
        if (**at < '0' || **at > '9')
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return *value >= least && *value <= most;
}

static bool take(const char **at, const char *any_of) {
    if (!**at || !strchr(any_of, **at))
        return false;
    ++*at;
    return true;
}

static bool take_clock(const char **at, struct tm *tm, double *fraction) {
    if (!take_number(at, 2, 0, 23, &tm->tm_hour) || !take(at, ":") || !take_number(at, 2, 0, 59, &tm->tm_min))
        return false;
    if (!take(at, ":"))
        return true;
    if (!take_number(at, 2, 0, 60, &tm->tm_sec))
        return false;
    if (!take(at, ".,"))
        return true;
    double unit = 0.1;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; ++*at, unit /= 10)
        *fraction += (**at - '0') * unit;
    return true;
}

/* `*zoned`: it says where, `offset` seconds east of Greenwich. */
static bool take_zone(const char **at, bool *zoned, int *offset) {
    int hours, minutes = 0;
    bool west = **at == '-';
    *zoned = true;
    if (take(at, "Zz"))
        return true;
    if (!take(at, "+-")) {
        *zoned = false;
        return true;
    }
    if (!take_number(at, 2, 0, 23, &hours))
        return false;
    if ((take(at, ":") || **at) && !take_number(at, 2, 0, 59, &minutes))
        return false;
    *offset = (hours * 60 + minutes) * (west ? -60 : 60);
    return true;
}

static bool take_iso(const char *at, struct tm *tm, double *fraction, bool *zoned, int *offset) {
    if (!take_number(&at, 4, 0, 9999, &tm->tm_year) || !take(&at, "-") ||
        !take_number(&at, 2, 1, 12, &tm->tm_mon) || !take(&at, "-") ||
        !take_number(&at, 2, 1, 31, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon--;
    if (take(&at, "Tt ") && !(take_clock(&at, tm, fraction) && take_zone(&at, zoned, offset)))
        return false;
    return *at == '\0';
}

static int days_of(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    return days[month] + (month == 1 && leap);
}

static int push_seconds(lua_State *L, struct tm *tm, double fraction, bool utc, int offset) {
    if (tm->tm_mday > days_of(tm->tm_year + 1900, tm->tm_mon))
        return fail(L, "names a day that the month does not have");
    time_t seconds = utc ? timegm(tm) - offset : mktime(tm);
    if (fraction > 0)
        lua_pushnumber(L, (lua_Number)seconds + fraction);
    else
        lua_pushinteger(L, seconds);
    return 1;
}

static int parse_iso(lua_State *L, const char *text, bool utc) {
    struct tm tm = {.tm_isdst = -1};
    double fraction = 0;
    bool zoned = false;
    int offset = 0;
    if (!take_iso(text, &tm, &fraction, &zoned, &offset))
        return fail(L, "is not a time such as 2024-05-31T12:30:00Z");
    return push_seconds(L, &tm, fraction, utc || zoned, offset);
}

static int script_parse(lua_State *L) {
    const char *text = fields_text(L, 1), *format = luaL_optstring(L, 2, "");
    bool utc = *format == '!';
    struct tm tm = {.tm_isdst = -1, .tm_year = 70, .tm_mday = 1};
    format += utc;
    if (!*format)
        return parse_iso(L, text, utc);
    const char *end = strptime(text, format, &tm);
    if (!end || *end)
        return fail(L, lua_pushfstring(L, "does not have the form \"%s\"", format));
    bool zoned = strstr(format, "%z") != NULL;
    return push_seconds(L, &tm, 0, utc || zoned, zoned ? (int)tm.tm_gmtoff : 0);
}

void time_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"now", script_now}, {"format", script_format}, {"parse", script_parse}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setglobal(L, "time");
}
