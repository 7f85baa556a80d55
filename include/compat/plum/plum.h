#ifndef DAMSON_COMPAT_PLUM_H
#define DAMSON_COMPAT_PLUM_H

/*
 * The C interface of damson: source- and binary-compatible with that of libplum 0.6.
 *
 * One client in the process, on a thread of its own between plum_init and plum_cleanup, opens ports
 * on the router (PCP, NAT-PMP or UPnP) and keeps them open. IPv4 only.
 *
 * Threads: every function may be called from any thread at any time. Callbacks run on the library's
 * own thread, one after the other, while no lock is held.
 *
 * Errors: functions return one of the four codes below, or where it says so an id or a length,
 * which are not negative. Nothing is ever thrown.
 */

#include <stdbool.h> /* not needed here, but programs have come to count on it */
#include <stddef.h>
#include <stdint.h>

/* Programs that define PLUM_STATIC, as libplum's static library wants it, may go on doing so. */
#ifndef PLUM_EXPORT
#if defined(PLUM_STATIC)
#define PLUM_EXPORT
#elif defined(_WIN32) && defined(PLUM_EXPORTS)
#define PLUM_EXPORT __declspec(dllexport)
#elif defined(_WIN32)
#define PLUM_EXPORT __declspec(dllimport)
#elif defined(__GNUC__)
#define PLUM_EXPORT __attribute__((visibility("default")))
#else
#define PLUM_EXPORT
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define PLUM_ERR_SUCCESS 0
#define PLUM_ERR_INVALID (-1)   /* an argument makes no sense */
#define PLUM_ERR_FAILED (-2)    /* not started, started already, or the system has not enough */
#define PLUM_ERR_NOT_AVAIL (-3) /* there is no such thing */

/* ------------------------------------------------------------------------------------------------
 * Start and stop
 */

typedef enum {
  PLUM_LOG_LEVEL_VERBOSE = 0,
  PLUM_LOG_LEVEL_DEBUG = 1,
  PLUM_LOG_LEVEL_INFO = 2,
  PLUM_LOG_LEVEL_WARN = 3,
  PLUM_LOG_LEVEL_ERROR = 4,
  PLUM_LOG_LEVEL_FATAL = 5, /* nothing is fatal to this library: shows as little as NONE */
  PLUM_LOG_LEVEL_NONE = 6
} plum_log_level_t;

/*
 * Gets one line of text, without a line end and free of control characters. External addresses
 * appear at DEBUG and VERBOSE only. Of this interface it may call plum_set_log_level and nothing
 * else. The text is valid during the call.
 */
typedef void (*plum_log_callback_t)(plum_log_level_t level, const char* message);

/* Which protocols mappings may be made with. */
typedef enum {
  PLUM_PROTOCOL_ANY = 0, /* all; or none, where the host's own address is public */
  PLUM_PROTOCOL_PCP = 1, /* PCP and NAT-PMP */
  PLUM_PROTOCOL_UPNP = 2
} plum_protocol_t;

/*
 * All zero is the default for everything but the log level, of which 0 is VERBOSE. Times are in
 * milliseconds; 0 stands for the default, and what is outside the range for the nearest end of it.
 */
typedef struct {
  plum_log_level_t log_level;
  plum_log_callback_t log_callback; /* NULL: lines go to standard output */
  const char* dummytls_domain;      /* NULL or empty: no DummyTLS (see below); copied */
  int discover_timeout; /* how long a router that answers something, but not what was asked, is
                           waited for: an upper bound (10000; 1 ms to an hour) */
  int mapping_timeout;  /* how long a router that is known is waited for when it is asked for a
                           mapping (10000; 1 ms to an hour) */
  int recheck_period; /* how often the router is looked at, and the longest pause between two tries
                         at a mapping that failed (300000; 1 s to a day) */
  plum_protocol_t protocol;
} plum_config_t;

