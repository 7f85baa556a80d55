/*
 * A program as one wrote it for version 0.5 of the interface: knows neither of the times and the
 * protocol filter of a configuration nor of the protocol of a mapping. Opens a port for each way to
 * fill in a configuration. Ends with 0 if all went as it should.
 */

#define _POSIX_C_SOURCE 200809L

#include <plum/plum.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int outcomes[2];

static void on_mapping(int id, plum_state_t state, const plum_mapping_t* mapping) {
  char told = 0;
  (void)id;
  if (state == PLUM_STATE_DESTROYED) return;
  if (state == PLUM_STATE_SUCCESS && mapping->user_ptr == outcomes &&
      mapping->external_port == 4242 && strcmp(mapping->external_host, "1.2.3.4") == 0)
    told = 1;
  if (write(outcomes[1], &told, 1) != 1) perror("write");
}

static int opens_a_port(const plum_config_t* config) {
  plum_mapping_t wanted = {.protocol = PLUM_IP_PROTOCOL_UDP,
                           .internal_port = 8080,
                           .external_port = 4242,
                           .external_host = "",
                           .user_ptr = outcomes};
  struct pollfd readable = {.fd = outcomes[0], .events = POLLIN};
  char told = 0;
  int id;
  if (plum_init(config) != PLUM_ERR_SUCCESS) return 0;
  id = plum_create_mapping(&wanted, on_mapping);
  if (id < 0 || poll(&readable, 1, 20000) != 1 || read(outcomes[0], &told, 1) != 1) told = 0;
  if (id >= 0) plum_destroy_mapping(id);
  return plum_cleanup() == PLUM_ERR_SUCCESS && told;
}

int main(void) {
  plum_config_t zeroed;
  plum_config_t by_name = {
      .log_level = PLUM_LOG_LEVEL_NONE, .log_callback = NULL, .dummytls_domain = NULL};
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
  plum_config_t in_order = {PLUM_LOG_LEVEL_NONE, NULL, NULL};
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

  memset(&zeroed, 0, sizeof zeroed);
  zeroed.log_level = PLUM_LOG_LEVEL_NONE;

  if (pipe(outcomes) != 0) return 1;
  if (!opens_a_port(&zeroed)) return 2;
  if (!opens_a_port(&by_name)) return 3;
  if (!opens_a_port(&in_order)) return 4;
  return 0;
}
