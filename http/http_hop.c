/* From one server to the next: redirects are followed here, and the names of hosts are looked up for libcurl.
 *
 * Libcurl would look up each name with a thread of its own (see http_names.c). So it is given the addresses of all that a hop
 * needs, and refused what it would look up besides. It cannot wait for the name that a redirect brings; hence each hop is a
 * request of its own to it.
 *
 * The rules are those of browsers: after 303, and after 301 and 302 for a POST, a GET without a body follows; and what is
 * meant for one origin (the URL's password, and the headers below) is not sent to another. */
#include "http_driver.h"

#include "http_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Libcurl keeps the addresses that it is given for a minute. */
#define GIVEN_NS HD_SECONDS(30)

/* ---- look-ups; the transfer's task ------------------------------------------------------------------------------------ */

static int add_addresses(const http_host *host, struct curl_slist **addresses, char *error, size_t bytes) {
    char list[HTTP_NAMES_BYTES], *entry = NULL;
    int code = host->name ? http_names_look_up(host->name, list, error, bytes) : 0;
    if (code || !host->name)
        return code;
    /* +: for a minute, as curl's own */
    if (asprintf(&entry, "+%s:%s:%s", host->name, host->port, list) < 0)
        return HD_ENOMEM;
    struct curl_slist *longer = curl_slist_append(*addresses, entry);
    free(entry);
    if (longer)
        *addresses = longer;
    return longer ? 0 : HD_ENOMEM;
}

int http_hop_look_up(http_transfer *self, struct curl_slist **addresses, char *error, size_t bytes) {
    int code = add_addresses(&self->proxy, addresses, error, bytes);
    return code ? code : add_addresses(&self->server, addresses, error, bytes);
}

void http_hop_set_addresses(http_transfer *self, struct curl_slist *addresses) {
    curl_easy_setopt(self->easy, CURLOPT_RESOLVE, addresses);
    curl_slist_free_all(self->addresses);
    self->addresses = addresses;
    self->looked_up_ns = hd_now();
}

/* Under the mutex. */
static void go_on(http_transfer *self, struct curl_slist *addresses) {
    http_hop_set_addresses(self, addresses);
    self->between = false;
    http_driver_order(self, HTTP_START);
}

static void lose(http_transfer *self, int code, const char *error) {
    snprintf(self->error, sizeof self->error, "%s", *error ? error : hd_strerror(code));
    self->between = false;
    http_driver_order(self, HTTP_LOST);
}

int http_hop(http_transfer *self) {
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *addresses = NULL;
    int code = http_hop_look_up(self, &addresses, error, sizeof error);
    pthread_mutex_lock(&self->driver->mutex);
    bool wanted = self->between && !self->ended && !self->broken_off;
    self->looks_up = false;
    if (wanted && code == 0)
        go_on(self, addresses);
    else if (wanted && code != HD_ECANCELED)
        lose(self, code, error);
    pthread_mutex_unlock(&self->driver->mutex);
    if (!wanted || code)
        curl_slist_free_all(addresses);
    if (code == HD_ECANCELED)
        hd_event_set(self->news); /* another task may wait, too */
    return code == HD_ECANCELED ? code : 0;
}

/* ---- where to; the driver's task -------------------------------------------------------------------------------------- */

static bool part_is_same(CURLU *one, CURLU *other, CURLUPart part) {
    char *mine = NULL, *theirs = NULL;
    curl_url_get(one, part, &mine, CURLU_DEFAULT_PORT);
    curl_url_get(other, part, &theirs, CURLU_DEFAULT_PORT);
    bool same = mine && theirs && strcasecmp(mine, theirs) == 0;
    curl_free(mine);
    curl_free(theirs);
    return same;
}

static bool origin_is_same(CURLU *one, CURLU *other) {
    return part_is_same(one, other, CURLUPART_SCHEME) && part_is_same(one, other, CURLUPART_HOST) &&
           part_is_same(one, other, CURLUPART_PORT);
}

static void copy_part(CURLU *to, CURLU *from, CURLUPart part) {
    char *text = NULL;
    if (!curl_url_get(from, part, &text, 0))
        curl_url_set(to, part, text, 0);
    curl_free(text);
}

/* A redirect may bring a name and a password of its own. */
static void keep_password(CURLU *to, CURLU *from) {
    char *user = NULL;
    if (curl_url_get(to, CURLUPART_USER, &user, 0) == CURLUE_NO_USER) {
        copy_part(to, from, CURLUPART_USER);
        copy_part(to, from, CURLUPART_PASSWORD);
    }
    curl_free(user);
}

