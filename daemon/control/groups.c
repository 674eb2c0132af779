#include "daemon/control/groups.h"

#include <stdlib.h>

#include "daemon/control/core.h"

/* So many fit a message at 44 bytes each, the most that one takes. */
#define MOST_GROUPS 16384u

/* An errand to the loop and back. */
struct errand {
    struct sw_mail mail;
    struct sw_call *call;
    size_t count;
    bool more;
    bool connected[MOST_GROUPS];
    struct sw_group_stats groups[MOST_GROUPS];
    Spillway__V1__GroupInfo infos[MOST_GROUPS], *pointers[MOST_GROUPS];
};

static int compare(const void *a, const void *b)
{
    const struct sw_group_stats *x = a, *y = b;

    if (x->session != y->session)
        return x->session < y->session ? -1 : 1;
    return x->group < y->group ? -1 : x->group > y->group;
}

/* Back on the control thread. */
static void reply(struct sw_mail *mail)
{
    struct errand *errand = SW_CONTAINER_OF(mail, struct errand, mail);
    struct sw_call *call = errand->call;
    Spillway__V1__ListGroupsDone done = SPILLWAY__V1__LIST_GROUPS_DONE__INIT;

    for (size_t i = 0; i < errand->count; i++) {
        const struct sw_group_stats *from = &errand->groups[i];
        Spillway__V1__GroupInfo *to = errand->pointers[i] = &errand->infos[i];
        spillway__v1__group_info__init(to);
        to->session = from->session;
        to->group = from->group;
        to->objects = from->objects;
        to->stored_bytes = from->stored_bytes;
        to->connected = errand->connected[i];
    }
    done.n_groups = errand->count;
    done.groups = errand->pointers;
    done.more = errand->more;
    call->control->errands--;
    sw_call_reply(call, &done.base);
    free(errand);
}

/* On the loop's thread. Groups of a session stand together, so that each session is looked for once. */
static void look(struct sw_mail *mail)
{
    struct errand *errand = SW_CONTAINER_OF(mail, struct errand, mail);
    struct sw_control *control = errand->call->control;
    const struct sw_control_options *options = &control->options;

    for (size_t i = 0; i < errand->count; i++)
        errand->connected[i] = i > 0 && errand->groups[i].session == errand->groups[i - 1].session
                                   ? errand->connected[i - 1]
                                   : options->session_connected(options->user, errand->groups[i].session);
    mail->deliver = reply;
    sw_mailbox_post(&control->to_control, mail);
}

void sw_groups_answer(struct sw_call *call, const ProtobufCMessage *request)
{
    struct sw_control *control = call->control;
    struct errand *errand = malloc(sizeof *errand);

    (void)request;
    if (!errand) {
        sw_call_fail(call, SW_NO_MEMORY, NULL);
        return;
    }
    errand->call = call;
    errand->count = sw_store_groups(control->engine->store, errand->groups, MOST_GROUPS, &errand->more);
    qsort(errand->groups, errand->count, sizeof errand->groups[0], compare);
    errand->mail.deliver = look;
    control->errands++;
    sw_mailbox_post(&control->to_loop, &errand->mail);
}
