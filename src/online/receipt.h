#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"

namespace fewshop {

// The parts of a receipt that says what forgetting somebody has done (docs/privacy.md).

inline constexpr const char* kOutOfReach =
    "dumps, backups and copies made before DATABASE changed its version (restore applies the ledger to dumps); bundles "
    "outside of the server's folder of models (publish counts them anew)";

/// What a receipt says of a version of a model: {scenario, version, live, counts, counted, may_hold, until}. `counts`
/// says what became of the members that count rows (learner/recount.h); `recounted`: they no longer hold anything of
/// the user, and are not among those that may.
nlohmann::json version_of_receipt(const std::string& scenario, const std::string& version, bool live,
                                  const std::vector<std::string>& members, const std::string& counts,
                                  bool recounted = false);

/// When the forgetting took effect by an entry of the ledger; nothing where the process ended before it could say.
std::optional<Micros> in_effect_of(const nlohmann::json& entry);

/// Whether the receipt waits for "log" or "models".
bool waits_for(const nlohmann::json& receipt, const std::string& what);

/// Sets whether it does; `pending` follows.
void settle(nlohmann::json& receipt, const std::string& what, bool waits);

}  // namespace fewshop
