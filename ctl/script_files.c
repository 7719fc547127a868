/* See script_files.h.
 *
 * Which files a script requires is read off its code: each `require "a.b"` or `require("a.b")` that stands there, also in a
 * comment, names a/b.lua or a/b/init.lua, and so do those in the files found. What is named otherwise is not found, and a file
 * that is not there may never be asked for: then `require` says so when the script runs. */
#include "script_files.h"
#include "contents.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MODULE_MAX = 255 };

struct collecting {
    const struct option_row *option;
    const char *folder;
    wire_job *job;
    size_t room; /* of job's files */
    struct reading *reading;
};

/* ---- what is required -------------------------------------------------------------------------------------------- */

static bool in_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static const char *skip_blanks(const char *at, const char *end) {
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at;
}

/* The text in quotes behind a `require` that ends at `at`; NULL if there is none. */
static const char *quoted(const char *at, const char *end, size_t *length) {
    at = skip_blanks(at, end);
    if (at < end && *at == '(')
        at = skip_blanks(at + 1, end);
    if (at == end || (*at != '"' && *at != '\''))
        return NULL;
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
    if (close == NULL)
        return NULL;
    *length = (size_t)(close - at - 1);
    return at + 1;
}

/* The next module's name from *at on, and *at behind it; NULL: there is no other. */
static const char *next_module(const char **at, const char *start, const char *end, size_t *length) {
    static const char word[] = "require";
    enum { WORD = sizeof word - 1 };
    for (const char *found; (found = memmem(*at, (size_t)(end - *at), word, WORD)) != NULL;) {
        *at = found + WORD;
        if (found > start && in_word(found[-1]))
            continue;
        const char *name = quoted(*at, end, length);
        if (name != NULL)
            return name;
    }
    return NULL;
}

/* The module's name with / for each dot; NULL if it cannot be one below the folder. */
static const char *module_path(const char *name, size_t length, struct scratch *memory) {
    if (length == 0 || length > MODULE_MAX)
        return NULL;
    char *path = scratch_copy(memory, name, length);
    for (size_t i = 0; i < length; i++) {
        path[i] = path[i] == '.' ? '/' : path[i];
        bool at_part = i == 0 || path[i - 1] == '/';
        if (iscntrl((unsigned char)path[i]) || path[i] == '\\' || (at_part && path[i] == '/'))
            return NULL;
    }
    return path[length - 1] == '/' ? NULL : path;
}

/* ---- collecting -------------------------------------------------------------------------------------------------- */

static bool is_collected(const wire_job *job, const char *name) {
    for (size_t i = 0; i < job->u.lua.file_count; i++) {
        if (strcmp(job->u.lua.files[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool add_file(struct collecting *self, const char *name, const char *path) {
    wire_job *job = self->job;
    struct scratch *memory = self->reading->memory;
    if (job->u.lua.file_count == WIRE_SCRIPT_FILES_MAX)
        return reading_fails(self->reading, "%s: \"%s\" requires more than %d files, which a script may not",
                             self->option->name, job->u.lua.program, WIRE_SCRIPT_FILES_MAX);
    if (job->u.lua.file_count == self->room) {
        self->room = self->room == 0 ? 8 : self->room * 2;
        wire_script_file *files = scratch_alloc(memory, self->room * sizeof *files);
        if (job->u.lua.file_count > 0)
            memcpy(files, job->u.lua.files, job->u.lua.file_count * sizeof *files);
        job->u.lua.files = files;
    }
    wire_script_file *file = &job->u.lua.files[job->u.lua.file_count++];
    file->name = name;
    return contents_read(self->option, path, &file->code, self->reading);
}

/* Adds the first of the module's possible files that is there. */
static bool add_module(struct collecting *self, const char *module) {
    static const char *const endings[] = {".lua", "/init.lua"};
    struct scratch *memory = self->reading->memory;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const char *name = scratch_printf(memory, "%s%s", module, endings[i]);
        const char *path = scratch_printf(memory, "%s%s", self->folder, name);
        if (is_collected(self->job, name))
            return true;
        if (access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
            return add_file(self, name, path);
    }
    return true;
}

static bool add_required(struct collecting *self, const wire_bytes *code) {
    const char *start = (const char *)code->data, *end = start + code->length, *at = start, *name;
    size_t length;
    while (code->length > 0 && (name = next_module(&at, start, end, &length)) != NULL) {
        const char *module = module_path(name, length, self->reading->memory);
        if (module != NULL && !add_module(self, module))
            return false;
    }
    return true;
}

static bool check_size(const struct collecting *self) {
    const wire_job *job = self->job;
    size_t bytes = job->u.lua.code.length, count = job->u.lua.file_count;
    for (size_t i = 0; i < count; i++)
        bytes += job->u.lua.files[i].code.length;
    if (bytes <= WIRE_SCRIPT_MAX)
        return true;
    return reading_fails(self->reading,
                         "%s: \"%s\" and the files that it requires (%zu) have %zu bytes (at most %d)",
                         self->option->name, job->u.lua.program, count, bytes, WIRE_SCRIPT_MAX);
}

/* With the program's name and code in place. */
static bool collect(const struct option_row *option, const char *folder, wire_job *job,
                    struct reading *reading) {
    struct collecting self = {.option = option, .folder = folder, .job = job, .reading = reading};
    job->u.lua.files = NULL;
    job->u.lua.file_count = 0;
    bool fine = add_required(&self, &job->u.lua.code);
    for (size_t i = 0; fine && i < job->u.lua.file_count; i++) {
        wire_bytes code = job->u.lua.files[i].code;
        fine = add_required(&self, &code);
    }
    return fine && check_size(&self);
}

bool script_read(const struct option_row *option, const char *path, wire_job *job, struct reading *reading) {
    if (*path == '\0')
        return reading_fails(reading, "%s: is empty", option->name);
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL ? "" : scratch_copy(reading->memory, path, (size_t)(slash - path) + 1);
    if (!contents_read(option, path, &job->u.lua.code, reading))
        return false;
    job->u.lua.program = strcmp(path, "-") == 0 ? "stdin" : slash == NULL ? path : slash + 1;
    return collect(option, folder, job, reading);
}

bool script_take(const struct option_row *option, const char *code, wire_job *job, struct reading *reading) {
    job->u.lua.program = "-e";
    job->u.lua.code = (wire_bytes){(const uint8_t *)code, strlen(code)};
    return collect(option, "", job, reading);
}
