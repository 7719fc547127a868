/* http: a request, its answer's body as the job's output.
 *
 * The job's task hands the transfer to its loop's driver (http/), and carries the body to where it belongs as it comes.
 *
 * With an output file, the file gets the body of an answer as it was expected, and is not touched otherwise: the body of
 * an error goes to the job's record, where it helps. */
#include "http_check.h"
#include "http_transfer.h"
#include "http_url.h"
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES_DEFAULT ((uint64_t)1 << 30)

typedef struct http {
    run *attempt;
    const wire_job *job;
    http_transfer *transfer;
    uint64_t max_bytes;
    int output; /* the output file's descriptor; -1: not opened */
} http;

/* ---- the request ---- */

static int64_t read_ca(http *self, char **ca, size_t *length) {
    const char *path = self->job->u.http.ca_file;
    *ca = NULL;
    return path && *path ? kinds_file_read(self->attempt, "ca", path, HTTP_CA_MAX_BYTES, ca, length) : 0;
}

static int64_t start(http *self) {
    int code = http_transfer_start(self->transfer);
    const char *error = http_transfer_error(self->transfer);
    return code && *error ? hd_fail(code, "%s", error) : code;
}

static int64_t request(http *self) {
    const wire_job *job = self->job;
    char *ca;
    size_t ca_bytes = 0;
    int64_t code = read_ca(self, &ca, &ca_bytes);
    if (code)
        return code;
    http_request what = {.url = job->u.http.url,
                         .method = http_method(job),
                         .headers = job->u.http.headers.items,
                         .header_count = job->u.http.headers.count,
                         .body = job->u.http.body.data,
                         .body_bytes = job->u.http.body.length,
                         .redirects = job->u.http.redirects,
                         .proxy = job->u.http.proxy,
                         .ca = ca,
                         .ca_bytes = ca_bytes,
                         .max_bytes = self->max_bytes};
    self->transfer = http_transfer_create(&what);
    free(ca);
    return self->transfer ? start(self) : HD_ENOMEM;
}

/* ---- the answer ---- */

static bool is_expected(const http *self, long status) {
    uint32_t expect = self->job->u.http.expect;
    return expect ? status == (long)expect : status > 0 && status < 400;
}

static bool goes_to_file(const http *self, long status) {
    const char *output = self->job->output;
    return output && *output && is_expected(self, status);
}

static int64_t open_output(http *self) {
    int64_t opened = self->output < 0 ? kinds_output_open(self->attempt) : self->output;
    self->output = opened < 0 ? -1 : (int)opened;
    return opened < 0 ? opened : 0;
}

static int64_t carry(http *self, const http_piece *piece) {
    if (!goes_to_file(self, piece->status))
        return run_write(self->attempt, false, piece->data, piece->length);
    int64_t code = open_output(self);
    return code ? code : kinds_output_write(self->attempt, self->output, piece->data, piece->length);
}

static int64_t verdict(http *self, const http_result *result) {
    char url[256];
    http_url_shown(self->job->u.http.url, url, sizeof url);
    if (result->broken)
        return hd_fail(result->broken == HD_ECANCELED ? HD_ESHUTDOWN : result->broken, "%s: %s", url,
                       result->broken == HD_ECANCELED || result->broken == HD_ESHUTDOWN
                           ? "the service is stopping"
                           : kinds_errno_text(-result->broken));
    if (result->too_large)
        return hd_fail(-EFBIG, "the answer is larger than %llu bytes (HTTP %ld from %s; see max-bytes)",
                       (unsigned long long)self->max_bytes, result->status, url);
    if (result->error)
        return hd_fail(KINDS_FAILED, "%s: %s", url, result->error);
    if (is_expected(self, result->status))
        return 0;
    char expected[32] = "below 400";
    if (self->job->u.http.expect)
        snprintf(expected, sizeof expected, "%u", (unsigned)self->job->u.http.expect);
    return hd_fail(KINDS_FAILED, "HTTP %ld (expected %s) from %s", result->status, expected, url);
}

static int64_t answer(http *self) {
    http_piece piece;
    http_result result;
    int64_t code;
    while ((code = http_transfer_next(self->transfer, &piece, &result)) == 1) {
        code = carry(self, &piece);
        free(piece.data);
        if (code < 0)
            return code;
    }
    if (!code && !result.error && goes_to_file(self, result.status))
        code = open_output(self); /* also without a body */
    return code ? code : verdict(self, &result);
}

static int64_t http_run(run *attempt) {
    const wire_job *job = run_job(attempt);
    uint64_t service_max = kinds_settings()->http_max_bytes;
    http self = {.attempt = attempt, .job = job, .output = -1};
    self.max_bytes = job->u.http.max_bytes ? job->u.http.max_bytes
                     : service_max         ? service_max
                                           : MAX_BYTES_DEFAULT;
    int64_t code = request(&self);
    if (!code)
        code = answer(&self);
    http_transfer_destroy(self.transfer);
    if (self.output >= 0)
        hd_close(self.output);
    return code;
}

static void http_summary(const wire_job *job, char *text, size_t bytes) {
    char url[2048];
    kinds_line line = kinds_line_in(text, bytes);
    if (strcmp(http_method(job), "GET") != 0)
        kinds_line_word(&line, http_method(job));
    http_url_hide_password(job->u.http.url, url, sizeof url);
    kinds_line_word(&line, url);
}

const kind kind_http = {.kind = WIRE_HTTP, .check = http_check, .summary = http_summary, .run = http_run};
