/*
 * A program as one writes it against the interface: opens a port, waits for it, looks at it, and
 * gives it back. Prints a line for each step. Ends with 0 if all went as it should.
 */

#define _POSIX_C_SOURCE 200809L

#include <plum/plum.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct outcome {
  int id;
  plum_state_t state;
  plum_mapping_t mapping;
};

static int outcomes[2];

static void on_mapping(int id, plum_state_t state, const plum_mapping_t* mapping) {
  struct outcome told;
  memset(&told, 0, sizeof told);
  told.id = id;
  told.state = state;
  told.mapping = *mapping;
  if (write(outcomes[1], &told, sizeof told) != (ssize_t)sizeof told) perror("write");
}

static int next_outcome(struct outcome* told) {
  struct pollfd readable;
  readable.fd = outcomes[0];
  readable.events = POLLIN;
  return poll(&readable, 1, 20000) == 1 && read(outcomes[0], told, sizeof *told) == sizeof *told;
}

static int failed(const char* what) {
  printf("failed: %s\n", what);
  return 1;
}

int main(void) {
  char address[PLUM_MAX_ADDRESS_LEN];
  int mark = 0;
  int id;
  plum_config_t config;
  plum_mapping_t wanted;
  plum_mapping_t found;
  plum_state_t state;
  struct outcome told;

  if (pipe(outcomes) != 0) return failed("pipe");
  if (plum_get_local_address(address, sizeof address) <= 0) return failed("local address");
  printf("local %s\n", address);

  /* As somebody writes it who has never heard of the newer members. */
  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  if (plum_init(&config) != PLUM_ERR_SUCCESS) return failed("init");

  memset(&wanted, 0, sizeof wanted);
  wanted.protocol = PLUM_IP_PROTOCOL_TCP;
  wanted.internal_port = 8080;
  wanted.user_ptr = &mark;
  id = plum_create_mapping(&wanted, on_mapping);
  if (id <= 0) return failed("create");

  if (!next_outcome(&told) || told.id != id || told.state != PLUM_STATE_SUCCESS ||
      told.mapping.user_ptr != &mark)
    return failed("success");
  printf("external %s %d\n", told.mapping.external_host, (int)told.mapping.external_port);

  if (plum_query_mapping(id, &state, &found) != PLUM_ERR_SUCCESS || state != PLUM_STATE_SUCCESS ||
      found.external_port != told.mapping.external_port)
    return failed("query");

  if (plum_destroy_mapping(id) != PLUM_ERR_SUCCESS) return failed("destroy");
  if (!next_outcome(&told) || told.id != id || told.state != PLUM_STATE_DESTROYED ||
      told.mapping.user_ptr != &mark)
    return failed("destroyed");
  if (plum_query_mapping(id, NULL, NULL) != PLUM_ERR_NOT_AVAIL) return failed("query of nothing");
  if (plum_cleanup() != PLUM_ERR_SUCCESS) return failed("cleanup");
  printf("done\n");
  return 0;
}
