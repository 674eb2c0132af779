/* Values on the command line. Each function ends the process with a usage error when the text is no such value. */
#ifndef SW_CLI_ARGS_H
#define SW_CLI_ARGS_H

#include <argp.h>
#include <stdint.h>

#include <spillway/client.h>

#include "codec/container.h"

uint64_t sw_arg_count(const struct argp_state *state, const char *option, const char *text, uint64_t min, uint64_t max);

enum sw_dtype sw_arg_dtype(const struct argp_state *state, const char *text);
enum sw_kind sw_arg_kind(const struct argp_state *state, const char *text);

/* "3,4" to shape and ndim; "" is a scalar. */
void sw_arg_shape(const struct argp_state *state, const char *text, struct sw_tensor *tensor);

/* "OFF:LEN", or "OFF:" for all the rest (length 0). */
void sw_arg_range(const struct argp_state *state, const char *text, uint64_t *offset, uint64_t *length);

/* A plan's name, checked here so that a misspelt one is told before anything is sent. Returns text. */
const char *sw_arg_format(const struct argp_state *state, const char *text);

/* "activation", ... Static memory. */
const char *sw_kind_name(enum sw_kind kind);

#endif
