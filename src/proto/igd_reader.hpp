#pragma once

/// Answers a question about a UPnP gateway's table, or about the gateway itself, action by action,
/// and deletes what it is told to by name. Never touches an entry that was not named, or that does
/// not lead to this host.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include <damson/error.hpp>
#include <damson/router.hpp>

#include "proto/igd_listing.hpp"
#include "proto/igd_probe.hpp"

namespace damson {

/// What came of it. `why.reason` 0: it is whole.
struct igd_reading {
  igd_refusal why{};
  std::vector<router_entry> entries{};
  std::optional<router_status> status{};
};

/// A value: whoever owns it sends `next()` and hands in what came back, until it is over.
class igd_reader {
 public:
  /// `own`: what entries of this host lead to, as the gateway sees it.
  igd_reader(const router_question& what, const igd_device& device, const ip_address& own);

  bool is_over() const noexcept { return step_ == step::over; }

  /// Precondition of the next four: not over.
  igd_question next() const;
  /// Whether the answer is whole without this action, or there is another way to it.
  bool is_optional() const noexcept;
  /// What is returned is neither a success nor a word of the service; nothing has changed then.
  std::optional<http_failure> on_answer(const http_answer& answer);
  /// The action was sent, and may have been obeyed, but nothing came back.
  void on_silence() noexcept;

  /// The action brings nothing. Precondition: `is_optional`.
  void leave_out();
  /// It ends here.
  void give_up(errc reason);
  /// The device was found again, perhaps elsewhere. What was to be deleted on one is not looked for
  /// on another.
  void begin_anew(const igd_device& device);

  igd_reading take();

 private:
  enum class step : std::uint8_t {
    list,
    find,
    status,
    look,        ///< what it is that is to be deleted
    remove,      ///< one entry, or a row of them
    look_again,  ///< whether what cannot be deleted is there
    over
  };

  void begin();
  void begin_list(std::vector<port_range> ranges);
  void begin_status(bool of_connection);
  void end(igd_refusal why = {});
  bool is_deleting() const noexcept;
  bool is_row() const noexcept { return row_ > 1; }
  std::size_t row_from(std::size_t first) const noexcept;
  soap_request removal() const;
  const router_entry_name& name() const;

  std::optional<http_failure> on_list_answer(const http_answer& answer);
  void on_list_over();
  std::optional<http_failure> on_find_answer(const http_answer& answer);
  std::optional<http_failure> on_status_answer(const http_answer& answer);
  std::expected<void, soap_error> read_what_was_asked(const http_answer& answer);
  std::optional<http_failure> on_look_answer(const http_answer& answer);
  std::optional<http_failure> on_remove_answer(const http_answer& answer);
  std::optional<http_failure> on_second_look(const http_answer& answer);
  void on_removed();
  void on_not_removed(const igd_refusal& why, upnp_refusal meaning);
  void next_row();
  void next_action();
  upnp_refusal meaning_of(const soap_error& error, upnp_action action) const noexcept;

  router_question what_;
  igd_device device_;
  ip_address own_;
  step step_ = step::over;
  std::optional<igd_listing> listing_;
  std::vector<upnp_action> actions_;  ///< of a status, in turn
  std::size_t at_ = 0;                ///< of actions, or of what is to be deleted
  std::vector<router_entry> to_delete_;
  std::size_t row_ = 0;    ///< how many of them the next action deletes
  bool rows_work_ = true;  ///< DeletePortMappingRange can be used, and was not refused
  /// Up to which of them a delete was sent that was not answered.
  std::size_t perhaps_deleted_ = 0;
  igd_refusal first_refusal_{};
  igd_reading reading_;
};

}  // namespace damson
