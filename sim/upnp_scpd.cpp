#include "sim/upnp_scpd.hpp"

#include <span>
#include <string_view>

#include "sim/upnp_actions.hpp"

namespace damson::sim {

namespace {

std::string leaf(std::string_view name, std::string_view value) {
  const std::string tag{name};
  return "<" + tag + ">" + std::string{value} + "</" + tag + ">";
}

std::string arguments_text(std::span<const action_argument> all, std::string_view direction) {
  std::string out;
  for (const action_argument& one : all) {
    out += "<argument>" + leaf("name", one.name) + leaf("direction", direction) +
           leaf("relatedStateVariable", one.variable) + "</argument>";
  }
  return out;
}

}  // namespace

std::string scpd_text(const upnp_profile& how, const upnp_service& service) {
  std::string out =
      "<?xml version=\"1.0\"?>\r\n<scpd xmlns=\"urn:schemas-upnp-org:service-1-0\">"
      "<specVersion><major>1</major><minor>0</minor></specVersion><actionList>";
  for (const action_definition& one : actions_of(how, service)) {
    out += "<action>" + leaf("name", one.name);
    const std::string arguments = arguments_text(one.in, "in") + arguments_text(one.out, "out");
    if (!arguments.empty()) out += leaf("argumentList", arguments);
    out += "</action>";
  }
  out += "</actionList><serviceStateTable>";
  for (const state_variable& one : variables_of(how, service)) {
    out += std::string{"<stateVariable sendEvents=\""} + (one.evented ? "yes" : "no") + "\">" +
           leaf("name", one.name) + leaf("dataType", one.type) + "</stateVariable>";
  }
  return out + "</serviceStateTable></scpd>\r\n";
}

}  // namespace damson::sim
