/* grpc.health.v1: the daemon serves from its start to SIGTERM, all services or none. */
#include <string.h>

#include "daemon/control/services.h"
#include "proto/health.pb-c.h"

/* "": the server as a whole. */
static bool known(const char *name)
{
    if (name[0] == '\0')
        return true;
    for (const struct sw_service *const *s = sw_services; *s; s++)
        if (strcmp(sw_service_name(*s), name) == 0)
            return true;
    return false;
}

static void check(struct sw_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *wanted = (const Grpc__Health__V1__HealthCheckRequest *)request;
    Grpc__Health__V1__HealthCheckResponse done = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    if (!known(wanted->service)) {
        sw_call_fail(call, SW_NOT_FOUND, "there is no service %.128s: ask reflection which there are", wanted->service);
        return;
    }
    done.status = call->control->serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                                         : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    sw_call_reply(call, &done.base);
}

static void news(struct sw_call *call)
{
    Grpc__Health__V1__HealthCheckResponse done = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    done.status = !known(call->key)        ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
                  : call->control->serving ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
                                           : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
    if ((uint64_t)done.status == call->seen)
        return;
    call->seen = (uint64_t)done.status;
    sw_call_send(call, &done.base);
}

static void watch(struct sw_call *call, const ProtobufCMessage *request)
{
    sw_call_follow(call, SW_TOPIC_HEALTH, ((const Grpc__Health__V1__HealthCheckRequest *)request)->service, news);
}

static const struct sw_method methods[] = {{check, SW_METHOD_UNARY}, {watch, SW_METHOD_WATCH}};

const struct sw_service sw_service_health = {NULL, &grpc__health__v1__health__descriptor, methods};
