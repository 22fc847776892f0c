#pragma once

#include <string>
#include <string_view>

namespace fewshop {

/// The key of a person's rows, refusals and entries of the ledger: users and guests may have the same id.
inline std::string user_key(std::string_view user_id) { return "u:" + std::string(user_id); }
inline std::string guest_key(std::string_view client_id) { return "c:" + std::string(client_id); }
/// A guest's where no user is named.
inline std::string person_key(std::string_view user_id, std::string_view client_id) {
  return user_id.empty() ? guest_key(client_id) : user_key(user_id);
}

}  // namespace fewshop
