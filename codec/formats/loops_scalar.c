/* What any CPU of the architecture can run. */
#include <float.h>
#include <string.h>

#include "codec/bytes.h"
#include "codec/formats/loops.h"
#include "codec/formats/loops_tables.h"
#include "codec/formats/tile.h"
#include "codec/plane.h"

#define LOOPS sw_format_loops_scalar
#include "codec/formats/loops_template.h"
