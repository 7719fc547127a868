/* The table of kinds, and what they need before the first job and after the last. */
#include "kinds.h"

#include "http_transfer.h"
#include "script.h"

static kind_settings the_settings;

static const kind *const table[WIRE_KINDS] = {
    [WIRE_SLEEP] = &kind_sleep, [WIRE_EXEC] = &kind_exec, [WIRE_HTTP] = &kind_http,
    [WIRE_HASH] = &kind_hash,   [WIRE_CPU] = &kind_cpu,   [WIRE_LUA] = &kind_lua,
};

const kind *kind_of(wire_kind which) {
    return (unsigned)which < WIRE_KINDS ? table[which] : NULL;
}

const kind_settings *kinds_settings(void) {
    return &the_settings;
}

int kinds_init(const kind_settings *settings) {
    the_settings = *settings;
    return http_init((long)settings->http_connections);
}

void kinds_fini(void) {
    http_fini();
}
