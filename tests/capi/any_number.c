#include "any_number.h"

#include <string.h>

static plum_config_t quiet(void) {
  plum_config_t config;
  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  return config;
}

int init_with_log_level(int level) {
  plum_config_t config = quiet();
  config.log_level = (plum_log_level_t)level;
  return plum_init(&config);
}

int init_with_protocol(int protocol) {
  plum_config_t config = quiet();
  config.protocol = (plum_protocol_t)protocol;
  return plum_init(&config);
}

int create_with_protocol(int protocol, plum_mapping_callback_t callback, void* user_ptr) {
  plum_mapping_t wanted;
  memset(&wanted, 0, sizeof wanted);
  wanted.protocol = (plum_ip_protocol_t)protocol;
  wanted.internal_port = 8080;
  wanted.user_ptr = user_ptr;
  return plum_create_mapping(&wanted, callback);
}

int certificate_of_type(int type) {
  return plum_get_dummytls_certificate((plum_dummytls_cert_type_t)type, NULL, 0);
}

void set_log_level_to(int level) { plum_set_log_level((plum_log_level_t)level); }
