#include "daemon/control/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "daemon/control/gather.h"

/* Scrapers and people: a few at a time, and none that dawdles. */
#define MOST_CONNECTIONS 64
#define TIMEOUT_S 10
#define CONNECTION_BYTES (32u << 10)

struct sw_http {
    struct MHD_Daemon *daemon;
    struct sw_engine *engine;
    const char *version;
    atomic_bool stopping;
};

struct page {
    const char *path, *type;
    /* The body, malloc'ed, and *code. NULL: no memory. */
    char *(*body)(struct sw_http *http, size_t *len, unsigned *code);
};

static char *metrics_body(struct sw_http *http, size_t *len, unsigned *code)
{
    struct sw_gathered all;
    char *text = NULL;
    FILE *to = open_memstream(&text, len);

    (void)code;
    if (!to)
        return NULL;
    sw_gather(http->engine, http->version, &all);
    sw_metrics_openmetrics(&all.metrics, to);
    sw_gather_release(&all);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

static char *json_body(struct sw_http *http, size_t *len, unsigned *code)
{
    struct sw_gathered all;

    (void)code;
    sw_gather(http->engine, http->version, &all);
    char *text = sw_metrics_json(&all.metrics);
    sw_gather_release(&all);
    *len = text ? strlen(text) : 0;
    return text;
}

static char *health_body(struct sw_http *http, size_t *len, unsigned *code)
{
    const char *text = http->stopping ? "shutting down\n" : "ok\n";

    *code = http->stopping ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    *len = strlen(text);
    return strdup(text);
}

static const struct page pages[] = {
    {"/metrics", SW_OPENMETRICS_TYPE, metrics_body},
    {"/stats.json", "application/json", json_body},
    {"/healthz", "text/plain; charset=utf-8", health_body},
};

/* Takes the body. */
static enum MHD_Result respond(struct MHD_Connection *to, unsigned code, const char *type, char *body, size_t len)
{
    struct MHD_Response *response = body ? MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!response) {
        free(body);
        return MHD_NO; /* which closes the connection */
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(to, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *to, unsigned code, const char *text)
{
    return respond(to, code, "text/plain; charset=utf-8", strdup(text), strlen(text));
}

static enum MHD_Result answer(void *user, struct MHD_Connection *to, const char *path, const char *method,
                              const char *http_version, const char *upload, size_t *upload_len, void **state)
{
    struct sw_http *http = user;

    (void)http_version;
    (void)upload;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(to, MHD_HTTP_METHOD_NOT_ALLOWED, "these pages can only be read: use GET\n");
    /* Called first for the head and then for each part of a body, which nobody asked for. */
    bool head_only = *state == NULL;
    *state = http;
    if (head_only || *upload_len > 0) {
        *upload_len = 0;
        return MHD_YES;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(path, pages[i].path) == 0) {
            unsigned code = MHD_HTTP_OK;
            size_t len = 0;
            char *body = pages[i].body(http, &len, &code);
            return respond(to, code, pages[i].type, body, len);
        }
    return refuse(to, MHD_HTTP_NOT_FOUND, "there are /metrics, /stats.json and /healthz\n");
}

static int parse_address(const char *host, uint16_t port, struct sockaddr_storage *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return 0;
    }
    return SW_INVALID;
}

int sw_http_start(struct sw_engine *engine, const struct sw_http_options *options, struct sw_http **out)
{
    struct sockaddr_storage address;
    struct sw_http *http = calloc(1, sizeof *http);
    int rc = http ? parse_address(options->host, options->port, &address) : SW_NO_MEMORY;

    if (rc < 0)
        goto out;
    http->engine = engine;
    http->version = options->version;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    errno = 0;
    http->daemon =
        MHD_start_daemon(flags, options->port, NULL, NULL, answer, http, MHD_OPTION_SOCK_ADDR, &address,
                         MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_END);
    if (!http->daemon) {
        rc = errno ? -errno : SW_INTERNAL;
        goto out;
    }
    *out = http;
    http = NULL;

out:
    free(http);
    return rc;
}

uint16_t sw_http_port(const struct sw_http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void sw_http_stop(struct sw_http *http)
{
    if (http)
        http->stopping = true;
}

void sw_http_finish(struct sw_http *http)
{
    if (!http)
        return;
    MHD_stop_daemon(http->daemon);
    free(http);
}
