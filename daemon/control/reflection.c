/* Server reflection, v1alpha and v1: the same messages under two names. */
#include "daemon/control/descriptors.h"
#include "daemon/control/services.h"
#include "proto/reflection.pb-c.h"

#define MOST_FILES 16
#define MOST_SERVICES 32

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest request_t;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse response_t;

static void send_error(struct sw_call *call, response_t *response, grpc_status_code code, const char *text)
{
    Grpc__Reflection__V1alpha__ErrorResponse error = GRPC__REFLECTION__V1ALPHA__ERROR_RESPONSE__INIT;

    error.error_code = (int32_t)code;
    error.error_message = (char *)(uintptr_t)text;
    response->message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->error_response = &error;
    sw_call_send(call, &response->base);
}

static void send_file(struct sw_call *call, response_t *response, const struct sw_proto_file *file)
{
    Grpc__Reflection__V1alpha__FileDescriptorResponse done = GRPC__REFLECTION__V1ALPHA__FILE_DESCRIPTOR_RESPONSE__INIT;
    struct sw_proto_file files[MOST_FILES];
    ProtobufCBinaryData bytes[MOST_FILES];

    size_t n = sw_descriptors_with_imports(file, files, MOST_FILES);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (ProtobufCBinaryData){files[i].len, (uint8_t *)(uintptr_t)files[i].bytes};
    done.n_file_descriptor_proto = n;
    done.file_descriptor_proto = bytes;
    response->message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->file_descriptor_response = &done;
    sw_call_send(call, &response->base);
}

static void send_services(struct sw_call *call, response_t *response)
{
    Grpc__Reflection__V1alpha__ListServiceResponse done = GRPC__REFLECTION__V1ALPHA__LIST_SERVICE_RESPONSE__INIT;
    Grpc__Reflection__V1alpha__ServiceResponse services[MOST_SERVICES], *pointers[MOST_SERVICES];

    for (size_t i = 0; sw_services[i] && i < MOST_SERVICES; i++) {
        grpc__reflection__v1alpha__service_response__init(&services[i]);
        services[i].name = (char *)(uintptr_t)sw_service_name(sw_services[i]);
        pointers[i] = &services[i];
        done.n_service++;
    }
    done.service = pointers;
    response->message_response_case =
        GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->list_services_response = &done;
    sw_call_send(call, &response->base);
}

static void answer(struct sw_call *call, const ProtobufCMessage *message)
{
    const request_t *request = (const request_t *)message;
    response_t response = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__INIT;
    struct sw_proto_file file;

    response.valid_host = request->host;
    response.original_request = (request_t *)(uintptr_t)request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        send_services(call, &response);
        return;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        if (sw_descriptors_by_name(request->file_by_filename, &file))
            send_file(call, &response, &file);
        else
            send_error(call, &response, GRPC_STATUS_NOT_FOUND, "there is no file of this name");
        return;
    case GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        if (sw_descriptors_by_symbol(request->file_containing_symbol, &file))
            send_file(call, &response, &file);
        else
            send_error(call, &response, GRPC_STATUS_NOT_FOUND,
                       "there is no such symbol: ask for one such as spillway.v1.Objects");
        return;
    default: /* messages of proto3 have no extensions */
        send_error(call, &response, GRPC_STATUS_NOT_FOUND, "there are no extensions here");
        return;
    }
}

static const struct sw_method methods[] = {{answer, SW_METHOD_TALK}};

const struct sw_service sw_service_reflection = {"grpc.reflection.v1.ServerReflection",
                                                 &grpc__reflection__v1alpha__server_reflection__descriptor, methods};
const struct sw_service sw_service_reflection_alpha = {NULL, &grpc__reflection__v1alpha__server_reflection__descriptor,
                                                       methods};
