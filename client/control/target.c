#include "client/control/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/src/endpoint.h"
#include "client/src/error.h"

#define LOOKUP_MS 5000

static int beside(const char *data_endpoint, char target[SW_TARGET_CAP], struct sw_error *err)
{
    struct sw_endpoint data;

    int rc = sw_endpoint_parse(data_endpoint, LOOKUP_MS, &data, err);
    if (rc < 0)
        return rc;
    if (data.tcp)
        return sw_error_set(err, SW_ENDPOINT,
                            "the control plane of %.120s listens elsewhere: name it by --control or "
                            "SPILLWAY_CONTROL, as in tcp:127.0.0.1:7413",
                            data.text);
    size_t len = strlen(data.text);
    if (len > 5 && strcmp(data.text + len - 5, ".sock") == 0)
        len -= 5;
    snprintf(target, SW_TARGET_CAP, "%.*s-control.sock", (int)len, data.text);
    return 0;
}

int sw_control_target(const struct sw_control_client_options *options, char target[SW_TARGET_CAP], struct sw_error *err)
{
    const char *named = options->endpoint;

    /* A data endpoint on the command line is nearer than the environment. */
    if (!named && !options->data_endpoint)
        named = getenv("SPILLWAY_CONTROL");
    if (!named || !*named)
        return beside(options->data_endpoint, target, err);
    if (strlen(named) >= SW_TARGET_CAP)
        return sw_error_set(err, SW_ENDPOINT, "the endpoint has %zu bytes; no address is that long", strlen(named));
    if (strncmp(named, "unix:", 5) == 0 && named[5])
        snprintf(target, SW_TARGET_CAP, "%s", named);
    else if (strncmp(named, "tcp:", 4) == 0 && strchr(named + 4, ':'))
        snprintf(target, SW_TARGET_CAP, "%s", named + 4);
    else
        return sw_error_set(err, SW_ENDPOINT, "'%.100s' is no endpoint: write unix:PATH or tcp:HOST:PORT", named);
    return 0;
}
