/* Directories, and what the system knows of files. */
#include "fs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- list ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Puts the names into their order, by way of a second block. */
static int64_t sort_names(bytes *names, size_t count) {
    bytes order = {.budget = names->budget}, sorted = {.budget = names->budget};
    int code = bytes_reserve(&order, count * sizeof(char *));
    if (!code)
        code = bytes_reserve(&sorted, names->length);
    if (!code && count) {
        const char **pointers = (const char **)(void *)order.data, *at = names->data;
        for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
            pointers[i] = at;
        qsort(pointers, count, sizeof *pointers, by_name);
        for (size_t i = 0; i < count && !code; i++)
            code = bytes_add(&sorted, pointers[i], strlen(pointers[i]) + 1);
        bytes_fini(names);
        *names = sorted;
        sorted = (bytes){.budget = names->budget};
    }
    bytes_fini(&order);
    bytes_fini(&sorted);
    return code;
}

int64_t fs_do_list(file_call *self) {
    DIR *directory = opendir(self->path);
    size_t count = 0;
    int code = 0;
    if (!directory)
        return -errno;
    while (!code && !fs_stopped(self)) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (!entry) {
            code = -errno;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        code = bytes_add(&self->data, entry->d_name, strlen(entry->d_name) + 1);
        count++;
    }
    closedir(directory);
    return code ? code : sort_names(&self->data, count);
}

/* ---- one file ---- */

int64_t fs_do_stat(file_call *self) {
    return stat(self->path, &self->about) < 0 ? -errno : 0;
}

int64_t fs_do_exists(file_call *self) {
    int64_t code = fs_do_stat(self);
    self->flag = code == 0;
    return code == -ENOENT || code == -ENOTDIR ? 0 : code;
}

/* An existing directory will do for one that is on the way. */
static int64_t make_directory(const char *path, bool on_the_way) {
    struct stat about;
    if (mkdir(path, 0777) == 0)
        return 0;
    int code = -errno;
    return code == -EEXIST && on_the_way && stat(path, &about) == 0 && S_ISDIR(about.st_mode) ? 0 : code;
}

int64_t fs_do_mkdir(file_call *self) {
    bool parents = self->flag;
    for (char *slash = self->path; parents && *slash && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        int64_t code = make_directory(self->path, true);
        *slash = '/';
        if (code)
            return code;
    }
    return make_directory(self->path, parents);
}

int64_t fs_do_remove(file_call *self) {
    struct stat about;
    if (lstat(self->path, &about) < 0)
        return -errno;
    int done = S_ISDIR(about.st_mode) ? rmdir(self->path) : unlink(self->path);
    return done < 0 ? -errno : 0;
}

int64_t fs_do_rename(file_call *self) {
    return rename(self->path, self->to) < 0 ? -errno : 0;
}
