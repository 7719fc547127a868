/* What an http job asks for: is it good, and how is it shown. */
#include "http_check.h"

#include "http_url.h"

#include <stdio.h>
#include <string.h>

enum { REDIRECTS_MAX = 50 };

const char *http_method(const wire_job *job) {
    const char *method = job->u.http.method;
    if (method && *method)
        return method;
    return job->u.http.body.length > 0 ? "POST" : "GET";
}

/* ---- is it good? ---- */

static bool check_url(const char *url, char *error, size_t error_bytes) {
    char fault[HTTP_FAULT_BYTES];
    return http_url_is_good(url, fault) || kinds_refuse(error, error_bytes, "url", url, "%s", fault);
}

static bool check_headers(const wire_strings *headers, char *error, size_t error_bytes) {
    for (size_t i = 0; i < headers->count; i++) {
        const char *header = headers->items[i], *colon = strchr(header, ':');
        if (!colon || !http_is_token(header, (size_t)(colon - header)))
            return kinds_refuse(error, error_bytes, "header", header, "is not \"Name: value\"");
        if (strpbrk(header, "\r\n"))
            return kinds_refuse(error, error_bytes, "header", header, "has a line break in it");
        const char *fault = http_header_fault(header, (size_t)(colon - header));
        if (fault)
            return kinds_refuse(error, error_bytes, "header", header, "%s", fault);
    }
    return true;
}

static bool check_proxy(const char *proxy, char *error, size_t error_bytes) {
    return !proxy || !*proxy || http_proxy_is_good(proxy) ||
           kinds_refuse(error, error_bytes, "proxy", proxy, "is not " HTTP_PROXY_FORM);
}

bool http_check(const wire_job *job, char *error, size_t error_bytes) {
    const char *method = http_method(job);
    char number[16];
    if (!check_url(job->u.http.url ? job->u.http.url : "", error, error_bytes))
        return false;
    if (!http_method_is_good(method))
        return kinds_refuse(error, error_bytes, "method", method,
                            "is not a method (such as GET, PUT, DELETE)");
    if (job->u.http.body.length > 0 && strcmp(method, "HEAD") == 0)
        return kinds_refuse(error, error_bytes, "method", method, "takes no body");
    snprintf(number, sizeof number, "%u", (unsigned)job->u.http.expect);
    if (job->u.http.expect && (job->u.http.expect < 200 || job->u.http.expect > 599))
        return kinds_refuse(error, error_bytes, "expect", number, "is not a final HTTP status (200 to 599)");
    snprintf(number, sizeof number, "%u", (unsigned)job->u.http.redirects);
    if (job->u.http.redirects > REDIRECTS_MAX)
        return kinds_refuse(error, error_bytes, "redirects", number, "is more than %d", REDIRECTS_MAX);
    return check_headers(&job->u.http.headers, error, error_bytes) &&
           check_proxy(job->u.http.proxy, error, error_bytes);
}

/* ---- how is it shown? ---- */

void http_url_shown(const char *url, char *text, size_t bytes) {
    char hidden[512];
    http_url_hide_password(url, hidden, sizeof hidden);
    kinds_line line = kinds_line_in(text, bytes);
    kinds_line_word(&line, hidden);
}
