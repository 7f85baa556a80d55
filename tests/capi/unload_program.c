/*
 * Loads the library that its argument names, asks for a mapping and unloads the library before the
 * answer is there. Ends with 0 if the answer comes.
 */

#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <plum/plum.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int opened[2];

static void on_mapping(int id, plum_state_t state, const plum_mapping_t* mapping) {
  (void)id;
  (void)mapping;
  if (state == PLUM_STATE_SUCCESS && write(opened[1], "x", 1) != 1) perror("write");
}

int main(int argc, char** argv) {
  int (*init)(const plum_config_t*) = NULL;
  int (*create)(const plum_mapping_t*, plum_mapping_callback_t) = NULL;
  plum_config_t config;
  plum_mapping_t wanted;
  struct pollfd readable;
  void* library;

  if (argc != 2 || pipe(opened) != 0) return 2;
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 3;
  *(void**)&init = dlsym(library, "plum_init");
  *(void**)&create = dlsym(library, "plum_create_mapping");
  if (init == NULL || create == NULL) return 4;

  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  if (init(&config) != PLUM_ERR_SUCCESS) return 5;
  memset(&wanted, 0, sizeof wanted);
  wanted.internal_port = 8080;
  if (create(&wanted, on_mapping) <= 0) return 6;
  if (dlclose(library) != 0) return 7;

  readable.fd = opened[0];
  readable.events = POLLIN;
  return poll(&readable, 1, 20000) == 1 ? 0 : 8;
}
