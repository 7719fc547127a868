/* The settings: defaults, then the configuration file, then the command line. One table in config.c has all keys. */
#ifndef HEDDLED_CONFIG_H
#define HEDDLED_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
    char *listen; /* "": see options_default_url */
    char *state;  /* "": see ids_default_folder */
    char *socket_group;
    uint64_t socket_mode;
    uint64_t multi_loops;
    uint64_t log_level; /* enum log_level */

    uint64_t queue_max;
    uint64_t jobs_per_user_max;
    uint64_t job_bytes_max;
    uint64_t running_max;
    uint64_t scripts_max;
    uint64_t history;

    uint64_t output_head;
    uint64_t output_tail;
    uint64_t output_window;
    uint64_t output_total;
    uint64_t events_kept;

    uint64_t default_timeout;
    uint64_t grace;
    uint64_t drain_timeout;
    uint64_t http_max_bytes;
    uint64_t http_connections;
    uint64_t script_memory, script_memory_max;
    uint64_t script_cpu, script_cpu_max;
    uint64_t script_output, script_output_max;
    uint64_t script_tasks, script_tasks_max;

    uint64_t clients_max;
    uint64_t requests_max;
    uint64_t requests_per_client_max;
};

/* One "key=value" of the command line. */
struct config_setting {
    const char *key;
    const char *value;
    const char *origin; /* for messages: "--set", "--listen" */
};

struct config_sources {
    const char *file; /* NULL: none */
    const struct config_setting *settings;
    size_t count;
};

enum { CONFIG_ERROR_MAX = 512 };

/* Reads all sources into `config`, which need not be initialised. On failure false, `config` holds nothing, and the
 * message names the file, the line, the value and the way out. Not reentrant: one at a time. Reads a file. */
bool config_load(struct config *config, const struct config_sources *sources, char error[CONFIG_ERROR_MAX]);

/* The same for text in memory, which messages call `name`. */
bool config_parse(struct config *config, const char *name, const char *text, size_t bytes,
                  char error[CONFIG_ERROR_MAX]);

void config_free(struct config *config);

/* Makes `current` what `fresh` says, as far as that can change while running; `fresh` holds nothing afterwards. The
 * names of the keys that changed and need a restart are written to `restart`, separated by ", " ("": none). */
void config_reload(struct config *current, struct config *fresh, char *restart, size_t bytes);

/* For tests and --help: the keys one by one; NULL when there are no more. `text` gets the default as a file has it. */
const char *config_key(size_t index, char *text, size_t bytes);

#endif
