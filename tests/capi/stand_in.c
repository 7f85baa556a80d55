/* Has the functions of the interface, and does nothing: for programs to be linked to. */

#include <plum/plum.h>

int plum_init(const plum_config_t* config) {
  (void)config;
  return PLUM_ERR_FAILED;
}

int plum_cleanup(void) { return PLUM_ERR_FAILED; }

int plum_create_mapping(const plum_mapping_t* mapping, plum_mapping_callback_t callback) {
  (void)mapping;
  (void)callback;
  return PLUM_ERR_FAILED;
}

int plum_query_mapping(int id, plum_state_t* state, plum_mapping_t* mapping) {
  (void)id;
  (void)state;
  (void)mapping;
  return PLUM_ERR_FAILED;
}

int plum_destroy_mapping(int id) {
  (void)id;
  return PLUM_ERR_FAILED;
}

int plum_get_local_address(char* buffer, size_t size) {
  (void)buffer;
  (void)size;
  return PLUM_ERR_FAILED;
}
