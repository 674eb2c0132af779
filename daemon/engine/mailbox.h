/*
 * How other threads reach the thread that owns a request: they post mail, its owner is woken and delivers it. A reactor
 * has one mailbox. Mail is embedded in what it is about, so posting cannot fail.
 */
#ifndef SW_ENGINE_MAILBOX_H
#define SW_ENGINE_MAILBOX_H

#include <pthread.h>

struct sw_mail {
    void (*deliver)(struct sw_mail *mail); /* on the mailbox's own thread */
    struct sw_mail *next;
};

struct sw_mailbox {
    pthread_mutex_t lock;
    struct sw_mail *first, **last;
    void (*wake)(void *user); /* any thread; makes the owner call sw_mailbox_deliver soon */
    void *user;
};

int sw_mailbox_init(struct sw_mailbox *box, void (*wake)(void *user), void *user);
void sw_mailbox_finish(struct sw_mailbox *box);

/* Any thread. The mail must not be posted already. */
void sw_mailbox_post(struct sw_mailbox *box, struct sw_mail *mail);

/* The owner: delivers everything posted until now, in order. */
void sw_mailbox_deliver(struct sw_mailbox *box);

#endif
