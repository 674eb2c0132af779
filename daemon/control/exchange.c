/* Service Exchange: over the room of that name. What takes long, checking weights and averaging, runs on codec threads.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/control/core.h"
#include "daemon/control/services.h"
#include "daemon/exchange/exchange.h"

/* Of a container, in one message: a part of them is on its way at any time. */
#define PART_BYTES (512u * 1024u)

static void fail(struct sw_call *call, int status, const char *why)
{
    if (why[0])
        sw_call_fail(call, status, "%s", why);
    else
        sw_call_fail(call, status, NULL);
}

/* --- joining */

static bool tensor_read(const Spillway__V1__TensorDesc *desc, struct sw_tensor *tensor)
{
    if (desc->n_shape > SW_MAX_DIMS)
        return false;
    *tensor = (struct sw_tensor){.dtype = (enum sw_dtype)desc->dtype, .ndim = (uint32_t)desc->n_shape};
    if (desc->n_shape > 0)
        memcpy(tensor->shape, desc->shape, desc->n_shape * sizeof tensor->shape[0]);
    return true;
}

static int join_read(const Spillway__V1__JoinExchange *wanted, struct sw_tensor *tensors,
                     char why[SW_EXCHANGE_WHY_BYTES])
{
    for (size_t i = 0; i < wanted->n_tensors; i++)
        if (!tensor_read(wanted->tensors[i], &tensors[i])) {
            snprintf(why, SW_EXCHANGE_WHY_BYTES, "tensor %zu has more than %d dimensions", i, SW_MAX_DIMS);
            return SW_INVALID;
        }
    return 0;
}

static void join(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__JoinExchange *wanted = (const Spillway__V1__JoinExchange *)request;
    Spillway__V1__JoinExchangeDone done = SPILLWAY__V1__JOIN_EXCHANGE_DONE__INIT;
    char why[SW_EXCHANGE_WHY_BYTES] = "";
    struct sw_tensor *tensors = NULL;
    int rc = SW_INVALID;

    if (wanted->n_tensors > SW_EXCHANGE_TENSORS) {
        snprintf(why, sizeof why, "a model has at most %d tensors", SW_EXCHANGE_TENSORS);
        goto out;
    }
    tensors = calloc(wanted->n_tensors + 1, sizeof *tensors);
    rc = tensors == NULL ? SW_NO_MEMORY : join_read(wanted, tensors, why);
    if (rc == 0)
        rc = sw_exchange_join(call->control->options.exchanges,
                              &(struct sw_exchange_settings){.name = wanted->exchange,
                                                             .workers = wanted->workers,
                                                             .format = wanted->format,
                                                             .seed = wanted->seed,
                                                             .tensors = tensors,
                                                             .tensor_count = wanted->n_tensors},
                              &done.round, why);

out:
    if (rc < 0)
        fail(call, rc, why);
    else
        sw_call_reply(call, &done.base);
    free(tensors);
}

/* --- putting */

/* A part on its way through a codec thread. */
struct put {
    struct sw_job job; /* first */
    struct sw_call *call;
    struct sw_exchange_part part;
    uint32_t reported;
    int status;
    char why[SW_EXCHANGE_WHY_BYTES];
    char name[SW_EXCHANGE_NAME_BYTES];
    unsigned char bytes[];
};

static void put_run(struct sw_job *job, struct sw_worker *worker)
{
    struct put *put = SW_CONTAINER_OF(job, struct put, job);

    (void)worker;
    put->status = sw_exchange_put(put->call->control->options.exchanges, &put->part, &put->reported, put->why);
}

static void put_reply(struct sw_mail *mail)
{
    struct put *put = SW_CONTAINER_OF(mail, struct put, job.mail);
    Spillway__V1__PutWeightsDone done = SPILLWAY__V1__PUT_WEIGHTS_DONE__INIT;

    done.reported = put->reported;
    put->call->control->errands--;
    if (put->status < 0)
        fail(put->call, put->status, put->why);
    else
        sw_call_reply(put->call, &done.base);
    free(put);
}

static struct put *put_make(struct sw_call *call, const Spillway__V1__PutWeights *wanted)
{
    struct put *put = calloc(1, sizeof *put + wanted->container.len);

