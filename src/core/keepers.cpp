#include "core/keepers.hpp"

#include <algorithm>
#include <iterator>

namespace damson::core {

keeper& keepers::of(context& ctx, const uplink_choice& how) {
  const auto found = keepers_.find(how);
  if (found != keepers_.end()) return found->second;
  return keepers_.try_emplace(how, how, ctx.new_gateway(), seen_).first->second;
}

void keepers::release_all(context& ctx) {
  for (auto& [how, each] : keepers_) each.release_all(ctx);
}

void keepers::drop_all(context& ctx) {
  for (auto& [how, each] : keepers_) each.drop_all(ctx);
}

// ---------------------------------------------------------------------------------------------
// Inputs

void keepers::on_network(context& ctx, const network_facts& facts) {
  seen_ = {.facts = facts, .at = ctx.now, .is_looking = false};
  for (auto& [how, each] : keepers_) each.on_network(ctx);
}

keeper* keepers::owner_of(channel_id channel) {
  const auto found =
      std::ranges::find_if(keepers_, [&](const auto& each) { return each.second.owns(channel); });
  return found == keepers_.end() ? nullptr : &found->second;
}

void keepers::on_channel_opened(context& ctx, const channel_opened& what) {
  keeper* owner = owner_of(what.channel);
  owner != nullptr ? owner->on_channel_opened(ctx, what) : ignore(ctx);
}

void keepers::on_channel_failed(context& ctx, const channel_failed& what) {
  keeper* owner = owner_of(what.channel);
  owner != nullptr ? owner->on_channel_failed(ctx, what) : ignore(ctx);
}

void keepers::on_datagram(context& ctx, const datagram_received& what) {
  keeper* owner = owner_of(what.channel);
  owner != nullptr ? owner->on_datagram(ctx, what) : ignore(ctx);
}

void keepers::on_response(context& ctx, const http_response& what) {
  for (auto& [how, each] : keepers_) {
    if (each.on_response(ctx, what)) return;
  }
  ignore(ctx);
}

void keepers::on_exchange_failed(context& ctx, const http_failed& what) {
  for (auto& [how, each] : keepers_) {
    if (each.on_exchange_failed(ctx, what)) return;
  }
  ignore(ctx);
}

/// Whoever has sent it waits for an answer.
void keepers::on_event_received(context& ctx, const event_received& what) {
  keeper* owner = owner_of(what.channel);
  if (owner != nullptr) return owner->on_event_received(ctx, what);
  ignore(ctx);
  constexpr std::uint16_t not_found = 404;
  ctx.outputs.emplace_back(answer_event{what.id, not_found});
}

void keepers::on_timer(context& ctx, const timer_key& due) {
  const auto owner =
      std::ranges::find_if(keepers_, [&](const auto& each) { return each.second.owns(due); });
  if (owner != keepers_.end()) owner->second.on_timer(ctx, due);
}

// ---------------------------------------------------------------------------------------------
// After every input

void keepers::drain_gateways(context& ctx) {
  for (auto& [how, each] : keepers_) each.drain_gateway(ctx);
}

void keepers::tidy_up() {
  std::erase_if(keepers_, [](const auto& each) { return each.second.is_idle(); });
}

bool keepers::is_tidying() const noexcept {
  return std::ranges::any_of(keepers_, [](const auto& each) { return each.second.is_tidying(); });
}

bool keepers::is_unsubscribing() const noexcept {
  return std::ranges::any_of(keepers_,
                             [](const auto& each) { return each.second.is_unsubscribing(); });
}

void keepers::stop_tidying(context& ctx) {
  for (auto& [how, each] : keepers_) each.stop_tidying(ctx);
}

std::vector<mapping_event> keepers::take_events() {
  std::vector<mapping_event> out;
  for (auto& [how, each] : keepers_) {
    auto more = each.take_events();
    if (out.empty()) {
      out = std::move(more);
    } else {
      std::ranges::move(more, std::back_inserter(out));
    }
  }
  return out;
}

}  // namespace damson::core
