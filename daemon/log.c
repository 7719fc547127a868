/* One write(2) a line, so that lines of different threads do not mix. Under systemd (JOURNAL_STREAM names this very
 * stderr) a line begins with its priority, "<4>", which the journal takes off; on a terminal it begins with a word. */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct level {
    const char *name;
    int priority; /* of syslog */
};

static const struct level levels[] = {
    [LOG_ERRORS] = {"error", 3},
    [LOG_WARNINGS] = {"warning", 4},
    [LOG_INFORMATION] = {"info", 6},
    [LOG_DEBUGGING] = {"debug", 7},
};

enum { LEVELS = sizeof levels / sizeof *levels, LINE_MAX_BYTES = 1024 };

static _Atomic uint64_t highest = LOG_INFORMATION;

bool log_level_of(const char *name, uint64_t *level) {
    for (size_t i = 0; i < LEVELS; i++)
        if (strcmp(levels[i].name, name) == 0) {
            *level = i;
            return true;
        }
    return false;
}

void log_set_level(uint64_t level) {
    /* relaxed: nothing else is published with it */
    atomic_store_explicit(&highest, level, memory_order_relaxed);
}

static bool to_journal(void) {
    unsigned long long device, inode;
    struct stat status;
    const char *stream = getenv("JOURNAL_STREAM");
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static void say(enum log_level level, const char *format, va_list list) {
    char line[LINE_MAX_BYTES];
    if (level > atomic_load_explicit(&highest, memory_order_relaxed))
        return;
    int used = to_journal() ? snprintf(line, sizeof line, "<%d>", levels[level].priority)
                            : snprintf(line, sizeof line, "heddled: %s: ", levels[level].name);
    int more = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, list);
    size_t length = (size_t)used + (more < 0 ? 0 : (size_t)more);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0) {
        /* There is nobody left to tell. */
    }
}

#define LOG_FUNCTION(name, level)        \
    void name(const char *format, ...) { \
        va_list list;                    \
        va_start(list, format);          \
        say(level, format, list);        \
        va_end(list);                    \
    }

LOG_FUNCTION(log_error, LOG_ERRORS)
LOG_FUNCTION(log_warning, LOG_WARNINGS)
LOG_FUNCTION(log_info, LOG_INFORMATION)
LOG_FUNCTION(log_debug, LOG_DEBUGGING)
