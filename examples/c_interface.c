/*
 * Opens a TCP port through the C interface, says where it is open and what changes, and gives it
 * back at Ctrl-C, or at once with --once.
 */

#define _POSIX_C_SOURCE 200809L

#include <plum/plum.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
  int once;
  int was_open;
};

/* Runs on the library's thread. main() looks at the job only when no callback can come any more. */
static void on_state(int id, plum_state_t state, const plum_mapping_t* mapping) {
  static const char* const protocols[] = {"?", "pcp", "nat-pmp", "upnp", "direct"};
  struct job* job = mapping->user_ptr;
  (void)id;
  switch (state) {
    case PLUM_STATE_SUCCESS:
      job->was_open = 1;
      printf(
          "port %u is open as %s:%u through %s\n", mapping->internal_port,
          mapping->external_host[0] != '\0' ? mapping->external_host : "(the router does not know)",
          mapping->external_port, protocols[mapping->mapping_protocol]);
      break;
    case PLUM_STATE_FAILURE:
      printf("not open; trying again until Ctrl-C\n");
      break;
    case PLUM_STATE_DESTROYED:
      printf("given back\n");
      break;
    default:
      break;
  }
  fflush(stdout);
  /* Every thread has the signal blocked, so it wakes main(). */
  if (job->once && state != PLUM_STATE_DESTROYED) kill(getpid(), SIGTERM);
}

static int usage(const char* program) {
  fprintf(stderr,
          "usage: %s [--once] [PORT]\n"
          "  PORT    the TCP port to open, 1 to 65535; 8080 unless named\n"
          "  --once  give it back at once instead of at Ctrl-C\n",
          program);
  return 2;
}

int main(int argc, char** argv) {
  struct job job = {0, 0};
  plum_config_t config;
  plum_mapping_t mapping;
  sigset_t stop;
  int i;
  int signal_number;
  int error;

  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  memset(&mapping, 0, sizeof mapping);
  mapping.protocol = PLUM_IP_PROTOCOL_TCP;
  mapping.internal_port = 8080;
  mapping.user_ptr = &job; /* has to live until DESTROYED has come: here until plum_cleanup */

  for (i = 1; i < argc; ++i) {
    char* end = NULL;
    long port;
    if (strcmp(argv[i], "--once") == 0) {
      job.once = 1;
      continue;
    }
    port = strtol(argv[i], &end, 10);
    if (*argv[i] == '\0' || *end != '\0' || port < 1 || port > 65535) return usage(argv[0]);
    mapping.internal_port = (uint16_t)port;
  }

  /* Before the library makes its thread, which inherits this. */
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, NULL);

  error = plum_init(&config);
  if (error != PLUM_ERR_SUCCESS) {
    fprintf(stderr, "plum_init: error %d\n", error);
    return EXIT_FAILURE;
  }
  error = plum_create_mapping(&mapping, on_state);
  if (error < 0)
    fprintf(stderr, "plum_create_mapping: error %d\n", error);
  else
    sigwait(&stop, &signal_number);

  plum_cleanup(); /* gives back what is open, and returns after the last callback */
  return job.was_open ? EXIT_SUCCESS : EXIT_FAILURE;
}
