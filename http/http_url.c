#include "http_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static bool starts_with(const char *text, const char *start) {
    return strncasecmp(text, start, strlen(start)) == 0;
}

bool http_url_is_good(const char *url, char fault[HTTP_FAULT_BYTES]) {
    if (!starts_with(url, "http://") && !starts_with(url, "https://")) {
        snprintf(fault, HTTP_FAULT_BYTES, "is not http:// or https://");
        return false;
    }
    CURLU *parsed = curl_url();
    CURLUcode code = parsed ? curl_url_set(parsed, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    curl_url_cleanup(parsed);
    if (code)
        snprintf(fault, HTTP_FAULT_BYTES, "is not a URL: %s", curl_url_strerror(code));
    return !code;
}

bool http_proxy_is_good(const char *url) {
    static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (starts_with(url, schemes[i]) && url[strlen(schemes[i])])
            return true;
    return false;
}

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

bool http_is_token(const char *text, size_t length) {
    static const char token[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
    return length > 0 && strspn(text, token) >= length;
}

bool http_method_is_good(const char *method) {
    return http_is_token(method, strlen(method)) && strcasecmp(method, "CONNECT") != 0;
}

const char *http_header_fault(const char *name, size_t length) {
    static const char length_fault[] = "cannot be set: it follows from the body";
    static const char connection_fault[] = "cannot be set: connections are shared with other requests";
    static const struct {
        const char *name, *fault;
    } refused[] = {
        {"Content-Length", length_fault},       {"Transfer-Encoding", length_fault},
        {"Trailer", length_fault},              {"TE", connection_fault},
        {"Connection", connection_fault},       {"Keep-Alive", connection_fault},
        {"Proxy-Connection", connection_fault}, {"Upgrade", connection_fault},
        {"HTTP2-Settings", connection_fault},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strlen(refused[i].name) == length && strncasecmp(refused[i].name, name, length) == 0)
            return refused[i].fault;
    return NULL;
}

/* ---- whose address is needed? ---- */

static bool needs_look_up(const char *name) {
    unsigned char address[sizeof(struct in6_addr)];
    size_t length = strlen(name);
    bool local = strcasecmp(name, "localhost") == 0 ||
                 (length > 10 && strcasecmp(name + length - 10, ".localhost") == 0);
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
    bool has_name = parsed && !curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) &&
                    !curl_url_get(parsed, CURLUPART_HOST, &host->name, CURLU_PUNYCODE);
    if (has_name && needs_look_up(host->name)) {
        curl_url_get(parsed, CURLUPART_PORT, &port, 0);
        snprintf(host->port, sizeof host->port, "%s", port ? port : default_port(url, is_proxy));
    } else {
        http_host_free(host);
    }
    curl_free(port);
    curl_url_cleanup(parsed);
    return host->name != NULL;
}

bool http_proxy_takes_addresses(const char *url) {
    return starts_with(url, "socks5://");
}

void http_host_free(http_host *host) {
    curl_free(host->name);
    host->name = NULL;
}
