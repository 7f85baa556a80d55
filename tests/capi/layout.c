/* The layout of the interface: at compile time where the language can, and at run time. */

#include "layout.h"

#include <stdio.h>

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define ASSERT(what, number) _Static_assert((what) == (number), #what);
DAMSON_NUMBERS(ASSERT)
#if defined(__LP64__)
DAMSON_LAYOUT(ASSERT)
#endif
#endif

static int wrong(int is, int should_be, const char* what) {
  if (is == should_be) return 0;
  fprintf(stderr, "%s is %d, not %d\n", what, is, should_be);
  return 1;
}

int main(void) {
  int faults = 0;
#define COUNT(what, number) faults += wrong(what, number, #what);
  DAMSON_NUMBERS(COUNT)
#if defined(__LP64__)
  DAMSON_LAYOUT(COUNT)
#endif
  return faults != 0;
}