static const char *const for_one_origin[] = {"Authorization", "Cookie", "Host", NULL};
static const char *const of_the_body[] = {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location",
                                          NULL};

static bool is_among(const char *header, const char *const names[]) {
    size_t length = strcspn(header, ":;");
    for (; *names; names++)
        if (strlen(*names) == length && strncasecmp(*names, header, length) == 0)
            return true;
    return false;
}

static void drop_headers(http_transfer *self, const char *const names[]) {
    for (struct curl_slist **link = &self->headers; *link;) {
        struct curl_slist *header = *link;
        if (is_among(header->data, names)) {
            *link = header->next;
            header->next = NULL;
            curl_slist_free_all(header);
        } else {
            link = &header->next;
        }
    }
    curl_easy_setopt(self->easy, CURLOPT_HTTPHEADER, self->headers);
}

/* Sets the URL of the next hop. */
static bool turn_to(http_transfer *self, CURLU *from, CURLU *to) {
    char *url = NULL, fault[HTTP_FAULT_BYTES], shown[100];
    if (origin_is_same(from, to))
        keep_password(to, from);
    else
        drop_headers(self, for_one_origin);
    if (curl_url_get(to, CURLUPART_URL, &url, 0))
        return false;
    bool good = http_url_is_good(url, fault);
    http_url_hide_password(url, shown, sizeof shown);
    if (!good)
        snprintf(self->error, sizeof self->error, "it redirects to %s, which %s", shown, fault);
    good = good && !curl_easy_setopt(self->easy, CURLOPT_URL, url);
    http_host_free(&self->server);
    if (good && self->needs_server)
        (void)http_url_host(url, false, &self->server);
    curl_free(url);
    return good;
}

static bool find_next(http_transfer *self) {
    char *here = NULL, *next = NULL;
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &here);
    curl_easy_getinfo(self->easy, CURLINFO_REDIRECT_URL, &next);
    snprintf(self->error, sizeof self->error, "the URL that it redirects to is none");
    CURLU *from = curl_url(), *to = curl_url();
    bool found = from && to && here && next && !curl_url_set(from, CURLUPART_URL, here, CURLU_ALLOW_SPACE) &&
                 !curl_url_set(to, CURLUPART_URL, next, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE) &&
                 turn_to(self, from, to);
    curl_url_cleanup(from);
    curl_url_cleanup(to);
    return found;
}

static void choose_method(http_transfer *self) {
    const char *method = "";
    long status = self->head_status;
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_METHOD, &method);
    bool becomes_get = status == 303 ? strcmp(method, "HEAD") != 0
                                     : (status == 301 || status == 302) && strcmp(method, "POST") == 0;
    if (!becomes_get)
        return;
    curl_easy_setopt(self->easy, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(self->easy, CURLOPT_HTTPGET, 1L);
    drop_headers(self, of_the_body);
}

static bool redirect(http_transfer *self) {
    if (self->followed == self->redirects) {
        snprintf(self->error, sizeof self->error, "Maximum (%u) redirects followed", self->redirects);
        return false;
    }
    choose_method(self);
    self->followed++;
    return find_next(self);
}

/* It waited for a connection until libcurl had forgotten the addresses. Nothing was sent, so the same hop begins again. */
static bool is_to_look_up_again(const http_transfer *self) {
    return self->name_is_refused && hd_now() > self->looked_up_ns + GIVEN_NS;
}

bool http_hop_is_followed(http_transfer *self, CURLcode code) {
    bool followed = code ? is_to_look_up_again(self) : self->is_redirect && redirect(self);
    if (!followed)
        return false;
    self->name_is_refused = self->is_redirect = false;
    self->error[0] = '\0';
    pthread_mutex_lock(&self->driver->mutex);
    self->between = true;
    pthread_mutex_unlock(&self->driver->mutex);
    http_driver_tell(self);
    return true;
}

/* Libcurl asks for numbers, too, which it needs not look up. */
int http_hop_refuse_name(void *state, void *reserved, void *arg) {
    http_transfer *self = arg;
    (void)state, (void)reserved;
    self->name_is_refused = (!self->by_proxy || self->proxy.name) && (!self->needs_server || self->server.name);
    return self->name_is_refused;
}
