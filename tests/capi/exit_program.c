/*
 * Ends in the way that its argument names, with a mapping open and the library running.
 */

#define _POSIX_C_SOURCE 200809L

#include <plum/plum.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int opened[2];
static int never[2];
static const char* way;

static int is(const char* name) { return strcmp(way, name) == 0; }

static void wait_for_byte(int from) {
  char byte;
  if (read(from, &byte, 1) != 1) perror("read");
}

static void on_mapping(int id, plum_state_t state, const plum_mapping_t* mapping) {
  (void)mapping;
  if (state == PLUM_STATE_DESTROYED) {
    printf("destroyed\n");
    return;
  }
  if (is("exit-in-callback")) exit(7);
  if (write(opened[1], "x", 1) != 1) perror("write");
  if (is("callback-stuck")) wait_for_byte(never[0]);
  if (is("destroy-and-exit")) plum_destroy_mapping(id);
}

/* Callbacks come one after the other, so when the second mapping is gone, what there was to say
 * about the first has been said. */
static void destroy_two(void) {
  int id;
  for (id = 1; id <= 2; ++id) {
    if (plum_destroy_mapping(id) != PLUM_ERR_SUCCESS) perror("destroy");
    while (plum_query_mapping(id, NULL, NULL) == PLUM_ERR_SUCCESS) sched_yield();
  }
  printf("two are gone\n");
}

static void clean_up(void) { printf("cleanup %d\n", plum_cleanup()); }

int main(int argc, char** argv) {
  plum_config_t config;
  plum_mapping_t wanted;
  int i;

  if (argc != 2) return 2;
  way = argv[1];
  if (pipe(opened) != 0 || pipe(never) != 0) return 2;
  if (is("cleanup-at-exit") && atexit(clean_up) != 0) return 2;
  if (is("destroy-at-exit") && atexit(destroy_two) != 0) return 2;

  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  if (plum_init(&config) != PLUM_ERR_SUCCESS) return 2;

  memset(&wanted, 0, sizeof wanted);
  for (i = 0; i < 20; ++i) {
    wanted.internal_port = (uint16_t)(8080 + i);
    if (plum_create_mapping(&wanted, on_mapping) <= 0) return 2;
  }
  if (is("exit-while-pending")) exit(7);
  if (is("exit-in-callback")) wait_for_byte(never[0]);
  wait_for_byte(opened[0]);
  if (is("return")) return 7;
  exit(7);
}
