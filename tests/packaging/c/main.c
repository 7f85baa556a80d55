#include <plum/plum.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  plum_config_t config;
  int i;
  memset(&config, 0, sizeof config);
  config.log_level = PLUM_LOG_LEVEL_NONE;
  for (i = 0; i < 2; ++i) {
    if (plum_init(&config) != PLUM_ERR_SUCCESS) return 1;
    if (plum_query_mapping(1, NULL, NULL) != PLUM_ERR_NOT_AVAIL) return 1;
    if (plum_cleanup() != PLUM_ERR_SUCCESS) return 1;
  }
  printf("sizes %lu %lu\n", (unsigned long)sizeof(plum_config_t),
         (unsigned long)sizeof(plum_mapping_t));
  return 0;
}
