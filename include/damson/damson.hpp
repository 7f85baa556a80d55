#pragma once

/// All of damson.

#include <damson/client.hpp>
#include <damson/engine.hpp>
#include <damson/error.hpp>
#include <damson/mapping.hpp>
#include <damson/network.hpp>
#include <damson/options.hpp>
#include <damson/router.hpp>
#include <damson/types.hpp>
#include <damson/version.hpp>
