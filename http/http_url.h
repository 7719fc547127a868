/* URLs and header names, before anything is asked for. Any thread.
 *
 * URLs are taken apart by libcurl's own parser, so that what is checked is what is asked for later. */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_FAULT_BYTES = 128 };

/* Is it a URL of http or https? If not, `fault` is what is wrong with it: "is not http:// or https://". */
bool http_url_is_good(const char *url, char fault[HTTP_FAULT_BYTES]);

/* Is it the URL of a proxy? */
bool http_proxy_is_good(const char *url);
#define HTTP_PROXY_FORM "http://HOST:PORT (or https://, socks5://, socks5h://)"

/* The URL without its password, cut at `bytes`. */
void http_url_hide_password(const char *url, char *text, size_t bytes);

/* What HTTP calls a token: methods and names of headers are. */
bool http_is_token(const char *text, size_t length);

/* Is it a method of requests? CONNECT is not: what comes behind it is no answer any more. */
bool http_method_is_good(const char *method);

/* Why a request may not name this header, though it is in good form; NULL: it may. Connections are kept, and used by all: where
 * a message ends on them is not for a request to say. */
const char *http_header_fault(const char *name, size_t length);

/* A host whose name is to be looked up, in the form in which that is done (xn--...), and its port. */
typedef struct http_host {
    char *name;
    char port[8];
} http_host;

/* False if there is nothing to look up: a number, this very machine, or nothing that is understood here (then curl
 * says what is wrong). The caller frees. */
bool http_url_host(const char *url, bool is_proxy, http_host *host);
void http_host_free(http_host *host);

/* Is it a proxy that is told the server's address, and not its name? */
bool http_proxy_takes_addresses(const char *url);

#endif
