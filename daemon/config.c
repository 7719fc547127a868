/* Settings are a table: each key has a type, a default, bounds, and whether a running service takes a new value. The
 * file is read by libconfuse as plain strings; what they mean is decided here, the same for file and command line.
 *
 * The file is read into memory first: libconfuse's scanner ends the process on a read error, and a path that is not a
 * regular file (a folder, a pipe) should have a clear message. The parser keeps its state in globals, so one file is
 * read at a time, and `loading` can be a global too. */
#include "config.h"

#include "log.h"
#include "text.h"

#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum type { STRING, COUNT, SIZE, DURATION, MODE, LEVEL };

struct key {
    const char *name;
    enum type type;
    size_t offset;
    const char *standard;
    uint64_t least, most;
    bool reloads;
};

#define AT(field) offsetof(struct config, field)
#define BILLION   1000000000ull
#define TEBIBYTE  (1ull << 40)
#define CENTURY   (100ull * 365 * 86400 * BILLION)

static const struct key keys[] = {
    {"listen", STRING, AT(listen), "", 0, 0, false},
    {"state", STRING, AT(state), "", 0, 0, false},
    {"socket_mode", MODE, AT(socket_mode), "0660", 0, 0777, false},
    {"socket_group", STRING, AT(socket_group), "", 0, 0, false},
    {"multi_loops", COUNT, AT(multi_loops), "0", 0, 1024, false},
    {"log_level", LEVEL, AT(log_level), "info", 0, 0, true},
    {"queue_max", COUNT, AT(queue_max), "1000000", 1, BILLION, true},
    {"jobs_per_user_max", COUNT, AT(jobs_per_user_max), "1000000", 1, BILLION, true},
    {"job_bytes_max", SIZE, AT(job_bytes_max), "1GiB", 1 << 20, TEBIBYTE, true},
    {"running_max", COUNT, AT(running_max), "1024", 1, 1000000, true},
    {"scripts_max", COUNT, AT(scripts_max), "16384", 1, 1000000, true},
    {"history", COUNT, AT(history), "10000", 0, 10000000, true},
    {"output_head", SIZE, AT(output_head), "64KiB", 0, 1 << 30, true},
    {"output_tail", SIZE, AT(output_tail), "64KiB", 0, 1 << 30, true},
    {"output_window", SIZE, AT(output_window), "1MiB", 4096, 1 << 30, true},
    {"output_total", SIZE, AT(output_total), "256MiB", 0, TEBIBYTE, true},
    {"events_kept", COUNT, AT(events_kept), "65536", 16, 16777216, false},
    {"default_timeout", DURATION, AT(default_timeout), "0", 0, CENTURY, true},
    {"grace", DURATION, AT(grace), "5s", 0, 86400 * BILLION, true},
    {"drain_timeout", DURATION, AT(drain_timeout), "30s", 0, CENTURY, true},
    {"http_max_bytes", SIZE, AT(http_max_bytes), "64MiB", 1, TEBIBYTE, false},
    {"http_connections", COUNT, AT(http_connections), "256", 1, 65536, false},
    {"script_memory", SIZE, AT(script_memory), "64MiB", 1 << 18, TEBIBYTE, false},
    {"script_memory_max", SIZE, AT(script_memory_max), "1GiB", 1 << 18, TEBIBYTE, false},
    {"script_cpu", DURATION, AT(script_cpu), "0", 0, CENTURY, false},
    {"script_cpu_max", DURATION, AT(script_cpu_max), "0", 0, CENTURY, false},
    {"script_output", SIZE, AT(script_output), "0", 0, TEBIBYTE, false},
    {"script_output_max", SIZE, AT(script_output_max), "0", 0, TEBIBYTE, false},
    {"script_tasks", COUNT, AT(script_tasks), "1000000", 0, BILLION, false},
    {"script_tasks_max", COUNT, AT(script_tasks_max), "0", 0, BILLION, false},
    {"clients_max", COUNT, AT(clients_max), "1024", 1, 1000000, true},
    {"requests_max", COUNT, AT(requests_max), "4096", 1, 1000000, true},
    {"requests_per_client_max", COUNT, AT(requests_per_client_max), "256", 1, 1000000, true},
};

enum { KEYS = sizeof keys / sizeof *keys, FILE_MAX = 1 << 20, WORD_MAX = 80 };

/* What is being read; see the top. */
static struct loading {
    struct config *config;
    const char *name;
    char *error;
    int lines[KEYS]; /* where each key was set; 0: not yet */
} loading;

static uint64_t *number_at(struct config *config, const struct key *key) {
    return (uint64_t *)((char *)config + key->offset);
}

