/* One REP socket. A request that shall have no answer is dropped: the next receive forgets it. */
#include "helpers.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fake_service {
    nng_socket socket;
    pthread_t thread;
    fake_answer *answer;
    void *arg;
    char folder[64], url[96];
    bool dead;
};

static void *serve(void *arg) {
    struct fake_service *service = arg;
    nng_msg *message;
    while (nng_recvmsg(service->socket, &message, 0) == 0) {
        wire_code code;
        char error[256];
        wire_request *request =
            wire_request_decode(nng_msg_body(message), nng_msg_len(message), &code, error, sizeof error);
        wire_reply reply = {.code = code, .error = error};
        bool answered = true;
        if (request != NULL) {
            reply = (wire_reply){.verb = request->verb, .error = ""};
            answered = service->answer(request, &reply, service->arg);
        }
        size_t length;
        uint8_t *bytes = wire_reply_encode(&reply, &length);
        wire_request_free(request);
        nng_msg_clear(message);
        nng_msg_append(message, bytes, length);
        free(bytes);
        if (!answered || nng_sendmsg(service->socket, message, 0) != 0)
            nng_msg_free(message);
    }
    return NULL;
}

struct fake_service *fake_service_start(fake_answer *answer, void *arg) {
    struct fake_service *service = calloc(1, sizeof *service);
    service->answer = answer;
    service->arg = arg;
    snprintf(service->folder, sizeof service->folder, "/tmp/heddle-test-XXXXXX");
    if (mkdtemp(service->folder) == NULL)
        abort();
    snprintf(service->url, sizeof service->url, "ipc://%s/sock", service->folder);
    if (nng_rep0_open(&service->socket) != 0 || nng_listen(service->socket, service->url, NULL, 0) != 0 ||
        pthread_create(&service->thread, NULL, serve, service) != 0)
        abort();
    return service;
}

const char *fake_service_url(const struct fake_service *service) {
    return service->url;
}

void fake_service_kill(struct fake_service *service) {
    if (service->dead)
        return;
    service->dead = true;
    nng_close(service->socket);
    pthread_join(service->thread, NULL);
}

void fake_service_stop(struct fake_service *service) {
    fake_service_kill(service);
    unlink(service->url + sizeof "ipc://" - 1);
    rmdir(service->folder);
    free(service);
}
