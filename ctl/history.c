/* See history.h. */
#include "history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *history_path(struct scratch *memory) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state != NULL && *state == '/')
        return scratch_printf(memory, "%s/heddle/history", state);
    if (home != NULL && *home == '/')
        return scratch_printf(memory, "%s/.local/state/heddle/history", home);
    return NULL;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* The last lines, in a ring. */
struct kept {
    char *lines[HISTORY_KEPT];
    size_t count; /* that came by */
};

static void keep(struct kept *kept, char *line) {
    char **place = &kept->lines[kept->count++ % HISTORY_KEPT];
    free(*place);
    *place = line;
}

static void read_lines(FILE *file, struct kept *kept) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getline(&line, &room, file)) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (*line != '\0' && length <= HISTORY_LONGEST)
            keep(kept, must(strdup(line)));
    }
    free(line);
}

static const char *kept_line(const struct kept *kept, size_t index) {
    return kept->lines[index % HISTORY_KEPT];
}

static size_t first_kept(const struct kept *kept) {
    return kept->count > HISTORY_KEPT ? kept->count - HISTORY_KEPT : 0;
}

/* A new file takes the old one's place, or nothing changes. */
static void shorten(const char *path, const struct kept *kept) {
    char *beside;
    if (asprintf(&beside, "%s.XXXXXX", path) < 0)
        return;
    int fd = mkstemp(beside);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    for (size_t i = first_kept(kept); file != NULL && i < kept->count; i++)
        fprintf(file, "%s\n", kept_line(kept, i));
    bool written = file != NULL && !ferror(file);
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (!written || rename(beside, path) != 0)
        unlink(beside);
    free(beside);
}

bool history_read(const char *path, void (*visit)(const char *line, void *arg), void *arg) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT;
    struct kept *kept = must(calloc(1, sizeof *kept));
    read_lines(file, kept);
    fclose(file);
    for (size_t i = first_kept(kept); i < kept->count; i++)
        visit(kept_line(kept, i), arg);
    if (kept->count > 2 * HISTORY_KEPT)
        shorten(path, kept);
    for (size_t i = 0; i < HISTORY_KEPT; i++)
        free(kept->lines[i]);
    free(kept);
    return true;
}

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static bool make_folders(const char *path) {
    char *copy = must(strdup(path));
    bool fine = true;
    for (char *slash = strchr(copy + 1, '/'); slash != NULL && fine; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        fine = mkdir(copy, 0700) == 0 || errno == EEXIST;
        *slash = '/';
    }
    free(copy);
    return fine;
}

static int open_to_add(const char *path) {
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

bool history_add(const char *path, const char *line) {
    int fd = open_to_add(path);
    if (fd < 0 && errno == ENOENT && make_folders(path))
        fd = open_to_add(path);
    if (fd < 0)
        return false;
    char *text = must(malloc(strlen(line) + 2));
    size_t length = (size_t)sprintf(text, "%s\n", line);
    ssize_t wrote = write(fd, text, length); /* in one piece, so that shells do not mix theirs */
    if (wrote >= 0 && (size_t)wrote < length)
        errno = ENOSPC;
    free(text);
    close(fd);
    return wrote == (ssize_t)length;
}
