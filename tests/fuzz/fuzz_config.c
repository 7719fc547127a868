/* Any bytes as a configuration file: they are read or refused, with a message that names a line. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    char error[CONFIG_ERROR_MAX] = "";
    if (config_parse(&config, "fuzz.conf", (const char *)data, size, error))
        config_free(&config);
    else if (!strstr(error, "fuzz.conf"))
        abort();
    return 0;
}
