#include "core/pcp_servers.hpp"

#include <algorithm>

namespace damson::core {

void pcp_servers::take(const options& opts, const uplink& where) {
  servers_.clear();
  if (where.is_upstream()) return;
  for (const ip_address& each : opts.pcp_servers) {
    const bool is_usable = each.family() == where.gateway->family() && !each.is_unspecified() &&
                           !each.is_multicast() && std::ranges::count(servers_, each) == 0;
    if (is_usable && servers_.size() < engine_limits::pcp_servers) servers_.push_back(each);
  }
}

void pcp_servers::open(context& ctx, const ip_address& local) {
  if (channel_) return;
  channel_ = ctx.new_channel();
  ctx.outputs.emplace_back(open_channel{
      .channel = *channel_, .what = connected_channel{.local = local, .remote = current()}});
}

void pcp_servers::close(context& ctx) {
  if (channel_) ctx.outputs.emplace_back(close_channel{*channel_});
  channel_.reset();
  is_open_ = false;
}

void pcp_servers::on_failed(channel_error error) noexcept {
  if (error != channel_error::cannot_open) return;
  channel_.reset();
  is_open_ = false;
}

void pcp_servers::answered() noexcept {
  in_vain_ = 0;
  has_answered_ = true;
}

bool pcp_servers::next(context& ctx) {
  const bool is_left = ++in_vain_ < servers_.size();
  if (!is_left) in_vain_ = 0;
  const std::size_t before = std::exchange(at_, is_left ? (at_ + 1) % servers_.size() : 0);
  has_answered_ = false;
  if (at_ != before) {
    close(ctx);
    ctx.log.log(log_level::info, "no answer from PCP server ", servers_[before], ", so ",
                servers_[at_], " is asked");
  }
  return is_left;
}

}  // namespace damson::core
