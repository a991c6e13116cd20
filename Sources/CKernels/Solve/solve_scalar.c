// The reference: what the compiler makes of the source for any CPU of the architecture.

#pragma STDC FP_CONTRACT OFF

#define VARIANT cambium_solve_scalar
#define VARIANT_NAME "scalar"
#include "solve_body.h"