static char **string_at(struct config *config, const struct key *key) {
    return (char **)((char *)config + key->offset);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static const char *const type_words[] = {
    [COUNT] = "a count (try 1000)",
    [SIZE] = "a size (try 64KiB, 1MiB, 4096)",
    [DURATION] = "a duration (try 3s, 250ms, 1h)",
    [MODE] = "an octal file mode (try 0660)",
    [LEVEL] = "a log level (error, warning, info, debug)",
};

static bool read_mode(const char *text, uint64_t *mode) {
    char *end;
    if (*text < '0' || *text > '7')
        return false;
    *mode = strtoul(text, &end, 8);
    return !*end;
}

static bool read_number(enum type type, const char *text, uint64_t *number) {
    switch (type) {
    case COUNT: return text_count(text, number);
    case SIZE: return text_size(text, number);
    case DURATION: return text_duration(text, number);
    case MODE: return read_mode(text, number);
    case LEVEL: return log_level_of(text, number);
    case STRING: break;
    }
    return false;
}

static void put_number(enum type type, uint64_t number, char *text, size_t bytes) {
    switch (type) {
    case SIZE: text_put_size(number, text, bytes); break;
    case DURATION: text_put_duration(number, text, bytes); break;
    case MODE: snprintf(text, bytes, "%04o", (unsigned)number); break;
    default: snprintf(text, bytes, "%llu", (unsigned long long)number);
    }
}

static bool put_string(char **place, const char *text, char *error) {
    char *copy = strdup(text);
    if (!copy) {
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
        return false;
    }
    free(*place);
    *place = copy;
    return true;
}

/* The message does not say where the value stood; callers put that in front. */
static bool set(struct config *config, const struct key *key, const char *text, char *error) {
    uint64_t number;
    if (key->type == STRING)
        return put_string(string_at(config, key), text, error);
    if (!read_number(key->type, text, &number)) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: \"%.*s\" is not %s", key->name, WORD_MAX, text,
                 type_words[key->type]);
        return false;
    }
    if (key->type != LEVEL && (number < key->least || number > key->most)) {
        char least[32], most[32];
        put_number(key->type, key->least, least, sizeof least);
        put_number(key->type, key->most, most, sizeof most);
        snprintf(error, CONFIG_ERROR_MAX, "%s: %.*s is out of range (%s to %s)", key->name, WORD_MAX, text,
                 least, most);
        return false;
    }
    *number_at(config, key) = number;
    return true;
}

/* ---- unknown keys ------------------------------------------------------------------------------------------------ */

static const struct key *find(const char *name) {
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* Levenshtein's distance, of words short enough for one row on the stack. */
static size_t distance(const char *a, const char *b) {
    size_t row[WORD_MAX + 1], length = strlen(b);
    if (length > WORD_MAX || strlen(a) > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (corner + 1 < best)
                best = corner + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length];
}

static void say_unknown(const char *name, char *error) {
    const struct key *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < KEYS; i++) {
        size_t there = distance(name, keys[i].name);
        if (there < best) {
            best = there;
            nearest = &keys[i];
        }
    }
    if (nearest)
        snprintf(error, CONFIG_ERROR_MAX, "unknown key \"%.*s\" (is it %s?)", WORD_MAX, name, nearest->name);
    else
        snprintf(error, CONFIG_ERROR_MAX, "unknown key \"%.*s\" (heddled --help lists the keys)", WORD_MAX,
                 name);
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Keeps the first message, with its place in front. */
static void complain(int line, const char *text) {
    if (!*loading.error)
        snprintf(loading.error, CONFIG_ERROR_MAX, "%.200s:%d: %.290s", loading.name, line, text);
}

static int on_value(cfg_t *parser, cfg_opt_t *option, const char *value, void *result) {
    char text[CONFIG_ERROR_MAX];
    const struct key *key = find(option->name);
    int *line = &loading.lines[key - keys];
    if (*line) {
        snprintf(text, sizeof text, "%s is set twice (first on line %d)", key->name, *line);
        complain(parser->line, text);
        return -1;
    }
    *line = parser->line;
    if (!set(loading.config, key, value, text)) {
        complain(parser->line, text);
        return -1;
    }
    *(const char **)result = value;
    return 0;
}

static void on_error(cfg_t *parser, const char *format, va_list list) {
    char text[CONFIG_ERROR_MAX], name[WORD_MAX + 1];
    vsnprintf(text, sizeof text, format, list);
    if (sscanf(text, "no such option '%80[^']'", name) == 1)
        say_unknown(name, text);
    complain(parser->line, text);
}

static bool parse(FILE *file) {
    cfg_opt_t options[KEYS + 1];
    for (size_t i = 0; i < KEYS; i++)
        options[i] = (cfg_opt_t)CFG_STR_CB(keys[i].name, NULL, CFGF_NODEFAULT, on_value);
    options[KEYS] = (cfg_opt_t)CFG_END();
    cfg_t *parser = cfg_init(options, CFGF_NONE);
    if (!parser) {
        complain(0, "out of memory");
        return false;
    }
    cfg_set_error_function(parser, on_error);
    int result = cfg_parse_fp(parser, file);
    if (result != CFG_SUCCESS)
        complain(parser->line, "this is not \"key = value\"");
    cfg_free(parser);
    return result == CFG_SUCCESS;
}

static bool defaults(struct config *config, char *error) {
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < KEYS; i++)
        if (!set(config, &keys[i], keys[i].standard, error)) {
            config_free(config);
            return false;
        }
    return true;
}

