/* From a request to libcurl's options for it. */
#include "http_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HEDDLE_VERSION
#    define HEDDLE_VERSION "unknown"
#endif

/* A list of libcurl's that is made from its end, which curl_slist_append looks for each time. */
typedef struct strings {
    struct curl_slist *first, *last;
} strings;

static bool strings_add(strings *self, const char *text) {
    struct curl_slist *added = curl_slist_append(NULL, text);
    if (added)
        *(self->last ? &self->last->next : &self->first) = added;
    self->last = added;
    return added != NULL;
}

/* `Name:` alone would take a header of curl's own away; what the request says is sent is sent. */
static bool add_header(strings *headers, const char *header) {
    const char *colon = strchr(header, ':');
    if (colon[1 + strspn(colon + 1, " \t")])
        return strings_add(headers, header);
    char *empty = NULL;
    bool done = asprintf(&empty, "%.*s;", (int)(colon - header), header) >= 0 && strings_add(headers, empty);
    free(empty);
    return done;
}

static bool names_header(const http_request *request, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; i < request->header_count; i++)
        if (strncasecmp(request->headers[i], name, length) == 0 && request->headers[i][length] == ':')
            return true;
    return false;
}

/* No claim about the body's type that the request did not make, and no waiting for a "100 Continue". */
static bool set_headers(http_transfer *self, const http_request *request) {
    strings headers = {NULL, NULL};
    bool done = names_header(request, "Expect") || strings_add(&headers, "Expect:");
    done = done && (names_header(request, "Content-Type") || strings_add(&headers, "Content-Type:"));
    for (size_t i = 0; done && i < request->header_count; i++)
        done = add_header(&headers, request->headers[i]);
    self->headers = headers.first;
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
    return done;
}

/* False: no memory. */
static bool set_body(CURL *easy, const http_request *request) {
    const char *body = request->body_bytes > 0 ? request->body : "";
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    return curl_easy_setopt(easy, request->copy_body ? CURLOPT_COPYPOSTFIELDS : CURLOPT_POSTFIELDS, body) ==
           CURLE_OK;
}

static bool set_method(CURL *easy, const http_request *request) {
    bool has_body = request->body_bytes > 0, done = true;
    const char *method = request->method && *request->method ? request->method : has_body ? "POST" : "GET";
    if (has_body || strcmp(method, "POST") == 0) {
        done = set_body(easy, request);
        if (strcmp(method, "POST") != 0)
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    } else if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    return done;
}

static bool set_trust(CURL *easy, const http_request *request) {
    struct curl_blob blob = {
        .data = (void *)request->ca, .len = request->ca_bytes, .flags = CURL_BLOB_COPY};
    if (!request->ca)
        return true;
    bool done = !curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) &&
                !curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &blob);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    return done;
}

static void set_answer(http_transfer *self) {
    CURL *easy = self->easy;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, self);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, http_transfer_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, http_transfer_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, self);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, self->error);
}

bool http_request_set(http_transfer *self, const http_request *request) {
    CURL *easy = self->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* never wait for a look-up that is given up */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, http_hop_refuse_name);
    curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, self);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "heddle/" HEDDLE_VERSION);
    /* "": not the environment's, nor its exceptions */
    curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    set_answer(self);
    return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK && set_method(easy, request) &&
           set_trust(easy, request) && set_headers(self, request);
}
