/* Directories, and what the system knows of files. */
#include "fs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- list ---- */

/* Merges two neighbours that are in order: those before `middle`, and the others. */
static void merge(file_call *self, const char **names, size_t count, size_t middle, const char **merged) {
    size_t left = 0, right = middle;
    for (size_t i = 0; i < count && !fs_stopped(self); i++) {
        bool from_left = right == count || (left < middle && strcmp(names[left], names[right]) <= 0);
        merged[i] = names[from_left ? left++ : right++];
    }
}

/* Puts them into order, by way of as much room behind them. It can be stopped, which qsort cannot. The names; NULL: stopped. */
static const char **sort(file_call *self, const char **names, size_t count) {
    const char **others = names + count;
    for (size_t run = 1; run < count && !fs_stopped(self); run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t left = count - at, both = left < 2 * run ? left : 2 * run;
            merge(self, names + at, both, both < run ? both : run, others + at);
        }
        const char **swap = names;
        names = others;
        others = swap;
    }
    return fs_stopped(self) ? NULL : names;
}

static int gather_sorted(file_call *self, const char **room, size_t count, bytes *sorted) {
    const char *at = self->data.data;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        room[i] = at;
    const char **names = sort(self, room, count);
    int code = names ? bytes_reserve(sorted, self->data.length) : HD_ECANCELED;
    for (size_t i = 0; i < count && !code; i++)
        code = bytes_add(sorted, names[i], strlen(names[i]) + 1);
    return code;
}

/* Puts the names into their order, by way of a second block. */
static int64_t sort_names(file_call *self, size_t count) {
    budget *budget = self->data.budget;
    bytes room = {.budget = budget}, sorted = {.budget = budget};
    int code = count ? bytes_reserve(&room, 2 * count * sizeof(char *)) : 0;
    if (!code && count)
        code = gather_sorted(self, (const char **)(void *)room.data, count, &sorted);
    bytes_fini(&room);
    bytes_fini(code ? &sorted : &self->data);
    if (!code)
        self->data = sorted; /* none, if there are none */
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
    if (!code && fs_stopped(self))
        code = HD_ECANCELED;
    return code ? code : sort_names(self, count);
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