/* Blanks the comments that last to the end of a line: libconfuse counts those lines twice, and names wrong ones after them.
 * A comment begins where a word could. */
static void blank_comments(char *text, size_t bytes) {
    char quote = 0;
    for (size_t i = 0; i < bytes; i++) {
        bool at_start = i == 0 || strchr(" \t\n", text[i - 1]);
        if (quote) {
            i += text[i] == '\\';
            quote = i < bytes && text[i] == quote ? 0 : quote;
        } else if (text[i] == '"' || text[i] == '\'') {
            quote = text[i];
        } else if (at_start && (text[i] == '#' || (text[i] == '/' && i + 1 < bytes && text[i + 1] == '/'))) {
            for (; i < bytes && text[i] != '\n'; i++)
                text[i] = ' ';
        }
    }
}

static bool parse_text(struct config *config, const char *name, char *text, size_t bytes, char *error) {
    if (bytes == 0)
        return true;
    if (memchr(text, 0, bytes)) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: this is not a text file (it has NUL bytes)", name);
        return false;
    }
    blank_comments(text, bytes);
    FILE *file = fmemopen(text, bytes, "r");
    if (!file) {
        snprintf(error, CONFIG_ERROR_MAX, "%s: %s", name, strerror(errno));
        return false;
    }
    *error = 0;
    loading = (struct loading){.config = config, .name = name, .error = error};
    bool good = parse(file);
    fclose(file);
    return good;
}

bool config_parse(struct config *config, const char *name, const char *text, size_t bytes,
                  char error[CONFIG_ERROR_MAX]) {
    char *copy = malloc(bytes + 1);
    bool good = copy && defaults(config, error);
    if (!copy)
        snprintf(error, CONFIG_ERROR_MAX, "out of memory");
    if (good && !parse_text(config, name, memcpy(copy, text, bytes), bytes, error)) {
        config_free(config);
        good = false;
    }
    free(copy);
    return good;
}

/* The whole file in memory, which the caller frees; NULL and a message. */
static char *slurp(const char *path, size_t *bytes, char *error) {
    struct stat status;
    char *text = NULL;
    const char *problem = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0)
        problem = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        problem = "this is not a regular file";
    else if (status.st_size > FILE_MAX)
        problem = "this is larger than 1 MiB: it cannot be a configuration file";
    else if (!(text = malloc((size_t)status.st_size + 1)))
        problem = "out of memory";
    if (!problem) {
        ssize_t got = read(fd, text, (size_t)status.st_size);
        if (got < 0)
            problem = strerror(errno);
        *bytes = got < 0 ? 0 : (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    if (!problem)
        return text;
    snprintf(error, CONFIG_ERROR_MAX, "%s: %s", path, problem);
    free(text);
    return NULL;
}

static bool apply_settings(struct config *config, const struct config_sources *sources, char *error) {
    char text[CONFIG_ERROR_MAX];
    for (size_t i = 0; i < sources->count; i++) {
        const struct config_setting *setting = &sources->settings[i];
        const struct key *key = find(setting->key);
        bool good = key && set(config, key, setting->value, text);
        if (!key)
            say_unknown(setting->key, text);
        if (!good) {
            snprintf(error, CONFIG_ERROR_MAX, "%s: %.400s", setting->origin, text);
            return false;
        }
    }
    return true;
}

bool config_load(struct config *config, const struct config_sources *sources, char error[CONFIG_ERROR_MAX]) {
    if (!defaults(config, error))
        return false;
    bool good = true;
    if (sources->file) {
        size_t bytes = 0;
        char *text = slurp(sources->file, &bytes, error);
        good = text && parse_text(config, sources->file, text, bytes, error);
        free(text);
    }
    good = good && apply_settings(config, sources, error);
    if (!good)
        config_free(config);
    return good;
}

void config_free(struct config *config) {
    for (size_t i = 0; i < KEYS; i++)
        if (keys[i].type == STRING) {
            free(*string_at(config, &keys[i]));
            *string_at(config, &keys[i]) = NULL;
        }
}

void config_reload(struct config *current, struct config *fresh, char *restart, size_t bytes) {
    size_t used = 0;
    *restart = 0;
    for (size_t i = 0; i < KEYS; i++) {
        const struct key *key = &keys[i];
        bool same = key->type == STRING ? strcmp(*string_at(current, key), *string_at(fresh, key)) == 0
                                        : *number_at(current, key) == *number_at(fresh, key);
        if (same)
            continue;
        if (key->reloads)
            *number_at(current, key) = *number_at(fresh, key);
        else if (used < bytes)
            used += (size_t)snprintf(restart + used, bytes - used, "%s%s", used ? ", " : "", key->name);
    }
    config_free(fresh);
}

const char *config_key(size_t index, char *text, size_t bytes) {
    if (index >= KEYS)
        return NULL;
    const char *quote = keys[index].type == STRING ? "\"" : "";
    snprintf(text, bytes, "%s%s%s", quote, keys[index].standard, quote);
    return keys[index].name;
}
