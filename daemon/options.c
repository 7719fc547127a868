/* Options are settings under another name, so that there is one place that knows what a value may be. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG = 'c', LISTEN = 'l', SET = 's', HELP = 'h', VERSION = 'V', STATE = 1000, LOOPS, LEVEL, CHECK };

static const struct option longs[] = {
    {"config", required_argument, NULL, CONFIG},
    {"listen", required_argument, NULL, LISTEN},
    {"state", required_argument, NULL, STATE},
    {"multi-loops", required_argument, NULL, LOOPS},
    {"log-level", required_argument, NULL, LEVEL},
    {"set", required_argument, NULL, SET},
    {"check-config", no_argument, NULL, CHECK},
    {"version", no_argument, NULL, VERSION},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char help[] =
    "usage: heddled [OPTION...]\n"
    "\n"
    "Hosts runtimes and runs the jobs that heddlectl submits. Runs in the foreground, as any user.\n"
    "\n"
    "  -c, --config FILE       read settings from FILE (without: the defaults)\n"
    "  -l, --listen URL        ipc:///PATH of the socket; default: heddle.sock in $RUNTIME_DIRECTORY,\n"
    "                          $XDG_RUNTIME_DIR/heddle, or for root /run/heddle\n"
    "      --state FOLDER      where the ids that were used are noted; default: $STATE_DIRECTORY,\n"
    "                          $XDG_STATE_HOME/heddle or ~/.local/state/heddle\n"
    "      --multi-loops N     loops of the multi runtime; default: the cores that this process may use\n"
    "      --log-level LEVEL   error, warning, info or debug\n"
    "  -s, --set KEY=VALUE     any setting; goes before the file. May be repeated\n"
    "      --check-config      check the settings, and exit\n"
    "  -V, --version           print the version, and exit\n"
    "  -h, --help              print this, and exit\n"
    "\n"
    "SIGTERM and SIGINT let jobs end within drain_timeout, and cancel the rest; a second one cancels at once.\n"
    "SIGHUP reads the file again.\n"
    "\n"
    "Settings and their defaults (see heddle.conf):\n";

static void print_help(void) {
    char text[64];
    const char *key;
    fputs(help, stdout);
    for (size_t i = 0; (key = config_key(i, text, sizeof text)); i++)
        printf("  %s = %s\n", key, text);
}

static int misuse(const char *text, const char *value) {
    fprintf(stderr, "heddled: %s%s (try --help)\n", text, value);
    return 2;
}

static int add(struct options *options, const char *key, const char *value, const char *origin) {
    if (options->sources.count == OPTIONS_SETTINGS_MAX)
        return misuse("too many settings on the command line", "");
    options->settings[options->sources.count++] =
        (struct config_setting){.key = key, .value = value, .origin = origin};
    return -1;
}

static int add_pair(struct options *options, const char *pair) {
    const char *equals = strchr(pair, '=');
    if (!equals)
        return misuse("--set needs KEY=VALUE, not ", pair);
    char *key = strndup(pair, (size_t)(equals - pair));
    if (!key)
        return misuse("out of memory", "");
    size_t at = options->sources.count;
    int result = add(options, key, equals + 1, "--set");
    if (result >= 0)
        free(key);
    else
        options->copies[at] = key;
    return result;
}

static int take(struct options *options, int option) {
    switch (option) {
    case CONFIG: options->sources.file = optarg; return -1;
    case LISTEN: return add(options, "listen", optarg, "--listen");
    case STATE: return add(options, "state", optarg, "--state");
    case LOOPS: return add(options, "multi_loops", optarg, "--multi-loops");
    case LEVEL: return add(options, "log_level", optarg, "--log-level");
    case SET: return add_pair(options, optarg);
    case CHECK: options->check_only = true; return -1;
    case HELP: print_help(); return 0;
    case VERSION: puts("heddled " HEDDLE_VERSION); return 0;
    default: return 2; /* getopt has said why */
    }
}

int options_parse(struct options *options, int argc, char **argv) {
    int option, result = -1;
    memset(options, 0, sizeof *options);
    options->sources.settings = options->settings;
    optind = 1;
    while (result < 0 && (option = getopt_long(argc, argv, "c:l:s:hV", longs, NULL)) != -1)
        result = take(options, option);
    if (result < 0 && optind < argc)
        result = misuse("this is not an option: ", argv[optind]);
    return result;
}

void options_free(struct options *options) {
    for (size_t i = 0; i < OPTIONS_SETTINGS_MAX; i++)
        free(options->copies[i]);
}
