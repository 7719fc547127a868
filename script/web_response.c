/* The body of an answer is the script's string, which is held until it has been sent. */
#include "web_response.h"

#include "fields.h"
#include "headers.h"

#include <lauxlib.h>
#include <string.h>

#define TEXT "text/plain; charset=utf-8"

void response_drop(exchange *self) {
    lua_State *L = self->server->L;
    if (self->response)
        MHD_destroy_response(self->response);
    if (self->anchor > 0 && L)
        luaL_unref(L, LUA_REGISTRYINDEX, self->anchor);
    self->response = NULL;
    self->anchor = 0;
}

void response_refuse(exchange *self, unsigned status, const char *text) {
    response_drop(self);
    self->status = status;
    self->response = MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
    if (self->response)
        MHD_add_response_header(self->response, MHD_HTTP_HEADER_CONTENT_TYPE, TEXT);
}

/* With the body at `index`: a string, or nil for none. */
static void create(exchange *self, lua_State *L, unsigned status, int index) {
    size_t length = 0;
    const char *body = "";
    if (!lua_isnil(L, index)) {
        body = lua_tolstring(L, index, &length);
        lua_pushvalue(L, index);
        self->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    self->status = status;
    self->response = MHD_create_response_from_buffer(length, (void *)body, MHD_RESPMEM_PERSISTENT);
    if (!self->response)
        luaL_error(L, "not enough memory");
}

/* ---- of a table ------------------------------------------------------------------------------------------------------- */

static unsigned read_status(lua_State *L, int index) {
    int is_integer;
    lua_pushliteral(L, "status");
    if (lua_rawget(L, index) == LUA_TNIL)
        return 200;
    lua_Integer status = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || status < 200 || status > 599)
        luaL_error(L, "serve: status: %s is not one from 200 to 599", luaL_tolstring(L, -1, NULL));
    return (unsigned)status;
}

static void add_header(lua_State *L, const char *name, const char *value, void *arg) {
    exchange *self = arg;
    /* The server knows better. */
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
        strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0)
        return;
    if (MHD_add_response_header(self->response, name, value) != MHD_YES)
        luaL_error(L, "serve: headers: %s: \"%s\" is not possible here", name, value);
}

static void build_of_table(exchange *self, lua_State *L, int index) {
    static const char *const known[] = {"status", "headers", "body", NULL};
    fields_of(L, index, "serve", known);
    unsigned status = read_status(L, index);
    lua_pushliteral(L, "body");
    int type = lua_rawget(L, index);
    if (type != LUA_TNIL && type != LUA_TSTRING && type != LUA_TNUMBER)
        luaL_error(L, "serve: body: a string was expected, and not a %s", lua_typename(L, type));
    create(self, L, status, lua_gettop(L));
    lua_pushliteral(L, "headers");
    if (lua_rawget(L, index) != LUA_TNIL)
        headers_each(L, -1, "serve", add_header, self);
    if (type != LUA_TNIL && !MHD_get_response_header(self->response, MHD_HTTP_HEADER_CONTENT_TYPE))
        MHD_add_response_header(self->response, MHD_HTTP_HEADER_CONTENT_TYPE, TEXT);
}

void response_build(exchange *self, lua_State *L, int index) {
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        create(self, L, 200, index);
        MHD_add_response_header(self->response, MHD_HTTP_HEADER_CONTENT_TYPE, TEXT);
        return;
    case LUA_TNIL: create(self, L, 204, index); return;
    case LUA_TTABLE: build_of_table(self, L, index); return;
    default:
        luaL_error(L, "serve: the handler returned a %s, and not a string, a table or nil", luaL_typename(L, index));
    }
}
