/*
 * Sentences for people, made safe to show: names come from files and from the network, and a name must not be able to
 * steer a terminal.
 */
#ifndef SW_CLI_EXPLAIN_H
#define SW_CLI_EXPLAIN_H

#include <stddef.h>

#include <spillway/client.h>

/* Replaces control characters (C0, DEL and the C1 range in UTF-8) by '?', in place. Returns text. */
char *sw_text_defuse(char *text);

/* Fills *err with a status and a defused sentence, cut to fit, and returns the status. */
__attribute__((format(printf, 3, 4))) int sw_error_explain(struct sw_error *err, int status, const char *format, ...);

/* Puts "WHAT: " before the sentence that is there. Of a long WHAT the last SW_LOCATION_BYTES are shown. */
#define SW_LOCATION_BYTES 120

int sw_error_locate(struct sw_error *err, const char *what);

/* The sentence of a failed system call: "WHAT: No such file or directory". Returns -errno. */
int sw_error_system(struct sw_error *err, const char *what);

#endif
