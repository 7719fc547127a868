/* The command line of heddled. */
#ifndef HEDDLED_OPTIONS_H
#define HEDDLED_OPTIONS_H

#include "config.h"

enum { OPTIONS_SETTINGS_MAX = 64 };

struct options {
    struct config_sources sources;
    struct config_setting settings[OPTIONS_SETTINGS_MAX];
    char *copies[OPTIONS_SETTINGS_MAX]; /* of keys cut off --set's arguments */
    bool check_only;
};

/* -1: go on; else the exit code, after what had to be printed. */
int options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

#endif
