/* What an http job asks for: is it good, and how is it shown.
 *
 * URLs are taken apart by libcurl's own parser, so that what is checked is what is asked for later. */
#include "http_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
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

static bool starts_with(const char *text, const char *start) {
    return strncasecmp(text, start, strlen(start)) == 0;
}

static bool check_url(const char *url, char *error, size_t error_bytes) {
    if (!starts_with(url, "http://") && !starts_with(url, "https://"))
        return kinds_refuse(error, error_bytes, "url", url, "is not http:// or https://");
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(parsed);
    if (code)
        return kinds_refuse(error, error_bytes, "url", url, "is not a URL: %s", curl_url_strerror(code));
    return true;
}

static bool is_token(const char *text, size_t length) {
    static const char token[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    return length > 0 && strspn(text, token) >= length;
}

static bool check_headers(const wire_strings *headers, char *error, size_t error_bytes) {
    for (size_t i = 0; i < headers->count; i++) {
        const char *header = headers->items[i], *colon = strchr(header, ':');
        if (!colon || !is_token(header, (size_t)(colon - header)))
            return kinds_refuse(error, error_bytes, "header", header, "is not \"Name: value\"");
        if (strpbrk(header, "\r\n"))
            return kinds_refuse(error, error_bytes, "header", header, "has a line break in it");
    }
    return true;
}

static bool check_proxy(const char *proxy, char *error, size_t error_bytes) {
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    if (!proxy || !*proxy)
        return true;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (starts_with(proxy, schemes[i]) && proxy[strlen(schemes[i])])
            return true;
    return kinds_refuse(error, error_bytes, "proxy", proxy,
                        "is not http://HOST:PORT (or https://, socks5://, socks5h://)");
}

bool http_check(const wire_job *job, char *error, size_t error_bytes) {
    const char *method = http_method(job);
    char number[16];
    if (!check_url(job->u.http.url ? job->u.http.url : "", error, error_bytes))
        return false;
    if (!is_token(method, strlen(method)))
        return kinds_refuse(error, error_bytes, "method", method,
                            "is not a method (such as GET, PUT, DELETE)");
    if (job->u.http.body.length > 0 && (strcmp(method, "HEAD") == 0 || strcmp(method, "CONNECT") == 0))
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

void http_url_hide_password(const char *url, char *text, size_t bytes) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    size_t authority = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', authority);
    const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
    if (colon)
        snprintf(text, bytes, "%.*s:***%s", (int)(colon - url), url, at);
    else
        snprintf(text, bytes, "%s", url);
}

void http_url_shown(const char *url, char *text, size_t bytes) {
    char hidden[512];
    http_url_hide_password(url, hidden, sizeof hidden);
    kinds_line line = kinds_line_in(text, bytes);
    kinds_line_word(&line, hidden);
}

/* ---- whose address is needed? ---- */

static bool needs_look_up(const char *name) {
    unsigned char address[sizeof(struct in6_addr)];
    size_t length = strlen(name);
    bool local = strcasecmp(name, "localhost") == 0 ||
                 (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0);
    for (size_t i = 0; i < length; i++)
        if (name[i] & 0x80) /* an international name: curl knows its ASCII form */
            return false;
    return name[0] != '[' && !local && inet_pton(AF_INET, name, address) != 1;
}

/* Curl's own: without a port a proxy is asked at 1080, one with TLS at 443. */
static const char *default_port(const char *url, bool is_proxy) {
    if (starts_with(url, "https://"))
        return "443";
    return is_proxy ? "1080" : "80";
}

bool http_url_host(const char *url, bool is_proxy, http_host *host) {
    char *port = NULL;
    *host = (http_host){.name = NULL};
    CURLU *parsed = curl_url();
    if (parsed && !curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME))
        curl_url_get(parsed, CURLUPART_HOST, &host->name, 0);
    if (host->name && needs_look_up(host->name)) {
        curl_url_get(parsed, CURLUPART_PORT, &port, 0);
        snprintf(host->port, sizeof host->port, "%s", port ? port : default_port(url, is_proxy));
    } else {
        http_host_free(host);
    }
    curl_free(port);
    curl_url_cleanup(parsed);
    return host->name != NULL;
}

void http_host_free(http_host *host) {
    curl_free(host->name);
    host->name = NULL;
}
