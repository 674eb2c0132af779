/* What the services over `runs` share. */
#ifndef SW_CONTROL_RUNS_HELP_H
#define SW_CONTROL_RUNS_HELP_H

#include "daemon/control/call.h"
#include "daemon/runs/runs.h"

/* Ends a call with the sentence that came with a status, or the status's own. */
void sw_call_fail_runs(struct sw_call *call, int status, const struct sw_runs_error *error);

#endif
