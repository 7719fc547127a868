/* http: a request, its answer's body as the job's output.
 *
 * The job's task sets the request up, looks the host's name up (names.c), hands the transfer to its loop's driver
 * (http_driver.c), and carries the body to where it belongs as it comes. Nothing but the job says what is sent: no
 * environment's proxy, no netrc, no cookies; the certificates are the system's, or those of the job's CA file alone.
 *
 * With an output file, the file gets the body of an answer as it was expected, and is not touched otherwise: the body of
 * an error goes to the job's record, where it helps. */
#include "http_transfer.h"
#include "http_url.h"
#include "kinds.h"
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CA_MAX_BYTES = 16 << 20 };
#define MAX_BYTES_DEFAULT ((uint64_t)1 << 30)
#ifndef HEDDLE_VERSION
#    define HEDDLE_VERSION "unknown"
#endif

typedef struct http {
    run *attempt;
    const wire_job *job;
    CURL *easy; /* until the transfer has it */
    http_transfer *transfer;
    struct curl_slist *headers, *addresses;
    char *ca;
    uint64_t max_bytes;
    int output; /* the output file's descriptor; -1: not opened */
    char error[CURL_ERROR_SIZE];
} http;

/* ---- the request ---- */

static bool list_add(struct curl_slist **list, const char *text) {
    struct curl_slist *longer = curl_slist_append(*list, text);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* `Name:` alone would take a header of curl's own away; what the job says is sent is sent. */
static bool add_header(http *self, const char *header) {
    const char *colon = strchr(header, ':');
    if (colon[1 + strspn(colon + 1, " \t")])
        return list_add(&self->headers, header);
    char *empty = NULL;
    bool done =
        asprintf(&empty, "%.*s;", (int)(colon - header), header) >= 0 && list_add(&self->headers, empty);
    free(empty);
    return done;
}

static bool names_header(const wire_strings *headers, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < headers->count; i++)
        if (strncasecmp(headers->items[i], name, length) == 0 && headers->items[i][length] == ':')
            return true;
    return false;
}

/* No claim about the body's type that the job did not make, and no waiting for a "100 Continue". */
static bool set_headers(http *self) {
    const wire_strings *headers = &self->job->u.http.headers;
    bool done = names_header(headers, "Expect") || list_add(&self->headers, "Expect:");
    done = done && (names_header(headers, "Content-Type") || list_add(&self->headers, "Content-Type:"));
    for (size_t i = 0; done && i < headers->count; i++)
        done = add_header(self, headers->items[i]);
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
    return done;
}

static void set_method(http *self) {
    const wire_bytes *body = &self->job->u.http.body;
    const char *method = http_method(self->job);
    bool has_body = body->length > 0;
    if (has_body || strcmp(method, "POST") == 0) {
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->length);
        curl_easy_setopt(self->easy, CURLOPT_POSTFIELDS, has_body ? (const char *)body->data : "");
        if (strcmp(method, "POST") != 0)
            curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(self->easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, method);
    }
}

static int64_t set_trust(http *self) {
    const char *ca_file = self->job->u.http.ca_file;
    size_t length;
    if (!ca_file || !*ca_file)
        return 0;
    int64_t code = kinds_file_read(self->attempt, "ca", ca_file, CA_MAX_BYTES, &self->ca, &length);
    if (code)
        return code;
    struct curl_blob blob = {.data = self->ca, .len = length, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(self->easy, CURLOPT_CAINFO_BLOB, &blob);
    curl_easy_setopt(self->easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(self->easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
    curl_easy_setopt(self->easy, CURLOPT_PROXY_CAPATH, NULL);
    return 0;
}

static bool set_options(http *self) {
    const wire_job *job = self->job;
    CURL *easy = self->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a look-up that is given up */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, job->u.http.redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)job->u.http.redirects);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "heddle/" HEDDLE_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROXY,
                     job->u.http.proxy ? job->u.http.proxy : ""); /* "": not the environment's */
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");                  /* nor its exceptions */
    if (curl_easy_setopt(easy, CURLOPT_URL, job->u.http.url) != CURLE_OK)
        return false;
    set_method(self);
    return set_headers(self);
}

/* Looks up the name that curl would: the proxy's if there is one, else the server's. */
static int64_t set_address(http *self) {
    const char *proxy = self->job->u.http.proxy;
    http_host host;
    char list[NAMES_LIST_BYTES], *entry = NULL;
    if (!http_url_host(proxy && *proxy ? proxy : self->job->u.http.url, proxy && *proxy, &host))
        return 0;
    int64_t code = names_look_up(host.name, list);
    if (!code) {
        /* +: for a minute, as curl's own */
        bool done = asprintf(&entry, "+%s:%s:%s", host.name, host.port, list) >= 0 &&
                    list_add(&self->addresses, entry);
        free(entry);
        code = done ? 0 : HD_ENOMEM;
        curl_easy_setopt(self->easy, CURLOPT_RESOLVE, self->addresses);
    }
    http_host_free(&host);
    return code;
}

static int64_t request(http *self) {
    self->easy = curl_easy_init();
    if (!self->easy || !set_options(self))
        return HD_ENOMEM;
    int64_t code = set_trust(self);
    if (!code)
        code = set_address(self);
    if (code)
        return code;
    self->transfer = http_transfer_create(self->easy, self->max_bytes);
    if (!self->transfer)
        return HD_ENOMEM;
    self->easy = NULL;
    return http_transfer_start(self->transfer);
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
    if (result->code)
        return hd_fail(KINDS_FAILED, "%s: %s", url,
                       self->error[0] ? self->error : curl_easy_strerror(result->code));
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
    if (!code && !result.code && goes_to_file(self, result.status))
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
    if (self.transfer)
        http_transfer_destroy(self.transfer);
    curl_easy_cleanup(self.easy);
    curl_slist_free_all(self.headers);
    curl_slist_free_all(self.addresses);
    free(self.ca);
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
