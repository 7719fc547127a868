/* http: requests. Their options are the same for all three functions; request takes the method, the URL and the body among
 * them. */
#include "answer.h"
#include "errand.h"
#include "fields.h"
#include "headers.h"
#include "http_url.h"
#include "libraries.h"
#include "operation.h"
#include "script.h"

#include <string.h>

enum { REDIRECTS = 10, REDIRECTS_MAX = 50, WHAT_URL_BYTES = 300, TIMEOUT_SECONDS = 300 };
#define MEMORY_BYTES ((size_t)64 << 20) /* of a script that has no limit of its own */

#define OPTIONS "headers", "timeout", "max_bytes", "follow", "stream", "proxy", "ca"

/* The stack of all three, once they have read their own arguments: what begins errors, the options, the URL and the body (if
 * they are not among the options), and the headers as a list of lines. */
enum { WHAT = 1, TABLE, URL, BODY, HEADERS };

/* ---- options ---------------------------------------------------------------------------------------------------------- */

static void add_header(lua_State *L, const char *name, const char *value, void *what) {
    const char *fault = http_header_fault(name, strlen(name));
    if (fault)
        errand_raise(L, "%s: headers: %s %s", what, name, fault);
    lua_pushfstring(L, *value ? "%s: %s" : "%s:", name, value);
    lua_rawseti(L, HEADERS, (lua_Integer)lua_rawlen(L, HEADERS) + 1);
}

/* Pushes an option; false: it is not set. */
static bool push_option(lua_State *L, const char *name) {
    if (!lua_istable(L, TABLE))
        return false;
    lua_pushstring(L, name);
    return lua_rawget(L, TABLE) != LUA_TNIL;
}

static void read_headers(lua_State *L, http_request *request, const char *what) {
    lua_newtable(L);
    if (!push_option(L, "headers"))
        return;
    headers_each(L, -1, what, add_header, (void *)what);
    size_t count = lua_rawlen(L, HEADERS);
    const char **lines = lua_newuserdatauv(L, (count + 1) * sizeof *lines, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, HEADERS, (lua_Integer)i + 1);
        lines[i] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    request->headers = lines; /* which stays on the stack */
    request->header_count = count;
}

/* How many redirects are followed: a number, or whether at all. */
static unsigned read_follow(lua_State *L, const fields *options) {
    lua_Integer redirects = REDIRECTS;
    if (push_option(L, "follow") && lua_isboolean(L, -1))
        redirects = lua_toboolean(L, -1) ? REDIRECTS : 0;
    else
        fields_integer(options, "follow", 0, REDIRECTS_MAX, &redirects);
    lua_settop(L, BODY);
    return (unsigned)redirects;
}

static void read_options(lua_State *L, const fields *options, http_request *request, bool streams) {
    size_t memory = strand_options(strand_of(L))->memory_bytes;
    lua_Integer most = 0;
    request->redirects = read_follow(L, options);
    request->ca = fields_string(options, "ca", &request->ca_bytes);
    if (request->ca_bytes > HTTP_CA_MAX_BYTES)
        fields_fail(options, "ca", "it has more than %d KiB", HTTP_CA_MAX_BYTES >> 10);
    request->proxy = fields_string(options, "proxy", NULL);
    if (request->proxy && *request->proxy && !http_proxy_is_good(request->proxy))
        fields_fail(options, "proxy", "\"%s\" is not " HTTP_PROXY_FORM, request->proxy);
    if (fields_integer(options, "max_bytes", 0, LUA_MAXINTEGER, &most))
        request->max_bytes = (uint64_t)most;
    else
        request->max_bytes = streams ? UINT64_MAX : memory ? memory : MEMORY_BYTES;
}

/* ---- the request ------------------------------------------------------------------------------------------------------ */

/* "http.get: URL", as the string at WHAT. */
static const char *push_what(lua_State *L, const char *function, const char *url) {
    char shown[WHAT_URL_BYTES];
    http_url_hide_password(url, shown, sizeof shown);
    return lua_pushfstring(L, "%s: %s", function, shown);
}

static void check(lua_State *L, const http_request *request, const char *what) {
    char fault[HTTP_FAULT_BYTES];
    const char *method = request->method;
    if (!http_url_is_good(request->url, fault))
        errand_raise(L, "%s: it %s", what, fault);
    if (!http_method_is_good(method))
        errand_raise(L, "%s: \"%s\" is not a method (such as GET, PUT, DELETE)", what, method);
    if (request->body_bytes > 0 && strcmp(method, "HEAD") == 0)
        errand_raise(L, "%s: HEAD takes no body", what);
}

/* Their strings stay where they are, whatever the script does to its table meanwhile. */
static void hold_options(lua_State *L) {
    static const char *const strings[] = {"url", "method", "body", "proxy", "ca"};
    luaL_checkstack(L, 16, NULL);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        (void)push_option(L, strings[i]);
}

/* Stack: as far as BODY. */
static int ask(lua_State *L, const fields *options, http_request *request) {
    const char *what = lua_tostring(L, WHAT);
    lua_Number timeout = TIMEOUT_SECONDS;
    bool streams = fields_flag(options, "stream");
    fields_number(options, "timeout", 0, 1e9, &timeout);
    read_options(L, options, request, streams);
    check(L, request, what);
    read_headers(L, request, what);
    request->copy_body = true;
    hold_options(L);
    return answer_await(L, request, what, streams, timeout > 0 ? (uint64_t)(timeout * 1e9) : HD_NEVER);
}

/* Stack: URL, perhaps the body, the options. */
static void arrange(lua_State *L, const char *function, const char *url) {
    push_what(L, function, url);
    lua_insert(L, WHAT);
    lua_rotate(L, TABLE, 1);
    lua_settop(L, BODY);
}

/* http.get(url [, options]) */
static int http_get(lua_State *L) {
    static const char *const known[] = {OPTIONS, NULL};
    http_request request = {.url = fields_text(L, 1), .method = "GET"};
    lua_settop(L, 2);
    arrange(L, "http.get", request.url);
    fields options = fields_of(L, TABLE, "http.get", known);
    return ask(L, &options, &request);
}

/* http.post(url, body [, options]) */
static int http_post(lua_State *L) {
    static const char *const known[] = {OPTIONS, NULL};
    http_request request = {.url = fields_text(L, 1), .method = "POST"};
    request.body = luaL_checklstring(L, 2, &request.body_bytes);
    lua_settop(L, 3);
    arrange(L, "http.post", request.url);
    fields options = fields_of(L, TABLE, "http.post", known);
    return ask(L, &options, &request);
}

/* http.request{url =, method =, body =, ...} */
static int http_request_function(lua_State *L) {
    static const char *const known[] = {"url", "method", "body", OPTIONS, NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    fields options = fields_of(L, 1, "http.request", known);
    http_request request = {.url = fields_string(&options, "url", NULL)};
    request.method = fields_string(&options, "method", NULL);
    request.body = fields_string(&options, "body", &request.body_bytes);
    if (!request.url)
        fields_fail(&options, "url", "it is missing");
    if (!request.method)
        request.method = request.body ? "POST" : "GET";
    lua_settop(L, 1);
    push_what(L, "http.request", request.url);
    lua_insert(L, WHAT);
    lua_settop(L, BODY);
    options.table = TABLE;
    return ask(L, &options, &request);
}

void http_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"get", http_get}, {"post", http_post}, {"request", http_request_function}, {NULL, NULL}};
    headers_open(L);
    answer_open(L);
    luaL_newlib(L, functions);
    lua_setglobal(L, "http");
}
