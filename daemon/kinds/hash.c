/* hash: digests of files, in the form of sha256sum and its like.
 *
 * Files are read and digested on the blocking pool, a slice of at most SLICE at a time, so that a job with large files
 * does not keep the pool from others, and in pieces, so that it stops soon when it is cancelled. A few files of a job are
 * under way at once; their lines come in the order of the paths all the same.
 *
 * A digest belongs to the task that awaits it and to the pool call that works on it: a cancelled job leaves at once, also
 * from a read that hangs, and whoever lets go last frees. */
#include "kinds.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_AT_ONCE = 4, PIECE_BYTES = 1 << 20 };
#define SLICE_NS HD_MS(20)

static const struct {
    const char *name;
    const EVP_MD *(*md)(void);
} algorithms[] = {
    {"sha256", EVP_sha256}, {"sha512", EVP_sha512},         {"sha1", EVP_sha1},
    {"md5", EVP_md5},       {"blake2b512", EVP_blake2b512},
};
enum { ALGORITHMS = sizeof algorithms / sizeof algorithms[0] };

/* ALGORITHMS: there is none of that name. */
static unsigned algorithm_of(const wire_job *job) {
    const char *name = job->u.hash.algorithm;
    unsigned i = 0;
    while (name && *name && i < ALGORITHMS && strcmp(algorithms[i].name, name) != 0)
        i++;
    return i;
}

typedef struct digest {
    atomic_uint references;
    atomic_bool stop;
    run *attempt;
    const char *name;
    char *path; /* the rest: the pool's during a slice, the task's between them */
    const EVP_MD *md;
    EVP_MD_CTX *context;
    int fd;
    const char *refusal; /* why it cannot be read; NULL: it could */
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned sum_bytes;
} digest;

/* ---- one file, on the pool ---- */

static void digest_put(void *arg) {
    digest *self = arg;
    /* acquire and release: what either side wrote is seen by the one that frees */
    if (atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) > 1)
        return;
    if (self->fd >= 0)
        close(self->fd);
    EVP_MD_CTX_free(self->context);
    free(self->path);
    free(self);
}

/* Opens the file. NULL, or why not. Only what has an end and cannot keep its reader waiting for good. */
static const char *digest_open(digest *self) {
    struct stat about;
    self->fd = open(self->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (self->fd < 0 || fstat(self->fd, &about) < 0)
        return kinds_errno_text(errno);
    if (S_ISDIR(about.st_mode))
        return "is a directory (name the files in it)";
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode))
        return "is neither a file nor a disk";
    self->context = EVP_MD_CTX_new();
    if (!self->context || !EVP_DigestInit_ex(self->context, self->md, NULL))
        return "the digest is not to be had from libcrypto (it may be forbidden by its configuration)";
    posix_fadvise(self->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return NULL;
}

/* One piece more. 1: there may be more; 0: it has ended, also by a refusal. */
static int digest_piece(digest *self, void *piece) {
    ssize_t got = read(self->fd, piece, PIECE_BYTES);
    if (got < 0 && errno == EINTR)
        return 1;
    if (got < 0)
        self->refusal = kinds_errno_text(errno);
    else if (got > 0 && EVP_DigestUpdate(self->context, piece, (size_t)got))
        return 1;
    else if (got > 0 || !EVP_DigestFinal_ex(self->context, self->sum, &self->sum_bytes))
        self->refusal = "libcrypto failed";
    return 0;
}

static int64_t digest_slice(void *arg) {
    digest *self = arg;
    uint64_t until_ns = hd_after(SLICE_NS);
    if (self->fd < 0)
        self->refusal = digest_open(self);
    void *piece = self->refusal ? NULL : malloc(PIECE_BYTES);
    if (!piece)
        return self->refusal ? 0 : HD_ENOMEM;
    int more = 1;
    /* relaxed: a hint to stop soon; nothing depends on when it is seen */
    while (more && hd_now() < until_ns && !atomic_load_explicit(&self->stop, memory_order_relaxed))
        more = digest_piece(self, piece);
    free(piece);
    return more;
}

/* ---- one file, its task ---- */

static digest *digest_create(run *attempt, const char *path, const EVP_MD *md) {
    digest *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    *self = (digest){.attempt = attempt, .name = path, .path = kinds_path(attempt, path), .md = md, .fd = -1};
    atomic_init(&self->references, 1);
    if (self->path)
        return self;
    free(self);
    return NULL;
}

static int64_t digest_task(void *arg) {
    digest *self = arg;
    int64_t more = 1;
    while (more > 0) {
        /* relaxed: the task has a reference already */
        atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
        more = hd_blocking_abandon(HD_POOL_FS, digest_slice, self, digest_put);
    }
    atomic_store_explicit(&self->stop, true, memory_order_relaxed); /* relaxed: see digest_slice */
    return more;
}

/* ---- lines ---- */

/* The name as sha256sum shows it: with a newline, carriage return or backslash in it, these are escaped, and the
 * line begins with a backslash. */
static size_t put_name(char *out, const char *name) {
    static const char special[] = "\n\r\\", escaped[] = "nr\\";
    char *start = out;
    for (; *name; name++) {
        const char *known = strchr(special, *name);
        if (known)
            *out++ = '\\';
        *out++ = known ? escaped[known - special] : *name;
    }
    return (size_t)(out - start);
}

