#ifndef DAMSON_TESTS_CAPI_ANY_NUMBER_H
#define DAMSON_TESTS_CAPI_ANY_NUMBER_H

/* Calls with numbers for enumerations that are none of theirs: for C, as any others. */

#include <plum/plum.h>

#ifdef __cplusplus
extern "C" {
#endif

int init_with_log_level(int level);
int init_with_protocol(int protocol);
int create_with_protocol(int protocol, plum_mapping_callback_t callback, void* user_ptr);
int certificate_of_type(int type);
void set_log_level_to(int level);

#ifdef __cplusplus
}
#endif

#endif
