/* Packing a job into one block of memory (and a second one for what is heavy and not needed after its end), and the
 * table of moves. */
#include "job.h"
#include "shell.h"

#include <stdlib.h>
#include <string.h>

/* ---- the moves --------------------------------------------------------------------------------------------------- */

#define TO(state) (1u << (state))

static const uint16_t moves[WIRE_STATES] = {
    [0] = TO(WIRE_SCHEDULED) | TO(WIRE_BLOCKED) | TO(WIRE_QUEUED),
    [WIRE_SCHEDULED] = TO(WIRE_BLOCKED) | TO(WIRE_QUEUED) | TO(WIRE_CANCELLED),
    [WIRE_BLOCKED] = TO(WIRE_QUEUED) | TO(WIRE_CANCELLED),
    [WIRE_QUEUED] = TO(WIRE_RUNNING) | TO(WIRE_CANCELLED),
    [WIRE_RUNNING] =
        TO(WIRE_SUCCEEDED) | TO(WIRE_FAILED) | TO(WIRE_CANCELLED) | TO(WIRE_TIMED_OUT) | TO(WIRE_RETRYING),
    [WIRE_RETRYING] = TO(WIRE_QUEUED) | TO(WIRE_CANCELLED),
};

bool job_may_move(wire_state from, wire_state to) {
    return (unsigned)from < WIRE_STATES && (unsigned)to < WIRE_STATES && moves[from] & TO(to);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

/* One pass with `block` NULL counts, the next one fills. Arrays of pointers come before all texts, so that alignment
 * takes care of itself. */
struct pack {
    char *block;
    size_t arrays, texts; /* used of each */
    size_t texts_from;
};

static void pack_text(struct pack *pack, const char **text) {
    size_t bytes = strlen(*text) + 1;
    if (bytes == 1) {
        *text = "";
        return;
    }
    if (pack->block)
        *text = memcpy(pack->block + pack->texts_from + pack->texts, *text, bytes);
    pack->texts += bytes;
}

static void pack_bytes(struct pack *pack, wire_bytes *bytes) {
    if (pack->block && bytes->length)
        bytes->data = memcpy(pack->block + pack->texts_from + pack->texts, bytes->data, bytes->length);
    pack->texts += bytes->length;
}

static void *pack_array(struct pack *pack, const void *items, size_t bytes) {
    char *place = pack->block ? pack->block + pack->arrays : NULL;
    pack->arrays += bytes;
    if (!place || !bytes)
        return NULL;
    return items ? memcpy(place, items, bytes) : memset(place, 0, bytes);
}

static void pack_strings(struct pack *pack, wire_strings *strings) {
    const char **items = pack_array(pack, strings->items, strings->count * sizeof *strings->items);
    for (size_t i = 0; i < strings->count; i++) {
        const char *text = strings->items[i];
        pack_text(pack, &text);
        if (items)
            items[i] = text;
    }
    if (pack->block)
        strings->items = items;
}

static void pack_files(struct pack *pack, wire_script_file **files, size_t count) {
    wire_script_file *copies = pack_array(pack, *files, count * sizeof **files);
    for (size_t i = 0; i < count; i++) {
        wire_script_file file = (*files)[i];
        pack_text(pack, &file.name);
        pack_bytes(pack, &file.code);
        if (copies)
            copies[i] = file;
    }
    if (pack->block)
        *files = copies;
}

static void pack_light(struct pack *pack, wire_job *spec, struct edge **edges) {
    wire_after *after = pack_array(pack, spec->after, spec->after_count * sizeof *after);
    *edges = pack_array(pack, NULL, spec->after_count * sizeof **edges);
    if (pack->block)
        spec->after = after;
    pack_text(pack, &spec->name);
    pack_text(pack, &spec->group);
    pack_text(pack, &spec->cwd);
    pack_text(pack, &spec->output);
    pack_strings(pack, &spec->labels);
    switch (spec->kind) {
    case WIRE_EXEC: pack_strings(pack, &spec->u.exec.argv); break;
    case WIRE_HTTP:
        pack_text(pack, &spec->u.http.url);
        pack_text(pack, &spec->u.http.method);
        pack_text(pack, &spec->u.http.proxy);
        pack_text(pack, &spec->u.http.ca_file);
        pack_strings(pack, &spec->u.http.headers);
        break;
    case WIRE_HASH:
        pack_strings(pack, &spec->u.hash.paths);
        pack_text(pack, &spec->u.hash.algorithm);
        break;
    case WIRE_LUA:
        pack_text(pack, &spec->u.lua.program);
        pack_strings(pack, &spec->u.lua.args);
        break;
    default: break;
    }
}

static void pack_heavy(struct pack *pack, wire_job *spec) {
    pack_strings(pack, &spec->env);
    if (spec->kind == WIRE_EXEC)
        pack_bytes(pack, &spec->u.exec.input);
    if (spec->kind == WIRE_HTTP)
        pack_bytes(pack, &spec->u.http.body);
    if (spec->kind == WIRE_LUA) {
        pack_bytes(pack, &spec->u.lua.code);
        pack_files(pack, &spec->u.lua.files, spec->u.lua.file_count);
    }
}

static void measure(const wire_job *spec, struct pack *light, struct pack *heavy) {
    wire_job copy = *spec;
    struct edge *edges;
    *light = *heavy = (struct pack){0};
    pack_light(light, &copy, &edges);
    copy = *spec;
    pack_heavy(heavy, &copy);
    light->texts_from = light->arrays;
    heavy->texts_from = heavy->arrays;
}

size_t job_size(const wire_job *spec) {
    struct pack light, heavy;
    measure(spec, &light, &heavy);
    return sizeof(struct job) + light.arrays + light.texts + heavy.arrays + heavy.texts;
}

static void init(struct job *job, uint32_t uid) {
    links_init(&job->by_state);
    links_init(&job->dependents);
    links_init(&job->watches);
    job->place.index = HEAP_OUT;
    job->uid = uid;
    for (size_t i = 0; i < job->spec.after_count; i++) {
        struct edge *edge = &job->edges[i];
        links_init(&edge->link);
        edge->dependent = job;
        edge->id = job->spec.after[i].id;
        edge->condition = job->spec.after[i].condition;
    }
}

struct job *job_create(const wire_job *spec, uint32_t uid) {
    struct pack light, heavy;
    measure(spec, &light, &heavy);
    size_t light_bytes = light.arrays + light.texts, heavy_bytes = heavy.arrays + heavy.texts;
    struct job *job = malloc(sizeof *job + light_bytes);
    char *block = heavy_bytes ? malloc(heavy_bytes) : NULL;
    if (!job || (heavy_bytes && !block)) {
        free(job);
        free(block);
        return NULL;
    }
    memset(job, 0, sizeof *job);
    job->spec = *spec;
    light = (struct pack){.block = (char *)(job + 1), .texts_from = light.texts_from};
    pack_light(&light, &job->spec, &job->edges);
    if (block) {
        heavy = (struct pack){.block = block, .texts_from = heavy.texts_from};
        pack_heavy(&heavy, &job->spec);
    }
    job->heavy = block;
    job->heavy_bytes = heavy_bytes;
    job->bytes = sizeof *job + light_bytes + heavy_bytes;
    init(job, uid);
    return job;
}

void job_lighten(struct job *job) {
    free(job->heavy);
    job->heavy = NULL;
    job->bytes -= job->heavy_bytes;
    job->heavy_bytes = 0;
    job->spec.env = (wire_strings){0};
    if (job->spec.kind == WIRE_EXEC)
        job->spec.u.exec.input = (wire_bytes){0};
    if (job->spec.kind == WIRE_HTTP)
        job->spec.u.http.body = (wire_bytes){0};
    if (job->spec.kind == WIRE_LUA) {
        job->spec.u.lua.code = (wire_bytes){0};
        job->spec.u.lua.files = NULL;
        job->spec.u.lua.file_count = 0;
    }
}

void job_destroy(struct job *job) {
    if (!job)
        return;
    free(job->error);
    free(job->report);
    shell_destroy(job->shell);
    free(job->heavy);
    free(job);
}