    if (put == NULL)
        return NULL;
    put->job = (struct sw_job){.mail.deliver = put_reply, .run = put_run, .mailbox = &call->control->to_control};
    put->call = call;
    strcpy(put->name, wanted->exchange);
    if (wanted->container.len > 0)
        memcpy(put->bytes, wanted->container.data, wanted->container.len);
    put->part = (struct sw_exchange_part){
        .name = put->name,
        .round = wanted->round,
        .worker = wanted->worker,
        .samples = wanted->samples,
        .tensor = wanted->tensor,
        .bytes = put->bytes,
        .len = wanted->container.len,
        .first = wanted->first,
        .last = wanted->last,
    };
    return put;
}

static void put_weights(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__PutWeights *wanted = (const Spillway__V1__PutWeights *)request;
    struct put *put;

    if (strlen(wanted->exchange) >= SW_EXCHANGE_NAME_BYTES) {
        sw_call_fail(call, SW_NOT_FOUND, "no exchange has a name of more than 64 characters");
        return;
    }
    put = put_make(call, wanted);
    if (put == NULL) {
        sw_call_fail(call, SW_NO_MEMORY, NULL);
        return;
    }
    call->control->errands++;
    sw_pool_submit(call->control->engine->pool, &put->job);
}

/* --- getting */

/* What a stream is at; its call's own. */
struct reading {
    const struct sw_exchange_mean *mean; /* NULL: not complete yet */
    uint64_t round, offset;
    size_t tensor;
    bool master;
};

static void reading_release(struct sw_call *call)
{
    struct reading *reading = call->own;

    if (reading->mean != NULL)
        sw_exchange_release(call->control->options.exchanges, reading->mean);
    free(reading);
}

static void part_send(struct sw_call *call, struct reading *reading)
{
    const struct sw_exchange_bytes *container =
        &(reading->master ? reading->mean->master : reading->mean->tensors)[reading->tensor];
    size_t left = container->len - reading->offset, len = left < PART_BYTES ? left : PART_BYTES;
    Spillway__V1__WeightsPart part = SPILLWAY__V1__WEIGHTS_PART__INIT;

    part.round = reading->round;
    part.tensor = (uint32_t)reading->tensor;
    part.container = (ProtobufCBinaryData){len, container->bytes + reading->offset};
    part.last = len == left;
    reading->offset += len;
    if (part.last) {
        reading->tensor++;
        reading->offset = 0;
    }
    /* The next one follows as soon as this is taken. */
    call->dirty = true;
    sw_call_send(call, &part.base);
}

static void news(struct sw_call *call)
{
    struct reading *reading = call->own;
    char why[SW_EXCHANGE_WHY_BYTES];
    int rc = 0;

    if (reading->mean == NULL)
        rc = sw_exchange_get(call->control->options.exchanges, call->key, reading->round, &reading->mean, why);
    if (rc == SW_RETRY)
        return;
    if (rc < 0)
        fail(call, rc, why);
    else if (reading->tensor == reading->mean->tensor_count)
        sw_call_end(call);
    else
        part_send(call, reading);
}

static void get(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__GetWeights *wanted = (const Spillway__V1__GetWeights *)request;
    struct reading *reading = calloc(1, sizeof *reading);

    if (reading == NULL) {
        sw_call_fail(call, SW_NO_MEMORY, NULL);
        return;
    }
    reading->round = wanted->round;
    reading->master = wanted->master;
    call->own = reading;
    call->release = reading_release;
    sw_call_follow(call, SW_TOPIC_EXCHANGES, wanted->exchange, news);
}

static void end(struct sw_call *call, const ProtobufCMessage *request)
{
    const Spillway__V1__EndExchange *wanted = (const Spillway__V1__EndExchange *)request;
    Spillway__V1__EndExchangeDone done = SPILLWAY__V1__END_EXCHANGE_DONE__INIT;
    char why[SW_EXCHANGE_WHY_BYTES];
    int rc = sw_exchange_end(call->control->options.exchanges, wanted->exchange, why);

    if (rc < 0) {
        fail(call, rc, why);
        return;
    }
    /* Who waits for its mean waits in vain. */
    sw_control_touch(call->control, SW_TOPIC_EXCHANGES);
    sw_call_reply(call, &done.base);
}

static const struct sw_method methods[] = {
    {join, SW_METHOD_UNARY},
    {put_weights, SW_METHOD_UNARY},
    {get, SW_METHOD_WATCH},
    {end, SW_METHOD_UNARY},
};

const struct sw_service sw_service_exchange = {NULL, &spillway__v1__exchange__descriptor, methods};