/*
 * Starts the library. Sends nothing yet.
 *
 * FAILED: started already, plum_cleanup has not returned yet, or the system has no thread to give.
 * INVALID: `config` is NULL, a time is negative, a level or protocol is none of the above, or the
 * domain is no host name.
 */
PLUM_EXPORT int plum_init(const plum_config_t* config);

/*
 * Gives all ports back, calls each mapping's callback with DESTROYED, and stops the library.
 * Returns within the release bound (2 s), also where the router is dead, unless a callback keeps
 * the library's thread. No callback runs any more when it has returned, and plum_init may start
 * anew.
 *
 * FAILED: not started, another thread is in this function, or the call comes from a callback.
 *
 * A program may also end without it, by exit or by returning from main: no callback begins then any
 * more (unless something calls plum_cleanup after all), and what was open stays to its lease.
 */
PLUM_EXPORT int plum_cleanup(void);

/*
 * Lines below this level are not shown from now on. Works at any time; plum_init sets the level of
 * its `config`. What is no level is ignored.
 */
PLUM_EXPORT void plum_set_log_level(plum_log_level_t level);

/* ------------------------------------------------------------------------------------------------
 * Mappings
 */

typedef enum { PLUM_IP_PROTOCOL_TCP = 0, PLUM_IP_PROTOCOL_UDP = 1 } plum_ip_protocol_t;

typedef enum {
  PLUM_STATE_DESTROYED = 0,
  PLUM_STATE_PENDING = 1, /* no result yet */
  PLUM_STATE_SUCCESS = 2, /* the port is open */
  PLUM_STATE_FAILURE = 3, /* it is not, or not any more; tries go on */
  PLUM_STATE_DESTROYING = 4
} plum_state_t;

/* How the port was opened. */
typedef enum {
  PLUM_MAPPING_PROTOCOL_UNKNOWN = 0, /* not yet, or not any more */
  PLUM_MAPPING_PROTOCOL_PCP = 1,
  PLUM_MAPPING_PROTOCOL_NATPMP = 2,
  PLUM_MAPPING_PROTOCOL_UPNP = 3,
  PLUM_MAPPING_PROTOCOL_DIRECT = 4 /* the host's own address is public: no router is needed */
} plum_mapping_protocol_t;

#define PLUM_MAX_HOST_LEN 256
#define PLUM_MAX_ADDRESS_LEN 64

/* A request, and what came of it. */
typedef struct {
  plum_ip_protocol_t protocol;
  plum_mapping_protocol_t mapping_protocol; /* ignored in a request */
  uint16_t internal_port;                   /* that the program listens on; not 0 */
  /*
   * In a request the port wanted outside, in a result the one that there is. 0: the router chooses,
   * and the internal port is suggested to it.
   */
  uint16_t external_port;
  /*
   * In a request the IPv4 address wanted outside; whatever is none stands for the router's choice.
   * In a result the external address, or the DummyTLS host name that leads to it; empty before the
   * first success, on FAILURE, and where the router does not know its address (yet).
   */
  char external_host[PLUM_MAX_HOST_LEN];
  void* user_ptr; /* the program's own; handed back, never followed */
} plum_mapping_t;

/*
 * Called with SUCCESS when the port is open, each time its address, port or protocol is another
 * one, and with the first confirmation after the router was away or restarted, even if nothing
 * changed; with FAILURE when it cannot be opened or was lost (tries go on, and SUCCESS may follow);
 * and with DESTROYED, exactly once and last.
 *
 * `mapping` is never NULL, is valid during the call, and has the `user_ptr` of the request. What
 * that points to has to live until DESTROYED has come: plum_destroy_mapping only begins to destroy.
 *
 * The first call may come before plum_create_mapping has returned the id. It may call every
 * function of this interface; plum_cleanup, which would wait for it, returns FAILED then, and the
 * DummyTLS functions keep all other callbacks waiting. C++ exceptions must not leave it.
 */