static int write_line(const digest *self) {
    size_t name_bytes = strlen(self->name), at = 0;
    char *line = malloc(2 * name_bytes + 2 * self->sum_bytes + 4);
    if (!line)
        return HD_ENOMEM;
    if (strpbrk(self->name, "\n\r\\"))
        line[at++] = '\\';
    for (unsigned i = 0; i < self->sum_bytes; i++)
        at += (size_t)sprintf(line + at, "%02x", self->sum[i]);
    line[at++] = ' ';
    line[at++] = ' ';
    at += put_name(line + at, self->name);
    line[at++] = '\n';
    int code = run_write(self->attempt, false, line, at);
    free(line);
    return code;
}

static int write_refusal(const digest *self) {
    char line[512];
    kinds_line shown = kinds_line_in(line, sizeof line - 128);
    kinds_line_word(&shown, self->name);
    int more = snprintf(line + shown.used, sizeof line - shown.used, ": %s\n", self->refusal);
    return run_write(self->attempt, true, line, shown.used + (size_t)more);
}

/* ---- the job ---- */

typedef struct hash {
    run *attempt;
    const EVP_MD *md;
    struct {
        digest *file;
        hd_task *task;
    } window[FILES_AT_ONCE]; /* path i is in place i % FILES_AT_ONCE */
    size_t failed;
} hash;

static int start_file(hash *self, size_t i) {
    digest *file = digest_create(self->attempt, run_job(self->attempt)->u.hash.paths.items[i], self->md);
    if (!file)
        return HD_ENOMEM;
    hd_task *task = hd_spawn_with(&(hd_spawn_options){.name = "hash-file"}, digest_task, file);
    if (!task) {
        int code = -errno;
        digest_put(file);
        return code;
    }
    self->window[i % FILES_AT_ONCE].file = file;
    self->window[i % FILES_AT_ONCE].task = task;
    return 0;
}

static int64_t end_file(hash *self, size_t i) {
    digest *file = self->window[i % FILES_AT_ONCE].file;
    int64_t code = hd_join(self->window[i % FILES_AT_ONCE].task);
    self->window[i % FILES_AT_ONCE].task = NULL;
    if (code >= 0)
        code = file->refusal ? write_refusal(file) : write_line(file);
    self->failed += code == 0 && file->refusal;
    self->window[i % FILES_AT_ONCE].file = NULL;
    digest_put(file);
    return code;
}

/* Nothing of an attempt that breaks off stays behind. */
static void end_all(hash *self) {
    hd_shield_begin();
    for (size_t i = 0; i < FILES_AT_ONCE; i++)
        if (self->window[i].task)
            hd_cancel(self->window[i].task);
    for (size_t i = 0; i < FILES_AT_ONCE; i++) {
        if (!self->window[i].task)
            continue;
        (void)!hd_join(self->window[i].task);
        digest_put(self->window[i].file);
    }
    hd_shield_end();
}

static int64_t hash_run(run *attempt) {
    const wire_job *job = run_job(attempt);
    const wire_strings *paths = &job->u.hash.paths;
    hash self = {.attempt = attempt, .md = algorithms[algorithm_of(job)].md()};
    int64_t code = 0;
    size_t started = 0;
    for (size_t i = 0; i < paths->count && code >= 0; i++) {
        while (code >= 0 && started < paths->count && started < i + FILES_AT_ONCE)
            code = start_file(&self, started++);
        if (code >= 0)
            code = end_file(&self, i);
    }
    end_all(&self);
    if (code < 0 || self.failed == 0)
        return code;
    return hd_fail(KINDS_FAILED, "%zu of %zu file%s could not be read (see the job's error output)",
                   self.failed, paths->count, paths->count == 1 ? "" : "s");
}

/* ---- what is asked for ---- */

static bool hash_check(const wire_job *job, char *error, size_t error_bytes) {
    const wire_strings *paths = &job->u.hash.paths;
    if (algorithm_of(job) == ALGORITHMS)
        return kinds_refuse(error, error_bytes, "algorithm", job->u.hash.algorithm,
                            "is none of sha256, sha512, sha1, md5, blake2b512");
    if (paths->count == 0)
        return kinds_refuse(error, error_bytes, "paths", NULL,
                            "there is no file to hash (try: hash FILE...)");
    for (size_t i = 0; i < paths->count; i++)
        if (!*paths->items[i])
            return kinds_refuse(error, error_bytes, "paths", "", "is not the name of a file");
    return kinds_no_output_file(job, error, error_bytes);
}

static void hash_summary(const wire_job *job, char *text, size_t bytes) {
    unsigned algorithm = algorithm_of(job);
    kinds_line line = kinds_line_in(text, bytes);
    kinds_line_word(&line, algorithm < ALGORITHMS ? algorithms[algorithm].name : job->u.hash.algorithm);
    for (size_t i = 0; i < job->u.hash.paths.count && !line.cut; i++)
        kinds_line_word(&line, job->u.hash.paths.items[i]);
}

const kind kind_hash = {.kind = WIRE_HASH, .check = hash_check, .summary = hash_summary, .run = hash_run};
