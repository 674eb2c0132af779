#include "client/src/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/src/error.h"
#include "client/src/lookup.h"

#define SOCKET_IN_RUNTIME_DIR "spillway/spillway.sock"
#define SYSTEM_SOCKET "/run/spillway/spillway.sock"
#define HOST_BYTES 256

/* unix:$XDG_RUNTIME_DIR/..., unless only the system's socket is there. */
static void default_text(char *text, size_t cap)
{
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

    snprintf(text, cap, "unix:%s", SYSTEM_SOCKET);
    if (!runtime_dir || !*runtime_dir)
        return;

    char own[SW_ENDPOINT_TEXT_BYTES];
    int n = snprintf(own, sizeof own, "unix:%s/%s", runtime_dir, SOCKET_IN_RUNTIME_DIR);
    if (n < 0 || (size_t)n >= sizeof own)
        return;
    if (access(own + strlen("unix:"), F_OK) == 0 || access(SYSTEM_SOCKET, F_OK) != 0)
        snprintf(text, cap, "%s", own);
}

static int parse_unix(const char *path, struct sw_endpoint *e, struct sw_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);

    if (len == 0)
        return sw_error_set(err, SW_ENDPOINT, "%s names no path: write unix:/path/to/socket", e->text);
    if (len >= sizeof address.sun_path)
        return sw_error_set(err, SW_ENDPOINT, "the socket path of %s has %zu bytes; the system allows %zu", e->text,
                            len, sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, len + 1);
    memcpy(&e->at[0].address, &address, sizeof address);
    e->at[0].bytes = sizeof address;
    e->count = 1;
    return 0;
}

/* HOST:PORT or [V6]:PORT. Returns the port's text, with the host copied; NULL when it has another form. */
static const char *split_host(const char *text, char *host, size_t cap)
{
    const char *colon = strrchr(text, ':');
    const char *first = text;
    const char *end = colon;

    if (!colon || colon == text)
        return NULL;
    if (*first == '[') {
        first++;
        end--;
        if (*end != ']')
            return NULL;
    }
    size_t len = end > first ? (size_t)(end - first) : 0;
    if (len == 0 || len >= cap)
        return NULL;
    memcpy(host, first, len);
    host[len] = '\0';
    return colon + 1;
}

static bool port_is_valid(const char *text)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && *end == '\0' && port >= 1 && port <= UINT16_MAX;
}

/* Why a host has no addresses, in a sentence. */
static int explain_lookup(const struct sw_endpoint *e, int status, int error, struct sw_error *err)
{
    if (status == SW_TIMEOUT)
        return sw_error_set(err, status,
                            "the host of %s was not found within the connect timeout: is the name server up?", e->text);
    return sw_error_set(err, status, "cannot find the host of %s: %s", e->text,
                        status == SW_ENDPOINT ? gai_strerror(error) : sw_status_text(status));
}

static int parse_tcp(const char *text, uint32_t timeout_ms, struct sw_endpoint *e, struct sw_error *err)
{
    char host[HOST_BYTES];
    const char *port = split_host(text, host, sizeof host);
    struct addrinfo *found;
    int error;

    if (!port || !port_is_valid(port))
        return sw_error_set(err, SW_ENDPOINT, "%s is no address: write tcp:HOST:PORT, as in tcp:127.0.0.1:7411",
                            e->text);
    int rc = sw_lookup(host, port, timeout_ms, &found, &error);
    if (rc < 0)
        return explain_lookup(e, rc, error, err);

    e->tcp = true;
    for (struct addrinfo *a = found; a && e->count < SW_ENDPOINT_ADDRESSES; a = a->ai_next) {
        memcpy(&e->at[e->count].address, a->ai_addr, a->ai_addrlen);
        e->at[e->count].bytes = a->ai_addrlen;
        e->count++;
    }
    freeaddrinfo(found);
    return 0;
}

int sw_endpoint_parse(const char *text, uint32_t timeout_ms, struct sw_endpoint *e, struct sw_error *err)
{
    *e = (struct sw_endpoint){0};
    if (!text)
        text = getenv("SPILLWAY_ENDPOINT");
    if (text && *text)
        snprintf(e->text, sizeof e->text, "%s", text);
    else
        default_text(e->text, sizeof e->text);

    if (text && strlen(text) >= sizeof e->text)
        return sw_error_set(err, SW_ENDPOINT, "the endpoint has %zu bytes; no address is that long", strlen(text));
    if (strncmp(e->text, "unix:", 5) == 0)
        return parse_unix(e->text + 5, e, err);
    if (strncmp(e->text, "tcp:", 4) == 0)
        return parse_tcp(e->text + 4, timeout_ms, e, err);
    return sw_error_set(err, SW_ENDPOINT, "'%.100s' is no endpoint: write unix:PATH or tcp:HOST:PORT", e->text);
}

int sw_endpoint_explain(const struct sw_endpoint *e, int status, struct sw_error *err)
{
    switch (status) {
    case -ENOENT:
    case -ECONNREFUSED:
        return sw_error_set(err, status,
                            "no spillwayd listens at %.160s: start it with `spillwayd`, or set SPILLWAY_ENDPOINT",
                            e->text);
    case -EACCES:
    case -EPERM:
        return sw_error_set(err, status, "no permission for %.160s: the socket belongs to the user who runs spillwayd",
                            e->text);
    case SW_TIMEOUT:
        return sw_error_set(err, status, "%.160s did not answer within the connect timeout", e->text);
    default:
        return sw_error_set(err, status, "cannot connect to %.160s: %.80s", e->text, sw_status_text(status));
    }
}
