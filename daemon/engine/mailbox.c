#include "daemon/engine/mailbox.h"

#include <stddef.h>

int sw_mailbox_init(struct sw_mailbox *box, void (*wake)(void *user), void *user)
{
    *box = (struct sw_mailbox){.wake = wake, .user = user};
    box->last = &box->first;
    return -pthread_mutex_init(&box->lock, NULL);
}

void sw_mailbox_finish(struct sw_mailbox *box)
{
    pthread_mutex_destroy(&box->lock);
}

void sw_mailbox_post(struct sw_mailbox *box, struct sw_mail *mail)
{
    mail->next = NULL;
    pthread_mutex_lock(&box->lock);
    *box->last = mail;
    box->last = &mail->next;
    pthread_mutex_unlock(&box->lock);
    box->wake(box->user);
}

void sw_mailbox_deliver(struct sw_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    struct sw_mail *mail = box->first;
    box->first = NULL;
    box->last = &box->first;
    pthread_mutex_unlock(&box->lock);

    while (mail) {
        struct sw_mail *next = mail->next; /* delivering may free what the mail is part of */
        mail->deliver(mail);
        mail = next;
    }
}