typedef void (*plum_mapping_callback_t)(int id, plum_state_t state, const plum_mapping_t* mapping);

/*
 * Asks for a port, and goes on asking until it is open or destroyed. Returns an id above 0 at once,
 * never one that was used in this process before. `mapping` is copied; `callback` may be NULL.
 *
 * Mappings of one transport and internal port share one port of the router, which is given back
 * with the last of them. The first decides which external port and address are wanted.
 *
 * FAILED: not started, plum_cleanup is at work, or the ids are used up; no callback comes then.
 * INVALID: `mapping` is NULL, the internal port 0, or the protocol unknown; likewise.
 */
PLUM_EXPORT int plum_create_mapping(const plum_mapping_t* mapping,
                                    plum_mapping_callback_t callback);

/*
 * Where a mapping stands; either pointer may be NULL.
 *
 * FAILED: not started. INVALID: a negative id. NOT_AVAIL: no mapping has this id (any more).
 */
PLUM_EXPORT int plum_query_mapping(int id, plum_state_t* state, plum_mapping_t* mapping);

/*
 * Gives the port back, and returns before that is done: DESTROYED comes when it is, within 3 s,
 * also where the router is dead, and no other state in between. SUCCESS also for what is being
 * destroyed already.
 *
 * FAILED: not started. INVALID: a negative id. NOT_AVAIL: no mapping has this id (any more).
 */
PLUM_EXPORT int plum_destroy_mapping(int id);

/*
 * Writes the address of this host that the router sees, as text, and returns its length without the
 * NUL. PLUM_MAX_ADDRESS_LEN bytes are always enough. Works before plum_init too; sends nothing.
 *
 * INVALID: `buffer` is NULL. NOT_AVAIL: no router is on the way out, and no address public. FAILED:
 * the buffer is too small (it is left alone), or the system did not tell.
 */
PLUM_EXPORT int plum_get_local_address(char* buffer, size_t size);

/* ------------------------------------------------------------------------------------------------
 * DummyTLS: a service that has host names for all addresses under one domain, and gives everybody
 * the certificate for them. The name of 192.0.2.7 under example.org is 192-0-2-7.example.org (an
 * IPv6 address has dashes for its colons).
 *
 * With a domain set, results name such a host instead of the address, provided that the name leads
 * to that address and nowhere else. SUCCESS waits for the name service up to 2 s, and gives the
 * plain address where it has not answered by then.
 *
 * Both functions block while they ask. Both write as snprintf does: they return the length of the
 * whole text without the NUL, also where `size` is too small for it and the end was cut off; NULL
 * and 0 ask for the length.
 */

typedef enum {
  PLUM_DUMMYTLS_PEM_CERT = 0,
  PLUM_DUMMYTLS_PEM_CHAIN = 1,
  PLUM_DUMMYTLS_PEM_FULLCHAIN = 2,
  PLUM_DUMMYTLS_PEM_PRIVKEY = 3
} plum_dummytls_cert_type_t;

/*
 * Gives what cert.pem, chain.pem, fullchain.pem or privkey.pem under http://DOMAIN/ holds: up to 64
 * KiB each. All four are fetched at once, so that they belong together, within 10 s, and kept for
 * an hour.
 *
 * FAILED: not started, or without a domain. INVALID: no such type, or NULL with a size. NOT_AVAIL:
 * the file cannot be had.
 */
PLUM_EXPORT int plum_get_dummytls_certificate(plum_dummytls_cert_type_t type, char* buffer,
                                              size_t size);

/*
 * Gives the host name of an address, IPv4 or IPv6, if it leads there. Takes 5 s at most.
 *
 * FAILED: not started, without a domain, or the name does not lead there. INVALID: `address` is
 * NULL or no address, or NULL with a size.
 */
PLUM_EXPORT int plum_get_dummytls_host(const char* address, char* buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
