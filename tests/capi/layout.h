#ifndef DAMSON_TESTS_CAPI_LAYOUT_H
#define DAMSON_TESTS_CAPI_LAYOUT_H

/* The facts of the interface, each as CHECK(what is so, a number that it has to be). */

#include <plum/plum.h>

#define DAMSON_NUMBERS(CHECK)                  \
  CHECK(PLUM_ERR_SUCCESS, 0)                   \
  CHECK(PLUM_ERR_INVALID, -1)                  \
  CHECK(PLUM_ERR_FAILED, -2)                   \
  CHECK(PLUM_ERR_NOT_AVAIL, -3)                \
  CHECK((int)PLUM_LOG_LEVEL_VERBOSE, 0)        \
  CHECK((int)PLUM_LOG_LEVEL_DEBUG, 1)          \
  CHECK((int)PLUM_LOG_LEVEL_INFO, 2)           \
  CHECK((int)PLUM_LOG_LEVEL_WARN, 3)           \
  CHECK((int)PLUM_LOG_LEVEL_ERROR, 4)          \
  CHECK((int)PLUM_LOG_LEVEL_FATAL, 5)          \
  CHECK((int)PLUM_LOG_LEVEL_NONE, 6)           \
  CHECK((int)PLUM_PROTOCOL_ANY, 0)             \
  CHECK((int)PLUM_PROTOCOL_PCP, 1)             \
  CHECK((int)PLUM_PROTOCOL_UPNP, 2)            \
  CHECK((int)PLUM_IP_PROTOCOL_TCP, 0)          \
  CHECK((int)PLUM_IP_PROTOCOL_UDP, 1)          \
  CHECK((int)PLUM_STATE_DESTROYED, 0)          \
  CHECK((int)PLUM_STATE_PENDING, 1)            \
  CHECK((int)PLUM_STATE_SUCCESS, 2)            \
  CHECK((int)PLUM_STATE_FAILURE, 3)            \
  CHECK((int)PLUM_STATE_DESTROYING, 4)         \
  CHECK((int)PLUM_MAPPING_PROTOCOL_UNKNOWN, 0) \
  CHECK((int)PLUM_MAPPING_PROTOCOL_PCP, 1)     \
  CHECK((int)PLUM_MAPPING_PROTOCOL_NATPMP, 2)  \
  CHECK((int)PLUM_MAPPING_PROTOCOL_UPNP, 3)    \
  CHECK((int)PLUM_MAPPING_PROTOCOL_DIRECT, 4)  \
  CHECK((int)PLUM_DUMMYTLS_PEM_CERT, 0)        \
  CHECK((int)PLUM_DUMMYTLS_PEM_CHAIN, 1)       \
  CHECK((int)PLUM_DUMMYTLS_PEM_FULLCHAIN, 2)   \
  CHECK((int)PLUM_DUMMYTLS_PEM_PRIVKEY, 3)     \
  CHECK(PLUM_MAX_HOST_LEN, 256)                \
  CHECK(PLUM_MAX_ADDRESS_LEN, 64)

/* Sizes and offsets on machines with 64-bit pointers. */
#define DAMSON_LAYOUT(CHECK)                                \
  CHECK((int)sizeof(plum_config_t), 40)                     \
  CHECK((int)offsetof(plum_config_t, log_level), 0)         \
  CHECK((int)offsetof(plum_config_t, log_callback), 8)      \
  CHECK((int)offsetof(plum_config_t, dummytls_domain), 16)  \
  CHECK((int)offsetof(plum_config_t, discover_timeout), 24) \
  CHECK((int)offsetof(plum_config_t, mapping_timeout), 28)  \
  CHECK((int)offsetof(plum_config_t, recheck_period), 32)   \
  CHECK((int)offsetof(plum_config_t, protocol), 36)         \
  CHECK((int)sizeof(plum_mapping_t), 280)                   \
  CHECK((int)offsetof(plum_mapping_t, protocol), 0)         \
  CHECK((int)offsetof(plum_mapping_t, mapping_protocol), 4) \
  CHECK((int)offsetof(plum_mapping_t, internal_port), 8)    \
  CHECK((int)offsetof(plum_mapping_t, external_port), 10)   \
  CHECK((int)offsetof(plum_mapping_t, external_host), 12)   \
  CHECK((int)offsetof(plum_mapping_t, user_ptr), 272)

#endif
